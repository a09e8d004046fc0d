"""Every run that is not over: which there are, who executes them, what operators and runners ask of them.

A run is committed with its epoch before its runner is started, and stays here until it is over or waits for a person;
so it occupies a slot exactly as long as it is here. Below lie the monitor of the runs and the launch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.events import RunIdentity
from animus_core.daemon.launch import StartRunner, launch_runner
from animus_core.daemon.lease import FIRST_EPOCH, lease_run
from animus_core.daemon.live_run import AdoptedRunner, Connected, LiveRun, Runner, Silent
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.daemon.run_monitor import MAX_CRASHES, RunMonitor, resume_hint
from animus_core.errors import AnimusError, Conflict, RetryLater, UnknownName
from animus_core.journal.kinds import OperatorOrder, Order
from animus_core.store.database import Database
from animus_core.store.paths import Scope
from animus_core.workflow.plan import Plan
from animus_protocol.errors import ProtocolError
from animus_protocol.models import runner as wire
from animus_protocol.models.base import Empty
from animus_protocol.peer import Peer

__all__ = ["RunRegistry"]

_log = logging.getLogger("animus.daemon")
_HELLO_GRACE_S: Final = 90.0
"""A runner connects again every half second; if it has not in this time, it hangs, or its machine does."""
_ORDER_S: Final = 5.0
"""An operator waits for this answer, and a runner that works takes an order at once, between two records."""
_LEAVE_S: Final = 10.0
"""How long runners may take to leave when asked: a command that they run has 3 s after SIGTERM before SIGKILL."""


@dataclass(frozen=True)
class _Registered:
    """The run is committed or about to be; nobody monitors it yet, because its runner is being started."""

    run: LiveRun


@dataclass(frozen=True)
class _Monitored:
    """A task ingests what its runners write, until the run is over or waits for a person."""

    run: LiveRun
    task: asyncio.Task[None]


class RunRegistry:
    """The runs of one project. `changed` is called whenever a slot may have become free.

    `max_crashes`: this many runners in a row may die without progress before their run is blocked.
    """

    def __init__(
        self,
        scope: Scope,
        database: Database,
        commit_signal: CommitSignal,
        start_runner: StartRunner,
        changed: Callable[[], None],
        *,
        max_crashes: int = MAX_CRASHES,
    ) -> None:
        self._scope = scope
        self._database = database
        self._commit_signal = commit_signal
        self._start_runner = start_runner
        self._changed = changed
        self._monitor = RunMonitor(database, commit_signal, start_runner, max_crashes)
        self._runs: dict[str, _Registered | _Monitored] = {}

    @property
    def active(self) -> int:
        """How many runs occupy a slot."""
        return len(self._runs)

    @property
    def unresponsive(self) -> list[str]:
        """Runs whose runner has not been connected for 90 s."""
        return [run.run_id for run in self._live() if run.is_unresponsive]

    async def adopt(self) -> None:
        """At start: monitor the runs whose runner lives, recover those whose runner is dead."""
        for row in await self._database.read(lambda tx: tx.all("run_unfinished")):
            identity = RunIdentity(row["run_id"], row["subject_kind"], row["subject_id"])
            self._start_monitoring(self._register(identity, int(row["epoch"])), AdoptedRunner())

    async def start(self, entry: QueueEntry, plan: Plan, run_id: str) -> None:
        """Commit a run for a queue entry and start its first runner. Raises Conflict when the entry has moved on.

        Raises RetryLater: either nothing was committed, or the run is blocked because no runner could be started.
        """
        paths = self._scope.run_dir(run_id)
        run = self._register(
            await lease_run(self._database, self._commit_signal, paths, run_id, entry, plan), FIRST_EPOCH
        )
        try:
            self._start_monitoring(run, await launch_runner(run, self._start_runner))
        except AnimusError as error:
            await self._monitor.give_up(run, error.message, resume_hint(run_id))
            self._forget(run)
            raise

    async def resume(self, run_id: str, order: OperatorOrder) -> None:
        """Start a runner that carries out an operator's order for a blocked run.

        Raises UnknownName, Conflict, and RetryLater when no runner could be started (the order was not taken).
        """
        row = await self._row_after_exit(run_id)
        if row["status"] != "blocked":
            raise Conflict(f"run {run_id} is {row['status']}, not blocked: there is nothing to decide")
        if run_id in self._runs:
            raise Conflict(f"run {run_id} is being decided already")
        run = self._register(RunIdentity(run_id, row["subject_kind"], row["subject_id"]), int(row["epoch"]) + 1, order)
        try:
            await self._database.write(lambda tx: tx.execute("run_set_epoch", run_id=run_id, epoch=run.epoch))
            self._start_monitoring(run, await launch_runner(run, self._start_runner))
        except AnimusError:  # it stays blocked, and the operator knows that the order was not taken
            self._forget(run)
            raise

    async def cancel(self, run_id: str, reason: str) -> None:
        """End a run as cancelled, whether it works or waits. Raises UnknownName, Conflict, RetryLater."""
        row = await self._row_after_exit(run_id)
        if row["status"] == "blocked" and run_id not in self._runs:
            await self.resume(run_id, OperatorOrder(order=Order.CANCEL, feedback=reason))
            return
        registered = self._runs.get(run_id)
        if registered is None:
            raise Conflict(f"run {run_id} is {row['status']} already")
        match registered.run.connection:
            case Silent():
                raise RetryLater(f"the runner of {run_id} has not dialled in", hint="Try again in a few seconds.")
            case Connected(peer):
                order = wire.RunnerCancel(run=run_id, reason=reason)
                try:
                    await peer.call(wire.RUNNER_CANCEL, order, timeout_s=_ORDER_S)
                except ProtocolError as error:
                    raise RetryLater(f"the runner of {run_id} does not take the order: {error}") from error

    def hello(self, hello: wire.RunnerHello, peer: Peer) -> None:
        """A runner dialled in. Raises Conflict for one whose epoch is over."""
        registered = self._runs.get(hello.run)
        if registered is None or hello.epoch < registered.run.epoch:
            raise Conflict(f"epoch {hello.epoch} of run {hello.run} is over")
        registered.run.connect(peer)

    def journal_advanced(self, run_id: str) -> None:
        """The journal of a run has grown."""
        if (registered := self._runs.get(run_id)) is not None:
            registered.run.journal_advanced.set()

    def left(self, peer: Peer) -> None:
        """A connection ended; if it was a runner's, that says nothing of the runner, whose process is watched."""
        for run in self._live():
            if run.connection == Connected(peer):
                run.disconnect(asyncio.get_running_loop().time())

    def check_hellos(self, now: float) -> None:
        """Mark runs whose runner has not been connected for 90 s at `now` (the loop's clock).

        Such a runner is never replaced: whether it lives is what its lock says, and its monitor watches that.
        """
        for run in self._live():
            match run.connection:
                case Silent(since, unresponsive=False) if now - since > _HELLO_GRACE_S:
                    run.mark_unresponsive(since)
                    _log.warning("run %s: its runner has not been connected for %g s", run.run_id, _HELLO_GRACE_S)

    async def close(self, *, drain_s: float, leave_s: float = _LEAVE_S) -> int:
        """Wait up to `drain_s` for the runs, then ask the connected runners to stop where they are and wait `leave_s`.

        Returns how many runs were not over after `drain_s`. A runner that is not connected cannot be asked: it goes
        on, and the next daemon adopts its run.
        """
        self._monitor.close()
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=drain_s)
        unfinished = list(self._live())
        for run in unfinished:
            match run.connection:
                case Connected(peer):
                    try:
                        await peer.call(wire.RUNNER_STOP, Empty(), timeout_s=_ORDER_S)
                    except ProtocolError as error:
                        _log.warning("run %s: %s", run.run_id, error)
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=leave_s)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return len(unfinished)

    def _live(self) -> Iterator[LiveRun]:
        return (registered.run for registered in list(self._runs.values()))

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [registered.task for registered in self._runs.values() if isinstance(registered, _Monitored)]

    def _register(self, identity: RunIdentity, epoch: int, order: OperatorOrder | None = None) -> LiveRun:
        silent = Silent(asyncio.get_running_loop().time())
        run = LiveRun(identity, self._scope.run_dir(identity.run_id), epoch, silent, order)
        self._runs[run.run_id] = _Registered(run)
        return run

    def _start_monitoring(self, run: LiveRun, runner: Runner) -> None:
        task = asyncio.get_running_loop().create_task(self._monitor_until_over(run, runner), name=f"run {run.run_id}")
        self._runs[run.run_id] = _Monitored(run, task)

    async def _monitor_until_over(self, run: LiveRun, runner: Runner) -> None:
        try:
            await self._monitor.monitor(run, runner)
        finally:
            self._forget(run)

    def _forget(self, run: LiveRun) -> None:
        self._runs.pop(run.run_id, None)
        self._changed()

    async def _row(self, run_id: str) -> Any:
        row = await self._database.read(lambda tx: tx.one("run_get", run_id=run_id))
        if row is None:
            raise UnknownName(f"no run {run_id!r}", hint="animus workflow list")
        return row

    async def _row_after_exit(self, run_id: str) -> Any:
        """The run; if its runner has blocked it and is about to leave, after it has left. Raises UnknownName."""
        row = await self._row(run_id)
        match self._runs.get(run_id):
            # This runner has journaled the block and has only to leave; one started for an order has just begun.
            case _Monitored(run, task) if row["status"] == "blocked" and run.order is None:
                await asyncio.wait([task], timeout=_ORDER_S)
                return await self._row(run_id)
        return row
