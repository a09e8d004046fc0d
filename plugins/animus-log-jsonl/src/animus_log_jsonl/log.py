"""One log from opening to closing, with the thread that writes it.

Below lie all the parts: `ownership.py` (one process), `files.py` (which files), `index.py` (which ids and times),
`write.py` (in), `query.py` and `tail.py` (out), `damage.py` (what is wrong).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from animus_log_jsonl.damage import Damage
from animus_log_jsonl.files import LogFiles
from animus_log_jsonl.index import LogIndex
from animus_log_jsonl.ownership import own
from animus_log_jsonl.query import query_page
from animus_log_jsonl.read import LogReader
from animus_log_jsonl.settings import Fsync, LogSettings
from animus_log_jsonl.tail import Commits, tail
from animus_log_jsonl.write import Batch, LogWriter
from animus_sdk import InvalidParams, LogEntry, LogQuery, LogQueryResult, Unavailable

__all__ = ["JsonlLog"]

# Errors that pass, or that an operator fixes: the host asks again later. Any other is about the path itself.
_MAY_PASS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE})


class JsonlLog:
    """A log that is open. `store` and `tail` belong on the event loop, `query` on any thread."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self.damage = Damage()
        self._loop = asyncio.get_running_loop()
        self._commits = Commits()
        self._waiting: deque[Batch] = deque()  # bounded by the requests that a peer leaves open, 4,096
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._resources = contextlib.ExitStack()
        self._sync_timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, settings: LogSettings) -> Self:
        """Take the log over. Raises InvalidParams for a path that cannot be used, Unavailable for what may pass."""
        log = cls(settings)
        try:
            await log._on_thread(log._take)
        except BaseException:
            await log.close()
            raise
        return log

    async def close(self) -> None:
        """Commit what waits, force it onto the disk, and let another process have the log."""
        if self._sync_timer is not None:
            self._sync_timer.cancel()
        await self._on_thread(self._resources.close)
        self._thread.shutdown(wait=False)

    async def store(self, entries: Sequence[LogEntry]) -> int:
        """Keep the entries that are new, all or none; how many they were. Raises InvalidParams and Unavailable."""
        batch = Batch(entries)
        self._waiting.append(batch)
        self._thread.submit(self._write_waiting)
        stored = await asyncio.wrap_future(batch.outcome)
        if self._settings.fsync is Fsync.INTERVAL and self._sync_timer is None:
            self._sync_timer = self._loop.call_later(self._settings.fsync_interval_s, self._sync_later)
        return stored

    def query(self, query: LogQuery, given_up: Callable[[], bool]) -> LogQueryResult:
        """One page; see `query.py`."""
        return query_page(self._files, self._reader, self._spans, query, given_up)

    def tail(self, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
        """Entries from now on; see `tail.py`."""
        return tail(self._files, self._reader, query, self._commits)

    def _take(self) -> None:
        path = self._settings.path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Taken first and so given back last: nobody else may write before the writer and the index are closed.
            self._resources.callback(own(path).release)
            index = LogIndex(path.with_name(path.name + ".index"))
            self._resources.callback(index.close)
            # The index remembers the number of the file when every rotated one was deleted: it is not given again.
            self._files = LogFiles(path, index.reached.number)
            self._reader = LogReader(self._files, self.damage)
            self._spans = index.spans
            self._writer = LogWriter(self._files, index, self.damage, self._settings, self._on_commit)
            self._resources.callback(self._writer.close)
        except (OSError, sqlite3.Error) as error:
            problem = f"{path}: no log can be kept there: {error}"
            if isinstance(error, sqlite3.Error) or error.errno in _MAY_PASS:
                raise Unavailable(f"{problem} - make room or fix the folder, then retry") from error
            raise InvalidParams(f"{problem} - correct the folder, or set ANIMUS_LOG_FILE_PATH") from error

    def _write_waiting(self) -> None:
        """Each `store` asks for one run; the first one serves all that wait, the others find nothing left."""
        batches = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            self._writer.store(batches)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: whatever happened, who waits must be told
            for batch in batches:
                if not batch.outcome.done():
                    batch.outcome.set_exception(error)

    def _on_commit(self) -> None:
        self._loop.call_soon_threadsafe(self._commits.committed)

    def _sync_later(self) -> None:
        self._sync_timer = None
        self._thread.submit(self._writer.sync)

    async def _on_thread(self, function: Callable[[], None]) -> None:
        await self._loop.run_in_executor(self._thread, function)
