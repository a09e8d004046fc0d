"""Runs with real child processes under a daemon that comes back: adopted, greeted, missed, and given orders."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, cast

import pytest

from animus_core.errors import Conflict, RetryLater, UnknownName
from animus_core.journal.kinds import OperatorOrder, Order
from animus_core.store.database import Database
from animus_core.store.paths import Scope
from animus_protocol.models import runner as wire
from animus_protocol.peer import Peer
from scripted_runners import GO_ON, RESUME, Daemon, Dispatch, Using, open_barrier


def hello(epoch: int, run_id: str = "run-1") -> wire.RunnerHello:
    return wire.RunnerHello(run=run_id, epoch=epoch, pid=1, starttime="1", boot_id="b", version="0", offset=0)


# == a daemon that comes back ==


async def test_a_living_runner_is_adopted_and_never_doubled(scope: Scope, dispatch: Dispatch, barrier: Path) -> None:
    script = [f"begin progress wait:{barrier} complete"]
    async with await Database.open(scope.workflow_db) as database:
        before = Daemon(scope, database, script)
        await before.begin(dispatch("A"))
        await _say_that_it_advanced_until_running(before)
        assert await before.runs.close(drain_s=0, leave_s=0) == 1
    async with await Database.open(scope.workflow_db) as database:
        after = Daemon(scope, database, script)
        await after.runs.adopt()
        assert after.runs.active == 1
        await asyncio.to_thread(open_barrier, barrier)
        row = await after.until_left("completed")
        assert (row["epoch"], after.launches) == (1, [])
        assert await after.facts() == ["started", "completed"]
    await before.children[0].wait()


async def test_a_run_whose_runner_died_with_the_daemon_is_recovered(
    scope: Scope, dispatch: Dispatch, barrier: Path
) -> None:
    async with await Database.open(scope.workflow_db) as database:
        before = Daemon(scope, database, [f"begin wait:{barrier} die"])
        await before.begin(dispatch("A"))
        closing = asyncio.create_task(before.runs.close(drain_s=10))  # a daemon that stops starts no other runner
        await asyncio.to_thread(open_barrier, barrier)
        assert await closing == 0
        assert (await before.run())["epoch"] == len(before.launches) == 1
    async with await Database.open(scope.workflow_db) as database:
        after = Daemon(scope, database, ["", "begin complete"])
        await after.runs.adopt()
        assert (await after.until_left("completed"))["epoch"] == 2


async def test_a_run_that_was_committed_and_never_launched_is_started_by_the_next_daemon(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(["", "begin complete"]) as daemon:
        entry = (await daemon.queue.enqueue(dispatch("A"))).entry

        def commit(tx: Any) -> None:
            row = {"subject_kind": "task", "subject_id": "A", "workflow_ref": "w", "created_at": entry.enqueued_at}
            tx.execute("run_insert", run_id="run-1", entry_id=entry.entry_id, status="pending", epoch=1, **row)
            tx.execute("queue_assign", run_id="run-1", entry_id=entry.entry_id)

        await daemon.database.write(commit)
        await asyncio.to_thread(daemon.scope.run_dir("run-1").create)
        await daemon.runs.adopt()
        await daemon.until_left("completed")


async def test_closing_tells_no_run_to_be_over_and_recovers_nothing(
    using: Using, dispatch: Dispatch, barrier: Path
) -> None:
    async def work(daemon: Daemon) -> None:
        await daemon.begin(dispatch("A"))
        await daemon.until(lambda row: row["status"] == "running")
        assert await daemon.runs.close(drain_s=0.05, leave_s=0.2) == 1
        daemon.children[0].send_signal(signal.SIGKILL)
        await daemon.children[0].wait()
        assert (await daemon.run())["status"] == "running"
        assert (len(daemon.launches), await daemon.facts()) == (1, ["started"])

    async with using([f"begin wait:{barrier}"]) as daemon:
        await asyncio.gather(work(daemon), _say_that_it_advanced_until_running(daemon))


async def _say_that_it_advanced_until_running(daemon: Daemon) -> None:
    """What runners say after each append, and these runners do not: said until what they wrote was taken in."""
    while (await daemon.run()).get("status") != "running":
        daemon.runs.journal_advanced("run-1")
        await asyncio.sleep(0.01)


# == hello ==


async def test_a_hello_of_an_older_epoch_or_of_an_unknown_run_is_refused(
    using: Using, dispatch: Dispatch, barrier: Path
) -> None:
    async with using(["begin die", f"wait:{barrier} begin complete"]) as daemon:
        peer = cast(Peer, object())
        with pytest.raises(Conflict, match="epoch 1 of run run-1 is over"):
            daemon.runs.hello(hello(1), peer)
        await daemon.begin(dispatch("A"))
        await daemon.until(lambda row: row["epoch"] == 2)
        with pytest.raises(Conflict, match="epoch 1 of run run-1 is over"):
            daemon.runs.hello(hello(1), peer)
        daemon.runs.hello(hello(2), peer)
        await asyncio.to_thread(open_barrier, barrier)
        await daemon.until_left("completed")


async def test_a_runner_without_a_hello_is_unresponsive_after_90_s_since_it_left(
    using: Using, dispatch: Dispatch, barrier: Path
) -> None:
    async with using([f"wait:{barrier} begin complete"]) as daemon:
        peer = cast(Peer, object())
        await daemon.begin(dispatch("A"))
        started = asyncio.get_running_loop().time()
        daemon.runs.check_hellos(started)
        assert daemon.runs.unresponsive == []
        daemon.runs.check_hellos(started + 91)
        assert daemon.runs.unresponsive == ["run-1"]
        daemon.runs.hello(hello(1), peer)
        assert daemon.runs.unresponsive == []
        daemon.runs.left(peer)
        left = asyncio.get_running_loop().time()
        daemon.runs.check_hellos(left + 89)
        assert daemon.runs.unresponsive == []
        daemon.runs.check_hellos(left + 91)
        assert daemon.runs.unresponsive == ["run-1"]
        assert len(daemon.launches) == 1
        await asyncio.to_thread(open_barrier, barrier)
        await daemon.until_left("completed")


# == orders ==


@pytest.mark.parametrize(("order", "word"), [(Order.RESUME, "complete"), (Order.CANCEL, "cancel")])
async def test_a_blocked_run_takes_an_order_in_a_new_epoch(
    order: Order, word: str, using: Using, dispatch: Dispatch
) -> None:
    async with using(["begin progress block", f"begin order {word}"]) as daemon:
        await daemon.begin(dispatch("A"))
        await daemon.until_left("blocked")
        if order is Order.CANCEL:
            await daemon.runs.cancel("run-1", "enough")
        else:
            await daemon.runs.resume("run-1", GO_ON)
        await daemon.until_left("cancelled" if order is Order.CANCEL else "completed")
        last = daemon.launches[-1]
        feedback = "enough" if order is Order.CANCEL else "go on"
        assert (last.epoch, last.order) == (2, OperatorOrder(order=order, feedback=feedback))


@pytest.mark.parametrize("order", [Order.RESUME, Order.CANCEL])
async def test_an_order_waits_for_a_runner_that_has_blocked_its_run_and_is_just_leaving(
    order: Order, using: Using, dispatch: Dispatch, barrier: Path, tmp_path: Path
) -> None:
    has_blocked = tmp_path / "has-blocked"
    os.mkfifo(has_blocked)

    async with using([f"begin progress block wait:{has_blocked} wait:{barrier}", "begin order complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        await asyncio.to_thread(open_barrier, has_blocked)
        daemon.runs.journal_advanced("run-1")
        await daemon.until(lambda row: row["status"] == "blocked")
        if order is Order.CANCEL:
            giving = asyncio.create_task(daemon.runs.cancel("run-1", "enough"))
        else:
            giving = asyncio.create_task(daemon.runs.resume("run-1", RESUME))
        await asyncio.to_thread(open_barrier, barrier)
        await giving
        await daemon.until_left("completed")
        assert [launch.order and launch.order.order for launch in daemon.launches] == [None, order]


async def test_an_order_whose_runner_died_before_writing_it_down_is_given_to_the_next_one(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(["begin progress block", "begin die", "begin order die", "begin complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        await daemon.until_left("blocked")
        await daemon.runs.resume("run-1", GO_ON)
        await daemon.until_left("completed")
        orders = [(launch.epoch, launch.order) for launch in daemon.launches]
        assert orders == [(1, None), (2, GO_ON), (3, GO_ON), (4, None)]


async def test_only_a_blocked_run_can_be_resumed_and_an_ended_one_not_cancelled(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(["begin complete"]) as daemon:
        with pytest.raises(UnknownName, match="no run 'run-1'"):
            await daemon.runs.resume("run-1", RESUME)
        await daemon.begin(dispatch("A"))
        with pytest.raises(Conflict, match="not blocked"):
            await daemon.runs.resume("run-1", RESUME)
        with pytest.raises(RetryLater, match="has not dialled in"):
            await daemon.runs.cancel("run-1", "enough")
        await daemon.until_left("completed")
        with pytest.raises(Conflict, match="completed already"):
            await daemon.runs.cancel("run-1", "enough")
