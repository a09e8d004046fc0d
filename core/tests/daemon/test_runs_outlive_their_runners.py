"""Runs with real child processes that inherit the lock: clean ends, crashes, crash loops, exit codes."""

from __future__ import annotations

import asyncio

import pytest

from animus_core.daemon.launch import RunnerLaunch
from animus_core.daemon.registry import RunRegistry
from animus_core.daemon.run_monitor import AFTER_EXIT, MAX_CRASHES, AfterExit
from animus_core.errors import Conflict, RetryLater
from animus_core.journal.runner_exit import RunnerExit
from animus_core.store.database import Database
from animus_core.store.locks import HeldLock, is_held
from animus_core.store.paths import Scope
from scripted_runners import PLAN, RESUME, Daemon, Dispatch, Using


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
        assert row["hint"] == "Fix that, then run: animus workflow resume run-1"
        assert await daemon.facts() == ["started", *["runner-crashed"] * (MAX_CRASHES - 1), "blocked"]


async def test_progress_makes_earlier_crashes_count_no_more(
    scope: Scope, database: Database, dispatch: Dispatch
) -> None:
    daemon = Daemon(scope, database, ["begin die", "progress die", "complete"], max_crashes=2)
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
        assert row["hint"] == "Fix that, then run: animus workflow resume run-1"
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

        async def refuse(launch: RunnerLaunch, held: HeldLock) -> asyncio.subprocess.Process:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        runs = RunRegistry(daemon.scope, daemon.database, daemon.commit_signal, refuse, daemon.commit_signal.publish)
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
