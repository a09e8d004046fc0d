"""Monitors a run: ingests what its runner journals until the runner has left, and starts the next one after a crash.

The daemon never retries a phase. After a crash it only starts a runner with the next epoch, which reads the journal and
decides. If the next runner would fail for the same reason, the run is blocked instead. Below lie ingest and the launch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.ingest import block_run, ingest, note_crash
from animus_core.daemon.launch import StartRunner, launch_runner
from animus_core.daemon.live_run import AdoptedRunner, LiveRun, OwnRunner, Runner
from animus_core.errors import AnimusError, Internal
from animus_core.journal.kinds import Kind
from animus_core.journal.reader import read_from
from animus_core.journal.runner_exit import RunnerExit
from animus_core.store.database import Database
from animus_core.store.lock_holder import wait_for_holder
from animus_core.store.regular_files import read_tail
from animus_core.store.statements import Tx
from animus_protocol.crash_points import declare, reach

__all__ = ["AFTER_EXIT", "MAX_CRASHES", "AfterExit", "RunMonitor", "resume_hint"]

_log = logging.getLogger("animus.daemon")
MAX_CRASHES: Final = 5
"""A run is blocked when this many runners in a row have died without progress in any phase.

Enough to survive a temporary problem, too few to waste processor time for long.
"""
_LOG_TAIL_BYTES: Final = 2000
"""How much of a runner's log is given as the reason of a block: it must fit into a table of runs and into a prompt."""

_INGESTED: Final = declare("daemon.ingested", "records are committed and not published")
_CRASH_NOTED: Final = declare("daemon.crash_noted", "a runner's death is a fact, no other runner is started")


class AfterExit(StrEnum):
    """What the daemon does when a runner has left and its run is not over."""

    RECOVER = "recover"
    """Record the crash and start the next runner. The fifth crash in a row without progress blocks the run."""
    BLOCK = "block"
    """Block the run at once, with the end of the runner's log: the next runner would fail for the same reason."""


AFTER_EXIT: Final[Mapping[int, AfterExit]] = {
    RunnerExit.DONE: AfterExit.RECOVER,
    RunnerExit.NO_ROOM: AfterExit.BLOCK,
    RunnerExit.JOURNAL_UNUSABLE: AfterExit.BLOCK,
    RunnerExit.JOURNAL_DAMAGED: AfterExit.BLOCK,
    RunnerExit.EPOCH_OVER: AfterExit.RECOVER,
    RunnerExit.RUN_FILES_DAMAGED: AfterExit.BLOCK,
    RunnerExit.AGENT_RUNNER_UNAVAILABLE: AfterExit.BLOCK,
    RunnerExit.ATTEMPT_STILL_ALIVE: AfterExit.BLOCK,
    RunnerExit.NOT_AVAILABLE: AfterExit.BLOCK,
    RunnerExit.OTHER_ERROR: AfterExit.RECOVER,
}
"""By exit code. Any other code, and an end that nobody saw, is a crash: recover."""


def resume_hint(run_id: str) -> str:
    """What a person does about a run that the daemon itself has blocked."""
    return f"Fix that, then run: animus workflow resume {run_id}"


class RunMonitor:
    """Monitors runs; it keeps no state of one run, that is in its `LiveRun`."""

    def __init__(
        self, database: Database, commit_signal: CommitSignal, start_runner: StartRunner, max_crashes: int
    ) -> None:
        self._database = database
        self._commit_signal = commit_signal
        self._start_runner = start_runner
        self._max_crashes = max_crashes
        self._closing = False

    def close(self) -> None:
        """From now on start no runner: runs whose runner leaves are recovered by the next daemon."""
        self._closing = True

    async def monitor(self, run: LiveRun, runner: Runner) -> None:
        """Follow `run` from runner to runner until it is over or waits for a person."""
        try:
            following: Runner | None = runner
            while following is not None:
                code = await self._follow(run, following)
                following = await self._after_exit(run, code)
        except AnimusError as error:
            _log.error("run %s: %s", run.run_id, error)
            await self.give_up(run, error.message, error.hint or "Read the daemon's log.")

    async def give_up(self, run: LiveRun, reason: str, hint: str) -> None:
        """Block the run, because its runner could not."""
        try:
            await self._database.write(lambda tx: block_run(tx, run.identity, run.epoch, reason, hint))
        except AnimusError as error:
            _log.error("run %s cannot even be marked as blocked: %s", run.run_id, error)
        self._commit_signal.publish()

    async def _follow(self, run: LiveRun, runner: Runner) -> int | None:
        """Ingest what the runner journals until it has left. Its exit code; None if another daemon had started it."""
        exited = asyncio.get_running_loop().create_task(_wait_for_exit(run, runner))
        exited.add_done_callback(lambda _: run.journal_advanced.set())
        try:
            while not exited.done():
                await run.journal_advanced.wait()
                run.journal_advanced.clear()
                if not exited.done():
                    try:
                        await self._ingest_new(run)
                    except AnimusError as error:  # judged when the runner is gone: it may still repair what it wrote
                        _log.warning("run %s: %s", run.run_id, error)
        finally:
            exited.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await exited
        # Only now is the journal complete: what it says decides, the exit code only explains.
        await self._ingest_new(run)
        return exited.result()

    async def _ingest_new(self, run: LiveRun) -> None:
        """Ingest what the journal says and the database does not know yet."""
        while True:
            row = await self._row(run)
            offset, seq = int(row["journal_offset"]), int(row["journal_seq"])
            batch = await asyncio.to_thread(read_from, run.paths.journal, offset, expected_seq=seq + 1, durable=True)
            if not batch.records:
                return
            await self._database.write(partial(ingest, run=run.identity, batch=batch))
            reach(_INGESTED)
            if any(record.kind.startswith("phase_") for record in batch.records):
                run.note_progress()
            if any(record.kind == Kind.OPERATOR_ORDER for record in batch.records):
                run.note_order_written()
            self._commit_signal.publish()

    async def _after_exit(self, run: LiveRun, code: int | None) -> Runner | None:
        """The next runner, where the run needs one; the run is blocked here where none would help."""
        status = (await self._row(run))["status"]
        # A runner that was started for an order and failed before it wrote it down leaves a blocked run as it was.
        order_is_open = status == "blocked" and run.order is not None and code != RunnerExit.DONE
        if self._closing or not (order_is_open or status in ("pending", "running")):
            return None
        why = "its runner ended" if code is None else f"its runner ended with code {code}"
        _log.warning("run %s: %s before the run was over", run.run_id, why)
        if code is not None and AFTER_EXIT.get(code) is AfterExit.BLOCK:
            await self.give_up(run, _exit_reason(run, code), resume_hint(run.run_id))
            return None
        if (crashes := run.note_crash()) >= self._max_crashes:
            last = _log_tail(run.paths.log)
            reason = f"{crashes} runners in a row died without progress; the last: {last}"
            await self.give_up(run, reason, resume_hint(run.run_id))
            return None
        return await self._recover(run, why)

    async def _recover(self, run: LiveRun, why: str) -> OwnRunner:
        dead = run.begin_epoch()

        def commit(tx: Tx) -> None:
            note_crash(tx, run.identity, dead, why)
            tx.execute("run_set_epoch", run_id=run.run_id, epoch=run.epoch)

        await self._database.write(commit)
        self._commit_signal.publish()
        reach(_CRASH_NOTED)
        return await launch_runner(run, self._start_runner)

    async def _row(self, run: LiveRun) -> sqlite3.Row:
        row = await self._database.read(lambda tx: tx.one("run_get", run_id=run.run_id))
        if row is None:
            raise Internal(f"run {run.run_id} is not in the database any more")
        return row


async def _wait_for_exit(run: LiveRun, runner: Runner) -> int | None:
    match runner:
        case OwnRunner(process):
            return await process.wait()
        case AdoptedRunner():
            await wait_for_holder(run.paths.lock)
            return None


def _exit_reason(run: LiveRun, code: int) -> str:
    """Why a runner left, by its log; a full disk may have kept it from saying anything there."""
    if tail := _log_tail(run.paths.log):
        return tail
    if code == RunnerExit.NO_ROOM:
        return f"{run.paths.journal}: the journal cannot be written, and neither can the runner's log beside it"
    return f"its runner ended with code {code}, and its log says nothing"


def _log_tail(path: Path) -> str:
    return read_tail(path, _LOG_TAIL_BYTES, unreadable="its log cannot be read").strip()
