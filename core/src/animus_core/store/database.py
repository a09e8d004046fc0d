"""The database engine: one connection on one thread, many writers in one commit, no acknowledgement before it.

The daemon opens the one `Database` of a scope, under its lock; other processes read with `open_readonly`. Below it lie
`statements` (named SQL), `schema` (opening and migrating) and sqlite3.

Group commit: the thread takes every write that waits, runs each in a savepoint of one transaction, commits once, and
only then tells the callers. While it commits, the next ones gather; so the more there is to do, the fewer commits it
takes.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from animus_core.errors import Internal, RetryLater
from animus_core.store.schema import connect_reader, connect_writer, failure, storage_hint
from animus_core.store.statements import Tx, statements
from animus_protocol.crash_points import declare, reach

__all__ = ["Database", "ReadOnlyDatabase", "open_readonly"]

# On either side of the commit: a kill at the first loses what nobody was promised, at the second loses nothing.
BEFORE_COMMIT: Final = declare("store.before_commit", "a batch of writes was carried out and is not committed yet")
COMMITTED: Final = declare("store.committed", "a batch of writes is on the disk and no caller knows yet")

_T = TypeVar("_T")


class _Job:
    """A function to run, and the caller that waits for it."""

    __slots__ = ("error", "future", "result", "run", "writes")

    def __init__(self, run: Callable[[Tx], Any], writes: bool, future: asyncio.Future[Any]) -> None:
        self.run: Final = run
        self.writes: Final = writes
        self.future: Final = future
        self.result: Any = None
        self.error: BaseException | None = None


class Database:
    """The only writer of a database; every method belongs to the event loop that opened it.

    A function that is given to `read` or `write` runs on the database's thread, among those of others: it is short,
    waits for nothing, and touches nothing but its `Tx`.
    """

    def __init__(self, path: Path, queue_limit: int, batch_limit: int) -> None:
        self.path: Final = path
        self.commits = 0
        """How many transactions were committed; with `writes` it tells how well commits are shared."""
        self.writes = 0
        """How many writes were acknowledged or are about to be."""
        self._batch_limit = batch_limit
        self._loop = asyncio.get_running_loop()
        # SimpleQueue has no bound: the semaphore is it, and it makes callers wait instead of failing.
        self._room = asyncio.Semaphore(queue_limit)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = False
        self._thread: threading.Thread

    @classmethod
    async def open(
        cls, path: Path, *, queue_limit: int = 1024, batch_limit: int = 256, busy_timeout_s: float = 5.0
    ) -> Self:
        """Open the database for writing; made where it is missing, brought up to date where it is older.

        The caller holds the lock of the scope. At most `queue_limit` calls wait (further ones wait to be let in), at
        most `batch_limit` writes share a commit. Raises Conflict for a database of a newer or another program,
        RetryLater for one that cannot be used; neither is changed.
        """
        self = cls(path, queue_limit, batch_limit)
        # A daemon thread: a process that ends without close() loses nothing that was acknowledged.
        self._thread = threading.Thread(
            target=self._main, args=(busy_timeout_s,), name=f"database {path.name}", daemon=True
        )
        self._thread.start()
        try:
            await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            await self.close()
            if self._opened.done():
                self._opened.exception()  # looked at, so that asyncio does not report it as forgotten
            raise
        return self

    async def write(self, fn: Callable[[Tx], _T]) -> _T:
        """Run `fn` and return its result once what it wrote is committed.

        What `fn` raises is raised here, its changes are undone, and nobody else's are. Raises RetryLater if the
        transaction could not be committed (nothing was written) or the database is closed. A caller that is cancelled
        does not learn whether its write took place.
        """
        result: _T = await self._submit(fn, writes=True)
        return result

    async def read(self, fn: Callable[[Tx], _T]) -> _T:
        """Run `fn` on what is committed now and return its result; a statement that writes is refused."""
        result: _T = await self._submit(fn, writes=False)
        return result

    async def close(self) -> None:
        """Carry out what was accepted, then close the database; later calls are refused. Closing twice is fine."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        # Shielded: a caller that is cancelled must not take the end of the thread from everybody else who waits for it.
        await asyncio.shield(self._stopped)
        self._thread.join()  # its last act was to say so

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _submit(self, fn: Callable[[Tx], Any], *, writes: bool) -> Any:
        await self._room.acquire()
        # Asked again after the wait for room: the database may have been closed meanwhile.
        if self._closing:
            self._room.release()
            raise RetryLater(f"{self.path}: the database is closed", hint="This process is ending; ask its successor.")
        job = _Job(fn, writes, self._loop.create_future())
        self._jobs.put(job)
        return await job.future

    def _resolve(self, jobs: Sequence[_Job]) -> None:
        """On the event loop: tell the callers, in the order in which their calls took effect."""
        for job in jobs:
            # The room is given back here and not by the caller, who may have been cancelled while its job waited.
            self._room.release()
            if job.future.done():
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)

    # What follows runs on the thread.

    def _main(self, busy_timeout_s: float) -> None:
        try:
            connection = connect_writer(self.path, busy_timeout_s=busy_timeout_s)
        except BaseException as error:  # noqa: BLE001 - raised again where open() waits
            self._on_loop(_resolve, self._opened, error)
        else:
            self._on_loop(_resolve, self._opened, None)
            try:
                self._serve(connection)
            finally:
                connection.close()
        finally:
            self._on_loop(self._end)

    def _end(self) -> None:
        """On the event loop, at last: nobody may wait for a thread that is no more."""
        self._closing = True
        left: list[_Job] = []
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if job is not None:
                job.error = Internal(f"{self.path}: the database's thread has ended")
                left.append(job)
        self._resolve(left)
        _resolve(self._stopped, None)

    def _serve(self, connection: sqlite3.Connection) -> None:
        tx = Tx(connection, statements())
        stopping = False
        while not stopping:
            reads: list[_Job] = []
            writes: list[_Job] = []
            job = self._jobs.get()
            while True:
                if job is None:
                    stopping = True
                    break
                (writes if job.writes else reads).append(job)
                if len(reads) + len(writes) >= self._batch_limit or self._jobs.empty():
                    break
                job = self._jobs.get_nowait()
            # Reads go first and apart, so that none of them ever sees what is not committed.
            self._carry_out(connection, tx, reads, writes)

    def _carry_out(self, connection: sqlite3.Connection, tx: Tx, reads: Sequence[_Job], writes: Sequence[_Job]) -> None:
        waiting = [*reads, *writes]
        try:
            if reads:
                self._run_reads(connection, tx, reads)
                self._on_loop(self._resolve, reads)
                waiting = [*writes]
            if writes:
                self._run_writes(connection, tx, writes)
                self._on_loop(self._resolve, writes)
        except BaseException:
            for job in waiting:
                job.error = Internal(f"{self.path}: the database's thread has failed")
            self._on_loop(self._resolve, waiting)
            raise

    def _run_reads(self, connection: sqlite3.Connection, tx: Tx, jobs: Sequence[_Job]) -> None:
        # The one connection writes too: this is what refuses a statement that writes where `read` was asked for.
        connection.execute("PRAGMA query_only = ON")
        for job in jobs:
            try:
                job.result = _read(connection, tx, job.run)
            except BaseException as error:  # noqa: BLE001 - raised again where the caller waits
                job.error = self._explained(error)
        connection.execute("PRAGMA query_only = OFF")

    def _run_writes(self, connection: sqlite3.Connection, tx: Tx, jobs: Sequence[_Job]) -> None:
        try:
            # IMMEDIATE: a foreign writer is met here, before any job has run, and not in the middle of the batch.
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._run_write(connection, tx, job)
            reach(BEFORE_COMMIT)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for job in jobs:
                # One for each: an exception that is raised in several places collects all their tracebacks.
                job.error = job.error or failure(self.path, error)
            return
        reach(COMMITTED)
        self.commits += 1
        self.writes += sum(job.error is None for job in jobs)

    def _run_write(self, connection: sqlite3.Connection, tx: Tx, job: _Job) -> None:
        """Run one job of the batch; raises sqlite3.Error if that has cost the whole transaction."""
        # Nobody waits for it, and it has not begun: the only moment at which a write can still be called off.
        if job.future.cancelled():
            return
        try:
            connection.execute("SAVEPOINT job")
            job.result = job.run(tx)
            connection.execute("RELEASE job")
        except BaseException as error:
            job.error = self._explained(error)
            if not connection.in_transaction:
                # Some errors of the disk end the whole transaction; everybody else in it has to know why.
                if isinstance(error, sqlite3.Error):
                    raise
                raise sqlite3.OperationalError("SQLite has rolled the transaction back") from error
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")

    def _explained(self, error: BaseException) -> BaseException:
        """The error to raise where the caller waits: what the disk or the file did is said so."""
        if isinstance(error, sqlite3.Error) and storage_hint(error) is not None:
            explained = failure(self.path, error)
            explained.__cause__ = error
            return explained
        # A future refuses StopIteration, so it would never be resolved and its caller would wait for ever.
        if isinstance(error, StopIteration):
            return RuntimeError(f"the function raised {error!r}, which no awaiting caller can be given")
        return error

    def _on_loop(self, callback: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop is closed, so nobody waits for the answer any more.
            return


class ReadOnlyDatabase:
    """The database as a process that is not the daemon sees it: committed states only, nothing can be written."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path: Final = path
        self._connection = connection
        self._tx = Tx(connection, statements())

    def read(self, fn: Callable[[Tx], _T]) -> _T:
        """Run `fn` on one committed state and return its result. Raises RetryLater if the file cannot be read."""
        try:
            return _read(self._connection, self._tx, fn)
        except sqlite3.Error as error:
            if storage_hint(error) is None:
                raise
            raise failure(self.path, error) from error

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_readonly(path: Path, *, busy_timeout_s: float = 5.0) -> ReadOnlyDatabase:
    """Open the database for reading, in any process; belongs to the thread that opened it.

    Raises UnknownName if there is none yet, Conflict if its version is another, RetryLater if it cannot be read.
    """
    return ReadOnlyDatabase(path, connect_reader(path, busy_timeout_s=busy_timeout_s))


def _read(connection: sqlite3.Connection, tx: Tx, fn: Callable[[Tx], _T]) -> _T:
    # All statements of one function see one state, whatever is committed beside them.
    connection.execute("BEGIN")
    try:
        return fn(tx)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
            raise Internal(f"a read tried to write: {error}", hint="Use Database.write, in the daemon.") from error
        raise
    finally:
        if connection.in_transaction:
            # There is nothing to commit, and an open read would keep the WAL from being cut short.
            connection.execute("ROLLBACK")


def _resolve(future: asyncio.Future[None], error: BaseException | None) -> None:
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(None)
