"""Runs with real child processes that inherit the lock: clean ends, crashes, crash loops, restarts, orders."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from animus_core.daemon.attend import AFTER_EXIT, MAX_CRASHES, AfterExit
from animus_core.daemon.bus import Bus
from animus_core.daemon.launch import Launch
from animus_core.daemon.live_run import Silent
from animus_core.daemon.queue import Queue
from animus_core.daemon.registry import RunRegistry
from animus_core.errors import Conflict, RetryLater, UnknownName
from animus_core.journal.kinds import OperatorOrder, Order
from animus_core.journal.runner_exit import RunnerExit
from animus_core.store.database import Database
from animus_core.store.locks import HeldLock, is_held
from animus_core.store.paths import Scope
from animus_core.workflow.definitions import PhaseMode
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase
from animus_protocol.models import runner as wire
from animus_protocol.models.dispatch import SubjectDispatch
from animus_protocol.peer import Peer

Dispatch = Callable[..., SubjectDispatch]
PLAN = Plan(
    workflow_ref="w",
    name="w",
    phases=(PlannedPhase(id="a", mode=PhaseMode.COMMAND, command=PlannedCommand(program="x")),),
)
RESUME = OperatorOrder(order=Order.RESUME)
GO_ON = OperatorOrder(order=Order.RESUME, feedback="go on")
# A runner that takes over the lock and then does, word by word, what it was told.
RUNNER = """
import os, sys
from pathlib import Path
from animus_core.journal.kinds import Kind
from animus_core.journal.writer import JournalWriter
from animus_core.store.locks import from_inherited

folder, epoch, fd, order, words = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]
held = from_inherited(fd, folder / "lock")
held.describe(epoch=epoch)
journal = JournalWriter.open(folder / "journal.jsonl", folder.name, epoch, held=held)
about = {"phase": "a", "attempt": epoch}

def write(kind, **data):
    journal.append(kind, data, sync=True)

for word in words:
    match word.partition(":")[::2]:
        case "begin", _:
            write("runner_started", pid=os.getpid(), starttime="1", boot_id="b", version="0")
            if epoch == 1:
                write("workflow_started", workflow_ref="w", phases=["a"])
        case "progress", _:
            write("phase_started", **about, ordinal=0, cause="first")
        case "order", _:
            write("operator_order", order=order)
        case "complete", _:
            write("workflow_completed")
        case "cancel", _:
            write("workflow_cancelled", reason="enough")
        case "block", _:
            write("workflow_blocked", **about, reason="look", hint="animus workflow resume")
        case "spoil", _:
            with (folder / "journal.jsonl").open("ab") as file:
                file.write(b"{this is no record}\\n")
        case "say", text:
            print(text, flush=True)
        case "wait", path:
            open(path).read()
        case "die", _:
            os.kill(os.getpid(), 9)
        case "exit", code:
            os._exit(int(code))
"""


class Daemon:
    """A daemon's runs, with runners that do what `script` says for each epoch; the last entry is for all later ones."""

    def __init__(self, scope: Scope, database: Database, script: list[str]) -> None:
        self.scope, self.database, self.script = scope, database, script
        self.bus, self.queue = Bus(), Queue(database)
        self.launches: list[Launch] = []
        self.children: list[asyncio.subprocess.Process] = []
        self.runs = RunRegistry(scope, database, self.bus, self._start, self.bus.publish)

    async def _start(self, launch: Launch, held: HeldLock) -> asyncio.subprocess.Process:
        self.launches.append(launch)
        words = self.script[min(launch.epoch, len(self.script)) - 1].split()
        fd = held.inheritable_fd()
        order = launch.order.order if launch.order else "-"
        arguments = [str(self.scope.run_dir(launch.run_id).root), str(launch.epoch), str(fd), order]
        log = await asyncio.to_thread(launch.log.open, "ab")
        with log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", RUNNER, *arguments, *words, pass_fds=[fd], stdout=log, stderr=log
            )
        self.children.append(child)
        return child

    async def begin(self, dispatch: SubjectDispatch, run_id: str = "run-1") -> None:
        entry = (await self.queue.enqueue(dispatch)).entry
        await self.runs.start(entry, PLAN, run_id)

    async def run(self, run_id: str = "run-1") -> dict[str, Any]:
        return await self.database.read(lambda tx: dict(tx.one("run_get", run_id=run_id) or {}))

    async def until(self, ready: Callable[[dict[str, Any]], bool], run_id: str = "run-1") -> dict[str, Any]:
        while True:
            version = self.bus.version
            row = await self.run(run_id)
            if ready(row):
                return row
            await self.bus.wait_beyond(version)

    async def until_left(self, status: str) -> dict[str, Any]:
        return await self.until(lambda row: row["status"] == status and self.runs.active == 0)

    async def facts(self) -> list[str]:
        rows = await self.database.read(lambda tx: tx.all("fact_after", fact_seq=0, limit=99))
        return [row["kind"] for row in rows]


Using = Callable[[list[str]], AbstractAsyncContextManager[Daemon]]


@pytest.fixture
def using(scope: Scope) -> Using:
    @asynccontextmanager
    async def opened(script: list[str]) -> AsyncIterator[Daemon]:
        async with await Database.open(scope.workflow_db) as database:
            yield Daemon(scope, database, script)

    return opened


def hello(epoch: int, run_id: str = "run-1") -> wire.RunnerHello:
    return wire.RunnerHello(run=run_id, epoch=epoch, pid=1, starttime="1", boot_id="b", version="0", offset=0)


def open_barrier(path: Path) -> None:
    """Let whoever waits at the other end of the pipe go on."""
    os.close(os.open(path, os.O_WRONLY))


@pytest.fixture
def barrier(tmp_path: Path) -> Path:
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


async def test_a_run_that_ends_well_is_taken_in_and_its_slot_is_free(using: Using, dispatch: Dispatch) -> None:
    async with using(["begin progress complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        row = await daemon.until_left("completed")
        assert row["epoch"] == 1
        assert await daemon.facts() == ["started", "completed"]
        (entry,) = await daemon.database.read(lambda tx: tx.all("queue_list", status="done", limit=9, offset=0))
        assert (entry["subject_id"], entry["run_id"]) == ("A", "run-1")


async def test_an_entry_that_has_moved_on_is_not_started(using: Using, dispatch: Dispatch) -> None:
    async with using(["begin"]) as daemon:
        entry = (await daemon.queue.enqueue(dispatch("A"))).entry
        await daemon.queue.change("drop", "A")
        with pytest.raises(Conflict, match="not waiting any more"):
            await daemon.runs.start(entry, PLAN, "run-1")
        assert (daemon.launches, daemon.runs.active, await daemon.run()) == ([], 0, {})


async def test_a_crash_is_a_fact_and_the_next_epoch_goes_on(using: Using, dispatch: Dispatch) -> None:
    async with using(["begin die", "begin complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        row = await daemon.until_left("completed")
        assert row["epoch"] == 2
        assert [launch.epoch for launch in daemon.launches] == [1, 2]
        assert await daemon.facts() == ["started", "runner-crashed", "completed"]


async def test_a_runner_that_dies_before_its_first_record_is_recovered_too(using: Using, dispatch: Dispatch) -> None:
    async with using(["die", "begin complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        assert (await daemon.until_left("completed"))["epoch"] == 2


async def test_a_crash_loop_ends_in_a_block_that_shows_the_log(using: Using, dispatch: Dispatch) -> None:
    async with using(["begin say:ouch die"]) as daemon:
        await daemon.begin(dispatch("A"))
        row = await daemon.until_left("blocked")
        assert len(daemon.launches) == MAX_CRASHES
        assert row["reason"].startswith(f"{MAX_CRASHES} runners in a row died without progress; the last: ouch")
        assert row["hint"] == "Mend that, then run: animus workflow resume run-1"
        assert await daemon.facts() == ["started", *["runner-crashed"] * (MAX_CRASHES - 1), "blocked"]


async def test_progress_makes_earlier_crashes_count_no_more(
    using: Using, dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("animus_core.daemon.attend.MAX_CRASHES", 2)

    async with using(["begin die", "progress die", "complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        await daemon.until_left("completed")
        assert len(daemon.launches) == 3


@pytest.mark.parametrize("code", [code for code, answer in AFTER_EXIT.items() if answer is AfterExit.BLOCK])
async def test_what_another_runner_would_find_too_blocks_at_once_with_the_tail_of_the_log(
    code: int, using: Using, dispatch: Dispatch
) -> None:
    async with using([f"begin say:no-room-left exit:{code}"]) as daemon:
        await daemon.begin(dispatch("A"))
        row = await daemon.until_left("blocked")
        assert (row["reason"], len(daemon.launches)) == ("no-room-left", 1)
        assert row["hint"] == "Mend that, then run: animus workflow resume run-1"
        assert await daemon.facts() == ["started", "blocked"]


@pytest.mark.parametrize("code", [*(code for code, answer in AFTER_EXIT.items() if answer is AfterExit.RECOVER), 1, 99])
async def test_every_other_exit_before_the_run_is_over_is_a_crash(code: int, using: Using, dispatch: Dispatch) -> None:
    async with using([f"begin exit:{code}", "begin complete"]) as daemon:
        await daemon.begin(dispatch("A"))
        await daemon.until_left("completed")
        assert [launch.epoch for launch in daemon.launches] == [1, 2]
        assert await daemon.facts() == ["started", "runner-crashed", "completed"]


def test_the_daemon_knows_what_to_do_for_each_exit_code_of_a_runner() -> None:
    assert set(AFTER_EXIT) == set(RunnerExit)


async def test_5_means_no_room_as_it_did_for_earlier_runners_and_says_so_where_the_log_had_none(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(["begin exit:5"]) as daemon:
        await daemon.begin(dispatch("A"))
        row = await daemon.until_left("blocked")
        assert row["reason"].endswith("the journal cannot be written, and neither can the runner's log beside it")


async def test_a_damaged_journal_blocks_the_run_and_names_the_line(using: Using, dispatch: Dispatch) -> None:
    async with using(["begin spoil die"]) as daemon:
        await daemon.begin(dispatch("A"))
        row = await daemon.until_left("blocked")
        assert "journal.jsonl:3: " in row["reason"]
        assert len(daemon.launches) == 1


async def test_a_runner_that_cannot_be_started_blocks_its_run_and_frees_the_slot(
    using: Using, dispatch: Dispatch
) -> None:
    async with using(["begin complete"]) as daemon:

        async def refuse(launch: Launch, held: HeldLock) -> asyncio.subprocess.Process:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        runs = RunRegistry(daemon.scope, daemon.database, daemon.bus, refuse, daemon.bus.publish)
        entry = (await daemon.queue.enqueue(dispatch("A"))).entry
        with pytest.raises(RetryLater, match="cannot be started"):
            await runs.start(entry, PLAN, "run-1")
        assert (runs.active, (await daemon.run())["status"]) == (0, "blocked")
        with pytest.raises(RetryLater):
            await runs.resume("run-1", RESUME)
        assert (runs.active, (await daemon.run())["status"]) == (0, "blocked")
        assert not is_held(daemon.scope.run_dir("run-1").lock)
        await daemon.runs.resume("run-1", RESUME)
        await daemon.until_left("completed")


# == a daemon that comes back ==


async def test_a_living_runner_is_adopted_and_never_doubled(scope: Scope, dispatch: Dispatch, barrier: Path) -> None:
    script = [f"begin progress wait:{barrier} complete"]
    async with await Database.open(scope.workflow_db) as database:
        before = Daemon(scope, database, script)
        await before.begin(dispatch("A"))
        await _say_that_it_advanced_until_running(before)
        (task,) = before.runs._tasks()
        task.cancel()
        await asyncio.wait([task])
    async with await Database.open(scope.workflow_db) as database:
        after = Daemon(scope, database, script)
        await after.runs.adopt()
        assert after.runs.active == 1
        await asyncio.to_thread(open_barrier, barrier)
        row = await after.until_left("completed")
        assert (row["epoch"], after.launches) == (1, [])
        assert await after.facts() == ["started", "completed"]
    await before.children[0].wait()


async def test_a_run_whose_runner_died_with_the_daemon_is_recovered(scope: Scope, dispatch: Dispatch) -> None:
    async with await Database.open(scope.workflow_db) as database:
        before = Daemon(scope, database, ["begin die"])
        before.runs._attendant.close()  # it starts nobody more, as one that is killed
        await before.begin(dispatch("A"))
        await before.children[0].wait()
        if tasks := before.runs._tasks():
            await asyncio.wait(tasks)
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
        daemon.runs.check_hellos()
        assert daemon.runs.unresponsive == []
        run = daemon.runs._runs["run-1"].run
        assert isinstance(run.connection, Silent)
        run.connection = Silent(run.connection.since - 91)
        daemon.runs.check_hellos()
        assert daemon.runs.unresponsive == ["run-1"]
        daemon.runs.hello(hello(1), peer)
        daemon.runs.left(peer)
        daemon.runs.check_hellos()
        assert daemon.runs.unresponsive == []
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
