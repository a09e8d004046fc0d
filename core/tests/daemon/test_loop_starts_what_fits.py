"""The loop starts what fits, in order; what cannot start is held with its reason or keeps its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import pytest

from animus_core.daemon.capacity import DaemonSettings
from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.loop import Loop
from animus_core.daemon.queue import Queue
from animus_core.daemon.queue_entry import EntryStatus, QueueEntry
from animus_core.daemon.registry import RunRegistry
from animus_core.daemon.state import CoreState
from animus_core.errors import Conflict, InvalidInput, NotTrusted, RetryLater
from animus_core.store.database import Database
from animus_core.store.paging import Page
from animus_core.store.paths import Scope
from animus_core.workflow.plan import Plan
from animus_protocol.models.dispatch import SubjectDispatch

Dispatch = Callable[..., SubjectDispatch]


class FakeRuns:
    """Runs that start and never end; `refusals` are raised first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.started: list[str] = []
        self.refusals: list[Exception] = []
        self.grown = asyncio.Condition()

    @property
    def active(self) -> int:
        return len(self.started)

    def check_hellos(self, now: float) -> None: ...

    async def start(self, entry: QueueEntry, plan: Plan, run_id: str) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        await self.database.write(lambda tx: tx.execute("queue_assign", run_id=run_id, entry_id=entry.entry_id))
        async with self.grown:
            self.started.append(entry.subject_id)
            self.grown.notify_all()

    async def until(self, count: int) -> list[str]:
        async with self.grown:
            await self.grown.wait_for(lambda: len(self.started) >= count)
        return self.started


class World:
    """A loop over a real queue, with runs that are none."""

    def __init__(self, scope: Scope, database: Database, settings: DaemonSettings) -> None:
        self.queue, self.commit_signal, self.state = Queue(database), CommitSignal(), CoreState(scope)
        self.runs = FakeRuns(database)
        self.broken: dict[str, Exception] = {}
        self.open = True
        runs = cast(RunRegistry, self.runs)
        self.loop = Loop(self.queue, runs, self.commit_signal, self.state, lambda: settings, self)

    async def admits(self) -> bool:
        return self.open

    async def plan_for(self, entry: QueueEntry) -> Plan:
        if entry.subject_id in self.broken:
            raise self.broken[entry.subject_id]
        return cast(Plan, None)


Using = Callable[[DaemonSettings], AbstractAsyncContextManager[World]]


@pytest.fixture
def using(scope: Scope) -> Using:
    @asynccontextmanager
    async def opened(settings: DaemonSettings) -> AsyncIterator[World]:
        async with await Database.open(scope.workflow_db) as database:
            yield World(scope, database, settings)

    return opened


async def test_only_as_many_start_as_there_is_room_for_and_the_headroom_is_for_urgent_ones(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(DaemonSettings(max_workflows=3, slot_headroom=1)) as world:
        for number in range(4):
            await world.queue.enqueue(dispatch(f"normal-{number}", minute=number))
        assert await world.loop.tick() == 2
        assert await world.loop.tick() == 0
        await world.queue.enqueue(dispatch("urgent", priority="high", minute=9))
        await world.queue.enqueue(dispatch("urgent-2", priority="high", minute=10))
        assert await world.loop.tick() == 1
        assert world.runs.started == ["normal-0", "normal-1", "urgent"]


async def test_a_paused_daemon_starts_nothing_and_goes_on_when_resumed(using: Using, dispatch: Dispatch) -> None:
    async with using(DaemonSettings()) as world:
        await world.queue.enqueue(dispatch("A"))
        world.state.set_paused(True)
        assert await world.loop.tick() == 0
        world.state.set_paused(False)
        assert await world.loop.tick() == 1


async def test_a_closed_gate_starts_nothing_and_holds_nothing_and_all_of_it_starts_when_it_opens(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(DaemonSettings()) as world:
        await world.queue.enqueue(dispatch("A", minute=1))
        await world.queue.enqueue(dispatch("B", minute=2))
        world.open = False
        assert await world.loop.tick() == 0
        world.open = True
        world.broken["A"] = NotTrusted("changed since the tick began")
        assert await world.loop.tick() == 0
        assert [entry.subject_id for entry in await world.queue.next_ready(9, 4)] == ["A", "B"]
        world.broken.clear()
        assert await world.loop.tick() == 2


async def test_an_entry_that_is_due_and_cannot_start_does_not_keep_the_loop_spinning(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(DaemonSettings(heartbeat_s=3600)) as world:
        warm = await world.queue.enqueue(dispatch("A"))
        await world.queue.enqueue(dispatch("B"), run_at=warm.entry.enqueued_at)
        world.open = False
        assert await world.loop.tick() == 0
        assert await world.loop.next_tick_in_s() == 3600


def test_pausing_survives_a_restart(scope: Scope) -> None:
    CoreState(scope).set_paused(True)
    assert CoreState(scope).paused


async def test_an_entry_whose_plan_is_broken_is_held_with_the_reason_and_the_next_one_starts_at_once(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(DaemonSettings(max_workflows=1, heartbeat_s=3600)) as world:
        world.broken["A"] = InvalidInput("no workflow 'w'", hint="Write one.")
        await world.queue.enqueue(dispatch("A", minute=1))
        await world.queue.enqueue(dispatch("B", minute=2))
        task = asyncio.ensure_future(world.loop.run())
        assert await world.runs.until(1) == ["B"]
        (held,) = (await world.queue.page(EntryStatus.HELD, Page(0, 9))).entries
        assert (held.subject_id, held.hold_reason) == ("A", "no workflow 'w'\nWrite one.")
        world.loop.stop()
        await task


async def test_what_cannot_start_for_want_of_room_keeps_its_place_and_nothing_behind_it_is_tried(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(DaemonSettings()) as world:
        await world.queue.enqueue(dispatch("A", minute=1))
        await world.queue.enqueue(dispatch("B", minute=2))
        world.runs.refusals = [RetryLater("no space left on device")]
        assert await world.loop.tick() == 0
        assert [entry.subject_id for entry in await world.queue.next_ready(9, 4)] == ["A", "B"]
        assert await world.loop.tick() == 2


async def test_an_entry_that_moved_on_is_passed_over(using: Using, dispatch: Dispatch) -> None:
    async with using(DaemonSettings()) as world:
        await world.queue.enqueue(dispatch("A", minute=1))
        await world.queue.enqueue(dispatch("B", minute=2))
        world.runs.refusals = [Conflict("not waiting any more")]
        assert await world.loop.tick() == 1
        assert world.runs.started == ["B"]


async def test_a_nudge_and_a_deferred_moment_wake_the_loop_long_before_its_heartbeat(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(DaemonSettings(heartbeat_s=3600)) as world:
        task = asyncio.ensure_future(world.loop.run())
        await world.queue.enqueue(dispatch("A"))
        world.commit_signal.nudge()
        assert await world.runs.until(1) == ["A"]
        soon = (await world.queue.enqueue(dispatch("warm"))).entry.enqueued_at
        await world.queue.enqueue(dispatch("B"), run_at=soon)
        world.commit_signal.nudge()
        assert sorted(await world.runs.until(3)) == ["A", "B", "warm"]
        world.loop.stop()
        await task


async def test_settings_that_cannot_be_read_cost_a_tick_and_not_the_loop(scope: Scope, dispatch: Dispatch) -> None:
    async with await Database.open(scope.workflow_db) as database:
        world = World(scope, database, DaemonSettings())
        asked, fixed = asyncio.Event(), asyncio.Event()

        def settings() -> DaemonSettings:
            asked.set()
            if not fixed.is_set():
                raise InvalidInput("pm-config.json: pool_size is 'x'")
            return DaemonSettings()

        runs = cast(RunRegistry, world.runs)
        loop = Loop(world.queue, runs, world.commit_signal, world.state, settings, world)
        await world.queue.enqueue(dispatch("A"))
        task = asyncio.ensure_future(loop.run())
        await asked.wait()
        fixed.set()
        world.commit_signal.nudge()
        assert await world.runs.until(1) == ["A"]
        loop.stop()
        await task


async def test_the_bus_wakes_everybody_who_waits_and_nobody_who_is_up_to_date() -> None:
    commit_signal = CommitSignal()
    waiting = [asyncio.ensure_future(commit_signal.wait_newer_than(0)) for _ in range(3)]
    ahead = asyncio.ensure_future(commit_signal.wait_newer_than(1))
    await asyncio.sleep(0)
    commit_signal.publish()
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    assert await commit_signal.wait_newer_than(0) == 1
    assert not ahead.done()
    commit_signal.publish()
    assert await ahead == 2
