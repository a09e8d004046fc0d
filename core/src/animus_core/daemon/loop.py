"""The daemon's loop: look at the queue, see how many slots are free, start what fits, wait for something to happen.

It wakes on a nudge (an enqueue, a run's end), on the moment when a deferred entry becomes due, and on a heartbeat as a
fallback. It has no policy: it starts entries in their order, and an entry that can never start is held with the
reason. Below lie the queue, capacity and the runs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from animus_core.daemon.capacity import LOWEST_PRIORITY, URGENT_PRIORITY, DaemonSettings, free_slots
from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.queue import Queue
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.daemon.registry import RunRegistry
from animus_core.daemon.state import CoreState
from animus_core.errors import AnimusError, Conflict, NotTrusted, RetryLater
from animus_core.workflow.plan import Plan

__all__ = ["Loop", "WorkAdmission", "new_run_id"]

_log = logging.getLogger("animus.daemon")


class WorkAdmission(Protocol):
    """Whether work may start, and what it then executes."""

    async def admits(self) -> bool:
        """Whether anything may start now; if not, everything keeps its place."""
        ...

    async def plan_for(self, entry: QueueEntry) -> Plan:
        """The snapshot that a run of this entry executes. Raises NotTrusted, or another AnimusError: there is none."""
        ...


def new_run_id() -> str:
    """An id that sorts by time and reads well."""
    return f"run-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


class Loop:
    """Runs until `stop` is called. Every tick is complete in itself: an error in one is logged."""

    def __init__(
        self,
        queue: Queue,
        runs: RunRegistry,
        commit_signal: CommitSignal,
        state: CoreState,
        settings: Callable[[], DaemonSettings],
        admission: WorkAdmission,
    ) -> None:
        self._queue = queue
        self._runs = runs
        self._commit_signal = commit_signal
        self._state = state
        self._settings = settings
        self._admission = admission
        self._nudged = commit_signal.nudged
        self._tick_began = datetime.now(UTC)
        self._stopping = False

    def stop(self) -> None:
        """Start nothing more and return from `run`."""
        self._stopping = True
        self._nudged.set()

    async def run(self) -> None:
        """Tick, wait, tick."""
        while not self._stopping:
            self._nudged.clear()
            try:
                await self.tick()
                wait_s = await self.next_tick_in_s()
            except AnimusError as error:
                _log.error("tick: %s", error)
                wait_s = self._heartbeat_s()
            try:
                async with asyncio.timeout(wait_s):
                    await self._nudged.wait()
            except TimeoutError:
                pass

    async def tick(self) -> int:
        """Start as many entries as there are slots for; how many were started."""
        self._tick_began = datetime.now(UTC)
        self._runs.check_hellos(asyncio.get_running_loop().time())
        if not await self._admission.admits():
            return 0
        # Settings are read at each tick: an operator changes the file while the daemon runs.
        free = free_slots(self._settings(), self._runs.active, paused=self._state.paused)
        started = 0
        if free.any_priority:
            started += await self._start(await self._queue.next_ready(free.any_priority, LOWEST_PRIORITY))
        # After the others, so that urgent work takes a common slot before it takes one of the headroom.
        if free.urgent:
            started += await self._start(await self._queue.next_ready(free.urgent, URGENT_PRIORITY))
        return started

    async def next_tick_in_s(self) -> float:
        """Seconds until the next tick, if no nudge comes earlier: the heartbeat, or what is due before it."""
        heartbeat_s = self._heartbeat_s()
        due = await self._queue.next_due_at()
        # What was due already could not start: only a nudge or the next tick changes that.
        if due is None or datetime.fromisoformat(due) <= self._tick_began:
            return heartbeat_s
        until_due_s = (datetime.fromisoformat(due) - datetime.now(UTC)).total_seconds()
        return max(0.0, min(heartbeat_s, until_due_s))

    async def _start(self, entries: list[QueueEntry]) -> int:
        started = 0
        for entry in entries:
            if self._stopping:
                break
            try:
                await self._runs.start(entry, await self._admission.plan_for(entry), new_run_id())
                started += 1
                _log.info("%s: started %s", entry.subject_id, entry.workflow_ref)
            except NotTrusted as error:  # since the tick began: everything keeps its place
                _log.warning("%s: %s", entry.subject_id, error.message)
                break
            except Conflict as error:
                _log.info("%s: %s", entry.entry_id, error.message)
            except RetryLater as error:  # no process or no space on the disk: the entry keeps its place
                _log.error("%s: %s", entry.subject_id, error)
                break
            except AnimusError as error:
                _log.error("%s is held: %s", entry.subject_id, error)
                await self._queue.hold_broken(entry, str(error))
                self._commit_signal.publish()
                self._commit_signal.nudge()  # the slot is free for the next one
        return started

    def _heartbeat_s(self) -> float:
        try:
            return self._settings().heartbeat_s
        except AnimusError:
            return DaemonSettings().heartbeat_s
