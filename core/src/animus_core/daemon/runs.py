"""Every run that is not over: its runner's process, its journal's cursor, its crashes.

Called by the loop (start), the control server (hello, doorbell) and the services (resume, cancel); below lie ingest,
the run's lock and the journal. The order of a start is: commit the run and its epoch, take the lock, hand it to the
child. The daemon never retries a phase; after a crash it only starts a runner with the next epoch, which decides from
the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.daemon.bus import Bus
from animus_core.daemon.events import RunIdentity
from animus_core.daemon.ingest import block_run, ingest, note_crash
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.daemon.watch import wait_for_holder
from animus_core.errors import AnimusError, Conflict, RetryLater, UnknownName
from animus_core.journal.kinds import Kind, Order
from animus_core.journal.reader import Batch, read_from
from animus_core.store.clock import utc_now_text
from animus_core.store.database import Database
from animus_core.store.json_files import write_json_atomic
from animus_core.store.locks import HeldLock, acquire_within
from animus_core.store.paths import RunPaths, Scope
from animus_core.store.statements import Tx
from animus_core.workflow.plan import Plan
from animus_protocol.crash_points import declare, reach
from animus_protocol.errors import ProtocolError
from animus_protocol.models import runner as wire
from animus_protocol.models.base import Empty
from animus_protocol.peer import Peer

__all__ = ["Launch", "Runs", "StartRunner"]

_log = logging.getLogger("animus.daemon")
MAX_STRIKES: Final = 5
_LOCK_S: Final = 10.0
_HELLO_GRACE_S: Final = 90.0
_ORDER_S: Final = 5.0
_NO_ROOM: Final = RetryLater.exit_code
_LOG_TAIL_BYTES: Final = 2000

_LEASED: Final = declare("daemon.leased", "the run is committed, its runner is not started")
_LOCKED: Final = declare("daemon.locked", "the daemon holds the run's lock, no child does")
_SPAWNED: Final = declare("daemon.spawned", "the runner was started and the daemon has not noted it")
_INGESTED: Final = declare("daemon.ingested", "records are committed and nobody was told")
_CRASH_NOTED: Final = declare("daemon.crash_noted", "a runner's death is a fact, no other runner is started")


class Launch(NamedTuple):
    """What a runner is started with."""

    run_id: str
    epoch: int
    log: Path
    order: Order | None = None
    feedback: str | None = None


StartRunner = Callable[[Launch, HeldLock], Awaitable[asyncio.subprocess.Process]]
"""Starts a runner that inherits the lock; `app` provides it."""


@dataclass
class _Live:
    """A run with a runner, or about to have one.

    `since`: when its runner was started or its connection lost (the loop's clock). `order` and `feedback` are an
    operator's, until the journal has them.
    """

    row: RunIdentity
    paths: RunPaths
    epoch: int
    since: float
    order: Order | None = None
    feedback: str | None = None
    process: asyncio.subprocess.Process | None = None
    peer: Peer | None = None
    task: asyncio.Task[None] | None = None
    strikes: int = 0
    unresponsive: bool = False
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)


class Runs:
    """The runs of one project. `changed` is called whenever a slot may have become free."""

    def __init__(
        self, scope: Scope, database: Database, bus: Bus, start_runner: StartRunner, changed: Callable[[], None]
    ) -> None:
        self._scope = scope
        self._database = database
        self._bus = bus
        self._start_runner = start_runner
        self._changed = changed
        self._live: dict[str, _Live] = {}
        self._closing = False

    @property
    def active(self) -> int:
        """How many runs occupy a slot."""
        return len(self._live)

    @property
    def unresponsive(self) -> list[str]:
        """Runs whose lock is held by a runner that has not said hello for 90 s."""
        return [run_id for run_id, live in self._live.items() if live.unresponsive]

    async def adopt(self) -> None:
        """At start: watch the runners that live, recover the runs whose runner is dead."""
        rows = await self._database.read(lambda tx: tx.all("run_unfinished"))
        for row in rows:
            live = self._track(RunIdentity(row["run_id"], row["subject_kind"], row["subject_id"]), int(row["epoch"]))
            live.task = asyncio.get_running_loop().create_task(self._attend(live))

    async def start(self, entry: QueueEntry, plan: Plan, run_id: str) -> None:
        """Commit a run for a queue entry and start its first runner. Raises Conflict when the entry has moved on.

        Raises RetryLater: either nothing was committed, or the run is blocked because no runner could be started.
        """
        paths = self._scope.run_dir(run_id)
        paths.create()
        write_json_atomic(paths.dispatch, entry.read_dispatch().model_dump(mode="json", exclude_none=True))
        write_json_atomic(paths.plan, plan.model_dump(mode="json"))
        row = RunIdentity(run_id, entry.subject_kind, entry.subject_id)

        def commit(tx: Tx) -> None:
            at = utc_now_text()
            tx.execute(
                "run_insert",
                run_id=run_id,
                entry_id=entry.entry_id,
                subject_kind=entry.subject_kind,
                subject_id=entry.subject_id,
                workflow_ref=entry.workflow_ref,
                status="pending",
                epoch=1,
                created_at=at,
            )
            if tx.execute("queue_assign", run_id=run_id, entry_id=entry.entry_id) != 1:
                raise Conflict(f"entry {entry.entry_id} is not waiting any more")

        await self._database.write(commit)
        self._bus.publish()
        reach(_LEASED)
        live = self._track(row, 1)
        try:
            await self._launch(live)
        except AnimusError as error:
            await self._give_up(live, error.message, f"animus workflow resume {run_id}")
            raise

    async def resume(self, run_id: str, order: Order, feedback: str | None) -> None:
        """Start a runner that carries out an operator's order for a blocked run. Raises UnknownName, Conflict."""
        row = await self._row_without_leaver(run_id)
        if row["status"] != "blocked":
            raise Conflict(f"run {run_id} is {row['status']}, not blocked: there is nothing to decide")
        if run_id in self._live:
            raise Conflict(f"run {run_id} is being decided already")
        live = self._track(RunIdentity(run_id, row["subject_kind"], row["subject_id"]), int(row["epoch"]) + 1)
        live.order, live.feedback = order, feedback
        try:
            await self._database.write(lambda tx: tx.execute("run_set_epoch", run_id=run_id, epoch=live.epoch))
            await self._launch(live)
        except AnimusError:
            self._forget(live)
            raise

    async def cancel(self, run_id: str, reason: str) -> None:
        """End a run as cancelled, whether it works or waits. Raises UnknownName, Conflict, RetryLater."""
        row = await self._row_without_leaver(run_id)
        if row["status"] == "blocked" and run_id not in self._live:
            await self.resume(run_id, Order.CANCEL, reason)
            return
        live = self._live.get(run_id)
        if live is None:
            raise Conflict(f"run {run_id} is {row['status']} already")
        if live.peer is None:
            raise RetryLater(f"the runner of {run_id} has not dialled in", hint="Try again in a few seconds.")
        try:
            await live.peer.call(wire.RUNNER_CANCEL, wire.RunnerCancel(run=run_id, reason=reason), timeout_s=_ORDER_S)
        except ProtocolError as error:
            raise RetryLater(f"the runner of {run_id} does not take the order: {error}") from error

    def hello(self, told: wire.RunnerHello, peer: Peer) -> None:
        """A runner dialled in. Raises Conflict for one whose epoch is over."""
        live = self._live.get(told.run)
        if live is None or told.epoch < live.epoch:
            raise Conflict(f"epoch {told.epoch} of run {told.run} is over")
        live.peer = peer
        live.unresponsive = False
        live.dirty.set()

    def rang(self, told: wire.RunnerDoorbell) -> None:
        """A journal has grown."""
        live = self._live.get(told.run)
        if live is not None:
            live.dirty.set()

    def left(self, peer: Peer) -> None:
        """A connection ended; if it was a runner's, its process is watched anyway."""
        for live in self._live.values():
            if live.peer is peer:
                live.peer = None
                live.since = asyncio.get_running_loop().time()
                live.dirty.set()

    def check_hellos(self) -> None:
        """Mark runners that hold their lock and have not dialled in for 90 s; they are never replaced."""
        now = asyncio.get_running_loop().time()
        for run_id, live in self._live.items():
            if live.peer is None and not live.unresponsive and now - live.since > _HELLO_GRACE_S:
                live.unresponsive = True
                _log.warning("run %s: its runner holds the lock and has not said hello for 90 s", run_id)

    async def close(self, *, drain_s: float) -> int:
        """Wait for the runs up to `drain_s`, then tell the runners to stop where they are; how many were stopped."""
        self._closing = True
        tasks = [live.task for live in self._live.values() if live.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=drain_s)
        stopped = 0
        for live in list(self._live.values()):
            stopped += 1
            if live.peer is not None:
                try:
                    await live.peer.call(wire.RUNNER_STOP, Empty(), timeout_s=_ORDER_S)
                except ProtocolError as error:
                    _log.warning("run %s: %s", live.row.run_id, error)
        left = [live.task for live in self._live.values() if live.task is not None]
        if left:
            await asyncio.wait(left, timeout=_LOCK_S)
        for task in left:
            task.cancel()
        return stopped

    def _track(self, row: RunIdentity, epoch: int) -> _Live:
        now = asyncio.get_running_loop().time()
        live = _Live(row, self._scope.run_dir(row.run_id), epoch, now)
        self._live[row.run_id] = live
        return live

    async def _row(self, run_id: str) -> Any:
        row = await self._database.read(lambda tx: tx.one("run_get", run_id=run_id))
        if row is None:
            raise UnknownName(f"no run {run_id!r}", hint="animus workflow list")
        return row

    async def _row_without_leaver(self, run_id: str) -> Any:
        """The run, after a runner that has blocked it was given its time to leave. Raises UnknownName."""
        row, live = await self._row(run_id), self._live.get(run_id)
        if row["status"] != "blocked" or live is None or live.task is None or live.order is not None:
            return row
        await asyncio.wait([live.task], timeout=_ORDER_S)
        return await self._row(run_id)

    async def _launch(self, live: _Live) -> None:
        held = await asyncio.to_thread(acquire_within, live.paths.lock, _LOCK_S, epoch=live.epoch)
        try:
            reach(_LOCKED)
            launch = Launch(live.row.run_id, live.epoch, live.paths.log, live.order, live.feedback)
            live.process = await self._start_runner(launch, held)
            reach(_SPAWNED)
        except OSError as error:
            reason = f"run {live.row.run_id}: its runner cannot be started: {error}"
            raise RetryLater(reason, hint="Make room for another process and its log.") from error
        finally:
            held.close()
        live.since = asyncio.get_running_loop().time()
        live.task = asyncio.get_running_loop().create_task(self._attend(live))

    async def _attend(self, live: _Live) -> None:
        """Take in what a runner journals until it is gone, then see how it left."""
        try:
            reader = asyncio.get_running_loop().create_task(self._follow(live))
            try:
                if live.process is not None:
                    await live.process.wait()
                else:
                    await wait_for_holder(live.paths.lock)
            finally:
                reader.cancel()
                await asyncio.wait([reader])
            await self._take(live)
            await self._see_how_it_left(live)
        except AnimusError as error:
            _log.error("run %s: %s", live.row.run_id, error)
            await self._give_up(live, error.message, error.hint or "Read the daemon's log.")

    async def _follow(self, live: _Live) -> None:
        while True:
            await live.dirty.wait()
            live.dirty.clear()
            try:
                await self._take(live)
            except AnimusError as error:  # taken in once more when the runner is gone, and judged then
                _log.warning("run %s: %s", live.row.run_id, error)

    async def _take(self, live: _Live) -> None:
        """Everything that the journal says and the database does not know yet."""
        async with live.gate:
            while True:
                row = await self._row(live.row.run_id)
                offset, seq = int(row["journal_offset"]), int(row["journal_seq"])
                batch = await asyncio.to_thread(
                    read_from, live.paths.journal, offset, expected_seq=seq + 1, durable=True
                )
                if not batch.records:
                    return
                await self._database.write(partial(_ingest, row=live.row, batch=batch))
                reach(_INGESTED)
                if any(record.kind.startswith("phase_") for record in batch.records):
                    live.strikes = 0
                if any(record.kind == Kind.OPERATOR_ORDER for record in batch.records):
                    live.order = live.feedback = None
                self._bus.publish()

    async def _see_how_it_left(self, live: _Live) -> None:
        row = await self._row(live.row.run_id)
        code = live.process.returncode if live.process is not None else None
        waits = row["status"] == "blocked" and live.order is not None and code != 0
        if self._closing or not (waits or row["status"] in ("pending", "running")):
            self._forget(live)
            return
        why = "its runner ended" if code is None else f"its runner ended with code {code}"
        _log.warning("run %s: %s before the run was over", live.row.run_id, why)
        if code == _NO_ROOM:
            reason = _log_tail(live.paths.log) or _no_room_at_all(live.paths)
            await self._give_up(live, reason, f"animus workflow resume {live.row.run_id}")
            return
        live.strikes += 1
        if live.strikes >= MAX_STRIKES:
            reason = f"{live.strikes} runners in a row died without progress; the last: {_log_tail(live.paths.log)}"
            await self._give_up(live, reason, f"animus workflow resume {live.row.run_id}")
            return
        await self._recover(live, why)

    async def _recover(self, live: _Live, why: str) -> None:
        dead, live.epoch = live.epoch, live.epoch + 1

        def commit(tx: Tx) -> None:
            note_crash(tx, live.row, dead, why)
            tx.execute("run_set_epoch", run_id=live.row.run_id, epoch=live.epoch)

        await self._database.write(commit)
        self._bus.publish()
        reach(_CRASH_NOTED)
        live.peer = None
        await self._launch(live)

    async def _give_up(self, live: _Live, reason: str, hint: str) -> None:
        hint = f"Mend that, then run: {hint}" if hint.startswith("animus ") else hint
        try:
            await self._database.write(lambda tx: block_run(tx, live.row, live.epoch, reason, hint))
        except AnimusError as error:
            _log.error("run %s cannot even be marked as blocked: %s", live.row.run_id, error)
        self._bus.publish()
        self._forget(live)

    def _forget(self, live: _Live) -> None:
        self._live.pop(live.row.run_id, None)
        self._changed()


def _ingest(tx: Tx, *, row: RunIdentity, batch: Batch) -> None:
    ingest(tx, row, batch)


def _no_room_at_all(paths: RunPaths) -> str:
    return f"{paths.journal}: the journal cannot be written, and neither can the runner's log beside it"


def _log_tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return "its log cannot be read"
