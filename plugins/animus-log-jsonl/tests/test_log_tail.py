"""A tail tells each entry once and in order, whatever happens between two of its steps."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from animus_log_jsonl.settings import Fsync, Retention
from animus_sdk import InvalidParams, LogEntry, LogQuery, Unavailable


def tail(log: Any, **query: Any) -> AsyncGenerator[LogEntry, None]:
    entries: AsyncGenerator[LogEntry, None] = log.log.tail(LogQuery.model_validate(query))
    return entries


async def subscribed(entries: AsyncGenerator[LogEntry, None]) -> asyncio.Task[LogEntry]:
    """The first entry to come; the tail has subscribed when this returns."""
    first = asyncio.ensure_future(anext(entries))
    await asyncio.sleep(0)
    return first


async def take(entries: AsyncGenerator[LogEntry, None], count: int) -> list[str]:
    return [(await anext(entries)).id for _ in range(count)]


async def test_a_tail_begins_now_and_tells_everything_from_then_on(open_log: Any) -> None:
    async with open_log() as log:
        await log.store(1)
        async with aclosing(tail(log)) as entries:
            first = await subscribed(entries)
            await log.store(2, 3)
            await log.store(4)
            assert (await first).id == "e-2"
            assert await take(entries, 2) == ["e-3", "e-4"]


async def test_a_tail_begins_when_it_is_asked_for_and_not_with_its_first_step(open_log: Any) -> None:
    async with open_log() as log:
        entries = tail(log)
        await log.store(1)
        async with aclosing(entries):
            assert await take(entries, 1) == ["e-1"]


async def test_entries_stored_while_tails_subscribe_are_neither_lost_nor_doubled(open_log: Any) -> None:
    async with open_log(rotate_bytes=2_000, fsync=Fsync.NEVER) as log:
        found: list[list[str]] = []
        acknowledged: set[str] = set()
        known_at_start: list[set[str]] = []

        async def listen() -> None:
            received: list[str] = []
            found.append(received)
            known_at_start.append(set(acknowledged))
            async with aclosing(tail(log)) as entries:
                async for entry in entries:
                    received.append(entry.id)
                    if entry.id == "e-9999":
                        return

        async def write(base: int) -> None:
            for number in range(base, base + 40, 2):
                await log.store(number, number + 1)
                acknowledged.update((f"e-{number}", f"e-{number + 1}"))

        async with asyncio.TaskGroup() as listeners:
            async with asyncio.TaskGroup() as writers:
                for step in range(10):
                    writers.create_task(write(100 * step))
                    await log.store(5000 + step)
                    listeners.create_task(listen())
            await log.store(9999)
        everything = log.ids()
        assert len(everything) == 411
        for received, known in zip(found, known_at_start, strict=True):
            assert received == everything[len(everything) - len(received) :]
            assert not known & set(received)


async def test_a_reader_that_is_slow_loses_nothing_and_costs_no_memory(open_log: Any) -> None:
    async with open_log(rotate_bytes=1_000_000, fsync=Fsync.NEVER) as log, aclosing(tail(log)) as entries:
        first = await subscribed(entries)
        await log.store(0)
        assert (await first).id == "e-0"
        tracemalloc.start()
        try:
            for start in range(1, 10_001, 500):
                await log.store(*range(start, start + 500), message="x" * 1_000)
            for number in range(1, 10_001):
                assert (await anext(entries)).id == f"e-{number}"
            assert tracemalloc.get_traced_memory()[1] < 5_000_000  # of 10 MB
        finally:
            tracemalloc.stop()


async def test_a_tail_tells_only_what_its_filters_want(open_log: Any) -> None:
    async with open_log() as log:
        wanted = {"min_level": "warn", "source": "plugin", "source_name": "x", "target_glob": "a.*"}
        async with aclosing(tail(log, **wanted, since="2026-03-01T00:00:05Z")) as entries:
            first = await subscribed(entries)
            right: dict[str, Any] = {"level": "error", "source": "plugin", "source_name": "x", "target": "a.b"}
            await log.store(4, **right)
            for number, wrong in enumerate(
                [{"level": "info"}, {"source": "cli"}, {"source_name": "y"}, {"target": "b"}], start=10
            ):
                await log.store(number, **{**right, **wrong})
            await log.store(5, **right)
            assert (await first).id == "e-5"


async def test_a_tail_with_a_limit_ends(open_log: Any) -> None:
    async with open_log() as log:
        async with aclosing(tail(log, limit=3)) as entries:
            first = await subscribed(entries)
            await log.store(1, 2)
            await log.store(3, 4)
            assert (await first).id == "e-1"
            assert [entry.id async for entry in entries] == ["e-2", "e-3"]
        assert [entry async for entry in tail(log, limit=0)] == []


async def test_a_tail_goes_on_where_a_page_ended(open_log: Any) -> None:
    async with open_log() as log:
        await log.store(1, 2, 3)
        async with aclosing(tail(log, cursor=log.page(limit=1).next_cursor)) as entries:
            assert await take(entries, 2) == ["e-2", "e-3"]
            more = await subscribed(entries)
            await log.store(4)
            assert (await more).id == "e-4"


async def test_a_tail_from_a_bad_cursor_is_refused(open_log: Any) -> None:
    async with open_log() as log:
        with pytest.raises(InvalidParams, match="cursor '7:0'"):
            await anext(tail(log, cursor="7:0"))


async def test_a_tail_that_has_read_everything_outlives_the_files_it_read(open_log: Any) -> None:
    async with open_log(rotate_bytes=1, retention=Retention(files=1)) as log, aclosing(tail(log)) as entries:
        for number in range(5):
            entry = await subscribed(entries)
            await log.store(number)
            assert (await entry).id == f"e-{number}"


async def test_a_tail_that_retention_has_overtaken_says_so(open_log: Any) -> None:
    async with open_log(rotate_bytes=1, retention=Retention(files=2)) as log, aclosing(tail(log)) as entries:
        first = await subscribed(entries)
        await log.store(0)
        assert (await first).id == "e-0"
        for number in range(1, 6):
            await log.store(number)
        with pytest.raises(Unavailable, match="retention deleted entries"):
            await anext(entries)
