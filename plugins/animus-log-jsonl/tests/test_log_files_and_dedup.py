"""Rotation, retention, and ids that are stored once, across files and restarts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_log_jsonl.damage import Damage
from animus_log_jsonl.files import FileFacts, LogFiles
from animus_log_jsonl.read import LogReader
from animus_log_jsonl.retention import outdated
from animus_log_jsonl.settings import Retention
from animus_sdk import Unavailable

DAY_S = 86_400


def names(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir() if not re.search(r"\.(index|lock)", found.name))


async def test_a_full_file_gets_a_number_and_no_batch_is_split(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=1024) as log:
        await log.store(*range(6))
        await log.store(*range(6, 12))
        await log.store(12)
        assert log.ids() == [f"e-{number}" for number in range(13)]
    assert names(path) == ["log.jsonl", "log.jsonl.000001"]
    assert path.with_name("log.jsonl.000001").read_bytes().count(b"\n") == 6
    assert path.read_bytes().count(b"\n") == 7


async def test_pages_join_while_files_are_rotated_between_them(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=600) as log:
        await log.store(*range(5))
        found, cursor = [], None
        for start in range(100, 130, 3):
            page = log.page(limit=2, cursor=cursor)
            found += [entry.id for entry in page.entries]
            cursor = page.next_cursor
            await log.store(*range(start, start + 3))
        assert found == log.ids()[: len(found)]
        assert found + log.ids(cursor=cursor) == log.ids()
    assert len(names(path)) > 5


async def test_a_page_goes_on_with_what_is_kept_when_its_file_was_deleted(open_log: Any) -> None:
    async with open_log(rotate_bytes=1, retention=Retention(files=1)) as log:
        await log.store(1)
        await log.store(2)
        cursor = log.page(limit=1).next_cursor
        await log.store(3)
        await log.store(4)
        await log.store(5)
        assert log.ids(cursor=cursor) == log.ids() == ["e-4", "e-5"]


async def test_a_file_that_cannot_be_renamed_goes_on_growing_and_degrades_health(open_log: Any, path: Path) -> None:
    blocking = path.with_name("log.jsonl.000001")

    async with open_log(rotate_bytes=1) as log:
        await log.store(1)
        blocking.mkdir()
        (blocking / "something").touch()
        await log.store(2)
        assert "cannot be renamed" in log.last_error()
        assert log.ids() == ["e-1", "e-2"]
        (blocking / "something").unlink()
        blocking.rmdir()
        await log.store(3)
        assert log.last_error() is None
        assert log.ids() == ["e-1", "e-2", "e-3"]
    assert names(path) == ["log.jsonl", "log.jsonl.000001"]


facts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 40)), max_size=8).map(
    lambda drawn: [FileFacts(number, size, -age * DAY_S) for number, (size, age) in enumerate(drawn)]
)


@given(
    rotated=facts,
    current_bytes=st.integers(0, 500),
    days=st.none() | st.integers(1, 30),
    files=st.none() | st.integers(1, 6),
    size_bytes=st.none() | st.integers(1, 2_000),
)
def test_retention_deletes_the_oldest_files_and_no_more_than_it_must(
    rotated: list[FileFacts], current_bytes: int, days: int | None, files: int | None, size_bytes: int | None
) -> None:
    gone = outdated(rotated, current_bytes, Retention(days, files, size_bytes), now_s=0)
    assert gone == [file.number for file in rotated[: len(gone)]]

    def is_within_limits(kept: list[FileFacts]) -> bool:
        total = current_bytes + sum(file.size_bytes for file in kept)
        return (
            (days is None or not kept or -kept[0].written_at_s <= days * DAY_S)
            and (files is None or len(kept) <= files)
            and (size_bytes is None or not kept or total <= size_bytes)
        )

    assert is_within_limits(rotated[len(gone) :])
    if gone:
        assert not is_within_limits(rotated[len(gone) - 1 :])


async def test_retention_is_applied_at_start(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=1) as log:
        for number in range(4):
            await log.store(number)
    long_ago = time.time() - 3 * DAY_S
    os.utime(path.with_name("log.jsonl.000001"), (long_ago, long_ago))

    async with open_log(retention=Retention(days=2)) as log:
        assert log.ids() == ["e-1", "e-2", "e-3"]
    async with open_log(retention=Retention(files=1)) as log:
        assert log.ids() == ["e-2", "e-3"]


async def test_all_files_together_never_become_larger_than_retention_allows(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=1_024, retention=Retention(size_bytes=5_000)) as log:
        for number in range(100):
            await log.store(number)
            sizes = [found.stat().st_size for found in path.parent.iterdir() if found.name in names(path)]
            assert sum(sizes) <= 5_000
        assert len(sizes) > 2


async def test_numbers_are_not_given_again_when_every_rotated_file_is_gone(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=1) as log:
        await log.store(1)
        await log.store(2)
    path.with_name("log.jsonl.000001").unlink()
    path.unlink()

    async with open_log(rotate_bytes=1) as log:
        assert log.ids() == []
        await log.store(3)
        await log.store(4)
    assert names(path) == ["log.jsonl", "log.jsonl.000002"]


async def test_an_id_is_stored_once_within_a_batch_across_files_and_after_a_restart(open_log: Any, path: Path) -> None:
    async with open_log(rotate_bytes=1) as log:
        assert await log.store(1, 2, 1) == 2
        assert await log.store(2, 3) == 1
        assert await log.store(1, 2, 3) == 0

    async with open_log() as log:
        assert await log.store(1, 2, 3, 4) == 1
        assert log.ids() == ["e-1", "e-2", "e-3", "e-4"]


@pytest.mark.parametrize("damage", ["deleted", "no database", "cut short", "older"])
async def test_the_index_of_ids_is_made_anew_from_the_log(open_log: Any, path: Path, damage: str) -> None:
    index = path.with_name("log.jsonl.index")
    older = b""

    async with open_log(rotate_bytes=20_000) as log:
        await log.store(*range(500))
        if not older:
            older = index.read_bytes()
        await log.store(*range(500, 1000))
    match damage:
        case "deleted":
            index.unlink()
        case "no database":
            index.write_bytes(b"hello" * 1000)
        case "cut short":
            index.write_bytes(index.read_bytes()[:9000])
        case "older":
            index.write_bytes(older)

    async with open_log() as log:
        assert await log.store(*range(1001)) == 1
        assert len(log.ids()) == 1001


async def test_an_id_is_forgotten_with_the_file_that_held_its_entry(open_log: Any) -> None:
    async with open_log(rotate_bytes=1, retention=Retention(files=1)) as log:
        for number in range(4):
            await log.store(number)
        assert log.ids() == ["e-2", "e-3"]
        assert await log.store(2) == 0
        assert await log.store(0) == 1


async def test_a_second_process_is_refused_and_told_who_writes(open_log: Any, open_log_at: Any, path: Path) -> None:
    async def nothing(log: Any) -> None:
        raise AssertionError("the log was opened twice")

    async with open_log() as log:
        from animus_log_jsonl.log import JsonlLog
        from animus_log_jsonl.settings import LogSettings

        with pytest.raises(Unavailable, match=f"process {os.getpid()} writes this log"):
            await JsonlLog.open(LogSettings(path))
        await log.store(1)
        assert log.ids() == ["e-1"]


async def test_what_others_do_to_the_file_meanwhile_costs_no_later_entry(
    open_log: Any, path: Path, json_of: Any
) -> None:
    def add_by_hand() -> None:
        with path.open("a") as file:
            file.write(json.dumps(json_of(9)) + "\n" + '{"torn')

    def keep_first_line() -> None:
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    async with open_log() as log:
        await log.store(1)
        await asyncio.to_thread(path.unlink)
        assert await log.store(2) == 1
        assert log.ids() == ["e-2"]
        await asyncio.to_thread(path.write_bytes, b"")
        assert await log.store(3) == 1
        assert log.ids() == ["e-3"]
        assert await log.store(1, 2) == 2  # what is gone may come again
        await asyncio.to_thread(add_by_hand)
        assert await log.store(9, 10) == 1
        assert log.ids() == ["e-3", "e-1", "e-2", "e-9", "e-10"]
        await asyncio.to_thread(keep_first_line)
        assert await log.store(3, 1) == 1
        assert log.ids() == ["e-3", "e-1"]
        await asyncio.to_thread(path.rename, path.with_name("elsewhere"))
        assert await log.store(11) == 1
        assert log.ids() == ["e-11"]


def test_a_file_that_is_not_made_yet_is_no_gap_after_a_rotation(path: Path) -> None:
    def gone() -> None:
        raise AssertionError("nothing is missing")

    path.parent.mkdir()
    path.write_bytes(b"")
    files = LogFiles(path)
    before = files.end
    files.rotate()
    assert list(LogReader(files, Damage()).lines(before, files.end, gone)) == []
