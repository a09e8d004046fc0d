"""Writes share commits, nobody is told before the commit, and what one caller does wrong stays with that caller."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_core.errors import Internal, RetryLater
from animus_core.store import database as database_module
from animus_core.store.database import Database, open_readonly
from animus_core.store.statements import Tx

LIMIT = 1_000_000


@asynccontextmanager
async def opened(path: Path, **limits: int) -> AsyncIterator[Database]:
    database = await Database.open(path / "workflow.db", **limits)
    try:
        yield database
    finally:
        await database.close()


def add_event(kind: str) -> Any:
    return lambda tx: tx.scalar("event_insert", run_id=None, seq=None, kind=kind, at="2026-01-01", data="{}")


def kinds(tx: Tx) -> list[str]:
    return [row["kind"] for row in tx.all("event_after", event_id=0, limit=LIMIT)]


class Barrier:
    """Keeps the database's thread busy, so that what is called meanwhile gathers in the queue."""

    def __init__(self, database: Database) -> None:
        self.entered = asyncio.Event()
        self._open = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(database.read(self._wait))

    def _wait(self, tx: Tx) -> None:
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self._open.wait(timeout=30)

    async def open(self) -> None:
        self._open.set()
        await self._task


async def gather_behind_barrier(database: Database, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    barrier = Barrier(database)
    await barrier.entered.wait()
    tasks = [asyncio.create_task(call) for call in calls]
    for _ in range(2):
        await asyncio.sleep(0)  # a turn of the loop: every call reaches the queue
    await barrier.open()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_concurrent_writers_share_commits_and_each_finds_its_write_committed(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        with open_readonly(database.path) as witness:

            async def writer(name: int) -> None:
                for number in range(5):
                    event_id = await database.write(add_event(f"{name}/{number}"))
                    row = witness.read(lambda tx: tx.one("event_after", event_id=event_id - 1, limit=1))  # noqa: B023 - called at once
                    assert row is not None
                    assert (row["event_id"], row["kind"]) == (event_id, f"{name}/{number}")

            await asyncio.gather(*(writer(name) for name in range(64)))
            assert database.writes == 64 * 5
            assert database.commits < 64
            assert len(witness.read(kinds)) == 64 * 5


async def test_what_waits_together_is_committed_together_up_to_the_limit(tmp_path: Path) -> None:
    async with opened(tmp_path, batch_limit=10) as database:
        before = database.commits
        await gather_behind_barrier(database, *(database.write(add_event(str(number))) for number in range(25)))
        assert database.commits - before == 3
        assert await database.read(kinds) == [str(number) for number in range(25)]


async def test_a_write_that_fails_is_undone_alone(tmp_path: Path) -> None:
    def half_then_fail(tx: Tx) -> None:
        add_event("undone")(tx)
        raise KeyError("mine")

    def duplicate(tx: Tx) -> None:
        for _ in range(2):
            tx.execute("event_insert", run_id="r", seq=1, kind="twice", at="t", data="{}")

    async with opened(tmp_path) as database:
        results = await gather_behind_barrier(
            database,
            database.write(add_event("first")),
            database.write(half_then_fail),
            database.write(duplicate),
            database.write(lambda tx: next(iter(()))),
            database.write(add_event("last")),
        )
        assert [type(result) for result in results] == [int, KeyError, sqlite3.IntegrityError, RuntimeError, int]
        assert await database.read(kinds) == ["first", "last"]
        assert (database.commits, database.writes) == (1, 2)


async def test_an_error_that_a_write_handles_itself_costs_nothing(tmp_path: Path) -> None:
    def once(tx: Tx) -> str:
        try:
            tx.execute("event_insert", run_id="r", seq=1, kind="k", at="t", data="{}")
        except sqlite3.IntegrityError:
            return "there already"
        return "new"

    async with opened(tmp_path) as database:
        assert [await database.write(once) for _ in range(2)] == ["new", "there already"]


async def test_nobody_is_told_before_the_commit_and_no_reader_sees_what_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[int] = []
    seen: list[tuple[str, int, int]] = []

    def observe(point: str) -> None:
        with open_readonly(tmp_path / "workflow.db") as witness:
            seen.append((point, len(witness.read(kinds)), len(acknowledged)))

    async with opened(tmp_path) as database:
        monkeypatch.setattr(database_module, "reach", observe)

        async def write(name: str) -> None:
            await database.write(add_event(name))
            acknowledged.append(1)

        reads = await gather_behind_barrier(database, write("a"), write("b"), database.read(kinds))
        # The read waited together with the writes and was answered from before them.
        assert reads[2] == []
    assert seen == [("store.before_commit", 0, 0), ("store.committed", 2, 0)]
    assert len(acknowledged) == 2


async def test_a_commit_that_fails_is_told_to_all_and_nothing_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(point: str) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    async with opened(tmp_path) as database:
        with monkeypatch.context() as patch:
            patch.setattr(database_module, "reach", fail)
            results = await gather_behind_barrier(database, *(database.write(add_event("lost")) for _ in range(3)))
        for result in results:
            assert isinstance(result, RetryLater)
            assert str(database.path) in result.message
            assert result.hint is not None
            assert "Make room" in result.hint
        assert len({id(result) for result in results}) == 3
        assert await database.read(kinds) == []
        await database.write(add_event("after"))
        assert await database.read(kinds) == ["after"]


async def test_a_cancelled_caller_disturbs_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path, queue_limit=4) as database:
        for _ in range(5):
            barrier = Barrier(database)
            await barrier.entered.wait()
            tasks = [asyncio.create_task(database.write(add_event(name))) for name in ("a", "cancelled", "b")]
            await asyncio.sleep(0)
            tasks[1].cancel()
            await barrier.open()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(result) for result in results] == [int, asyncio.CancelledError, int]
        assert await database.read(kinds) == ["a", "b"] * 5
        # Had a place in the queue been lost or given back twice each time, there would be 0 or 9 of them now. There are
        # 4: what the thread is at has one.
        results = await close_while_calls_wait(database, 10)
        assert [type(result) for result in results] == [int] * 3 + [RetryLater] * 7


async def close_while_calls_wait(database: Database, calls: int) -> list[Any]:
    """What becomes of so many writes, when the database is closed while its thread is at something else."""
    barrier = Barrier(database)
    await barrier.entered.wait()
    tasks = [asyncio.create_task(database.write(add_event("k"))) for _ in range(calls)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    await barrier.open()
    await closing
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_more_callers_than_the_queue_holds_are_let_in_one_by_one(tmp_path: Path) -> None:
    async with opened(tmp_path, queue_limit=5) as database:
        barrier = Barrier(database)
        await barrier.entered.wait()
        tasks = [asyncio.create_task(database.write(add_event("k"))) for _ in range(50)]
        await asyncio.sleep(0)
        await barrier.open()
        await asyncio.gather(*tasks)
        assert len(await database.read(kinds)) == 50


async def test_closing_carries_out_what_was_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "workflow.db", queue_limit=5)
    results = await close_while_calls_wait(database, 10)
    assert [type(result) for result in results] == [int] * 4 + [RetryLater] * 6
    with pytest.raises(RetryLater, match="the database is closed"):
        await database.write(add_event("late"))
    await database.close()
    with open_readonly(tmp_path / "workflow.db") as witness:
        assert len(witness.read(kinds)) == 4


async def test_a_read_sees_one_state_and_cannot_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await database.write(add_event("a"))
        with pytest.raises(Internal, match="a read tried to write"):
            await database.read(add_event("b"))
        with open_readonly(database.path) as reader:
            with pytest.raises(Internal, match="a read tried to write"):
                reader.read(add_event("b"))
            assert reader.read(kinds) == ["a"]
        await database.write(add_event("c"))
        assert await database.read(kinds) == ["a", "c"]


async def test_a_handle_that_is_kept_is_of_no_use(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        kept = await database.write(lambda tx: tx)
        with pytest.raises(sqlite3.OperationalError, match="the transaction has ended"):
            add_event("escaped")(kept)
        with pytest.raises(Internal, match="no statement is named 'drop_everything'"):
            await database.read(lambda tx: tx.execute("drop_everything"))
    with open_readonly(tmp_path / "workflow.db") as reader:
        kept = reader.read(lambda tx: tx)
        with pytest.raises(sqlite3.OperationalError, match="the transaction has ended"):
            kept.all("event_after", event_id=0, limit=1)


async def test_a_fault_of_the_engine_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: noted.append(args.exc_value))

    def fail(point: str) -> None:
        raise MemoryError(point)

    database = await Database.open(tmp_path / "workflow.db")
    monkeypatch.setattr(database_module, "reach", fail)
    results = await gather_behind_barrier(database, *(database.write(add_event("k")) for _ in range(3)))
    assert [type(result) for result in results] == [Internal] * 3
    await database.close()
    with pytest.raises(RetryLater):
        await database.read(kinds)
    assert [type(error) for error in noted] == [MemoryError]


async def test_an_open_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    opening = asyncio.create_task(Database.open(tmp_path / "workflow.db"))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with opened(tmp_path) as database:
        await database.write(add_event("k"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("database")]
