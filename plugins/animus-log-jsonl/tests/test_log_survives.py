"""Crashes, full disks and damaged lines: what was acknowledged is there, what failed is not, the rest goes on."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from animus_log_jsonl import read
from animus_log_jsonl.current_file import CurrentFile
from animus_log_jsonl.index import LogIndex
from animus_log_jsonl.settings import Fsync, Retention
from animus_log_jsonl.write import Batch
from animus_sdk import LogEntry, Unavailable
from animus_sdk.crash_points import CRASH_POINTS, VARIABLE

POINTS = [
    "log-jsonl.committed",
    "log-jsonl.partly-written",
    "log-jsonl.renamed",
    "log-jsonl.synced",
    "log-jsonl.written",
]


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_every_step_of_storing_has_its_crash_point() -> None:
    assert sorted(point for point in CRASH_POINTS if point.startswith("log-jsonl.")) == POINTS


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_whole_batches_and_loses_no_acknowledged_one(
    host: Any, json_of: Any, tmp_path: Path, point: str
) -> None:
    batches = [[json_of(10 * batch + each, message="x" * 150_000) for each in range(3)] for batch in range(4)]
    marker = tmp_path / "marker"
    nth = 1 if point == "log-jsonl.renamed" else 2
    dying = host(ANIMUS_LOG_ROTATE_BYTES="1000000", **{VARIABLE: f"{point}@{nth}:{marker}"})
    dying.begin()
    sent = [dying.send("log_storage/store", entries=batch) for batch in batches]
    acknowledged = [number for number in sent if dying.reply_or_end(number)]
    assert marker.exists()
    assert len(acknowledged) < len(batches)

    heir = host(ANIMUS_LOG_ROTATE_BYTES="1000000")
    heir.begin()
    found = heir.ids()
    whole = [[entry["id"] for entry in batch] for batch in batches]
    assert found == [name for names in whole[: len(found) // 3] for name in names]
    assert len(found) // 3 >= len(acknowledged)
    assert sum(heir.store(*batch) for batch in batches) == 12 - len(found)
    assert heir.ids() == [name for names in whole for name in names]
    assert heir.result("health/check")["status"] == "healthy"
    assert heir.end() == 0


def test_a_process_killed_while_many_batches_come_in_loses_no_acknowledged_one(host: Any, json_of: Any) -> None:
    number, acknowledged = 0, []
    for kill_after in (3, 17, 40):
        victim = host(ANIMUS_LOG_ROTATE_BYTES="3000")
        victim.begin()
        sent = {}
        for _ in range(60):
            sent[victim.send("log_storage/store", entries=[json_of(number), json_of(number + 1)])] = number
            number += 2
        for request in list(sent)[:kill_after]:
            assert victim.reply(request)
        victim.process.kill()
        acknowledged += [first for index, (request, first) in enumerate(sent.items()) if index < kill_after]
    last = host()
    last.begin()
    found = last.ids()
    assert len(found) == len(set(found))
    assert {f"e-{first + each}" for first in acknowledged for each in (0, 1)} <= set(found)
    assert all(f"e-{int(name[2:]) ^ 1}" in found for name in found)  # both of a batch, or none


def test_a_last_batch_cut_off_at_any_byte_is_set_aside_and_nothing_else(tmp_path: Path) -> None:
    first, second = b'{"id":"1"}\n', b'{"id":"2"} \n{"id":"3"}\n'
    for cut in range(len(second)):
        path = tmp_path / f"cut-{cut}.jsonl"
        path.write_bytes(first + second[:cut])
        file = CurrentFile(path)
        file.close()
        torn = path.with_name(path.name + ".torn")
        assert path.read_bytes() == first
        assert file.size_bytes == len(first)
        assert (torn.read_bytes() if torn.exists() else b"") == second[:cut]


async def test_a_log_goes_on_behind_the_last_whole_batch(open_log: Any, path: Path) -> None:
    async with open_log() as log:
        await log.store(1)
        await log.store(2, 3)
    path.write_bytes(path.read_bytes().replace(b'e-3"', b""))  # the second batch has no good end now
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    async with open_log() as log:
        assert log.ids() == ["e-1"]
        assert log.last_error() is None
        assert await log.store(2, 4) == 2
        assert log.ids() == ["e-1", "e-2", "e-4"]


@pytest.mark.parametrize("content", [b"", b"\n", b"x", b" \n", b"\0" * 200_000, b"x \n" * 50_000])
async def test_a_file_without_one_whole_batch_is_a_beginning(open_log: Any, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    async with open_log() as log:
        await log.store(1)
        assert log.ids() == ["e-1"]
        assert log.last_error() is None


async def test_bad_lines_in_the_middle_are_left_out_counted_and_told_with_file_and_line(
    open_log: Any, path: Path, json_of: Any
) -> None:
    good = [json.dumps(json_of(number)).encode() for number in range(4)]
    lines = [good[0], b'{"id": 1', good[1], b"", b"\xff\xfe", good[2], b"x" * 5_000_000, good[3]]
    path.parent.mkdir()
    path.write_bytes(b"\n".join(lines) + b"\n")

    async with open_log() as log:
        for _ in range(2):
            assert log.ids() == ["e-0", "e-1", "e-2", "e-3"]
            assert log.last_error().startswith(f"{path}:2: no log entry (")
            assert log.last_error().endswith("(3 lines like it)")
        page = log.page(limit=3)
        assert log.ids(cursor=page.next_cursor) == ["e-3"]
        assert await log.store(3, 4) == 1


async def test_a_bad_line_that_was_corrected_while_nothing_wrote_is_an_entry_like_any(
    open_log: Any, path: Path, json_of: Any
) -> None:
    good = [json.dumps(json_of(number)).encode() + b"\n" for number in range(3)]
    path.parent.mkdir()
    path.write_bytes(good[0] + b"bad\n" + good[2])

    async with open_log() as log:
        assert log.ids() == ["e-0", "e-2"]
        assert "correct it and delete log.jsonl.index" in log.last_error()
    path.write_bytes(b"".join(good))  # it is longer now, and somebody forgot the index

    async with open_log() as log:
        assert log.last_error() is None
        assert await log.store(0, 1, 2) == 0
        assert log.ids() == ["e-0", "e-1", "e-2"]


async def test_many_bad_lines_are_told_without_counting_the_lines_before_each_anew(
    open_log: Any, path: Path, json_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes((json.dumps(json_of(1)).encode() + b"\n") * 3 + b"bad\n" * 1_000)
    counted = []
    original = read._count_lines
    monkeypatch.setattr(read, "_count_lines", lambda *place: counted.append(place) or original(*place))

    async with open_log() as log:
        assert log.last_error().startswith(f"{path}:4: no log entry")
        assert log.last_error().endswith("(1000 or more lines like it)")
    assert [message.partition(": ")[0] for message in caplog.messages] == [f"{path}:{line}" for line in range(4, 24)]
    assert len(counted) == 1


async def test_a_full_disk_at_the_start_is_no_mistake_of_the_settings(
    open_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("disk is full")):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(LogIndex, "add", refuse)
        with pytest.raises(Unavailable, match="make room"):
            async with open_log():
                raise AssertionError("the log was opened")


def test_a_full_disk_fails_whole_batches_and_leaves_nothing_of_them(host: Any, json_of: Any, path: Path) -> None:
    full = host()
    full.begin()
    assert full.store(json_of(1)) == 1
    before = path.read_bytes()
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    error = full.error("log_storage/store", entries=[json_of(2), json_of(3, message="x" * 400_000), json_of(4)])
    assert error["data"]["category"] == "unavailable"
    assert f"{path}: it cannot be written: File too large - make room" in error["message"]
    assert path.read_bytes() == before
    assert full.ids() == ["e-1"]
    assert full.result("health/check")["status"] == "degraded"
    assert full.store(json_of(5)) == 1
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert full.store(json_of(2), json_of(3)) == 2
    assert full.ids() == ["e-1", "e-5", "e-2", "e-3"]
    assert full.result("health/check")["status"] == "healthy"


@pytest.mark.parametrize("failing", ["disk", "index"])
async def test_a_commit_that_fails_takes_every_batch_of_it_back(
    open_log: Any, path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def refuse(*_: object) -> None:
        raise (
            OSError(errno.EIO, "Input/output error") if failing == "disk" else sqlite3.OperationalError("disk is full")
        )

    async with open_log() as log:
        await log.store(1)
        with monkeypatch.context() as broken:
            broken.setattr(*((os, "fdatasync") if failing == "disk" else (LogIndex, "add")), refuse)
            outcomes = await asyncio.gather(log.store(2), log.store(3, 4), return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert lines_in(path) == 1
        assert log.ids() == ["e-1"]
        assert "cannot be written" in log.last_error()
        assert await log.store(2, 3) == 2
        assert log.ids() == ["e-1", "e-2", "e-3"]
        assert log.last_error() is None


async def test_what_could_not_be_cut_off_is_cut_off_before_anything_else_is_written(
    open_log: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EIO, "broken")

    async with open_log() as log:
        await log.store(1)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", refuse)
            broken.setattr(os, "ftruncate", refuse)
            with pytest.raises(Unavailable):
                await log.store(2)
            with pytest.raises(Unavailable):
                await log.store(3)
        assert log.ids() == ["e-1"]
        assert lines_in(path) == 2
        assert await log.store(4) == 1
        assert log.ids() == ["e-1", "e-4"]
        assert lines_in(path) == 2


def commit_together(log: Any, json_of: Any, *batches: tuple[int, ...]) -> list[Future[int]]:
    """Hand several batches to the writer at once."""
    made = [Batch([LogEntry.model_validate(json_of(number)) for number in numbers]) for numbers in batches]
    log.log._thread.submit(log.log._writer.store, made).result(10)
    return [batch.outcome for batch in made]


async def test_an_id_is_stored_once_in_batches_that_are_committed_together(open_log: Any, json_of: Any) -> None:
    async with open_log() as log:
        outcomes = commit_together(log, json_of, (1,), (1, 2), (2, 1))
        assert [outcome.result(0) for outcome in outcomes] == [1, 1, 0]
        assert log.ids() == ["e-1", "e-2"]


async def test_a_batch_fails_with_the_one_that_held_an_entry_of_it(
    open_log: Any, json_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fdatasync, 0

    def refuse_once(fd: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(errno.EIO, "broken")
        real(fd)

    async with open_log(rotate_bytes=1) as log:
        monkeypatch.setattr(os, "fdatasync", refuse_once)
        outcomes = commit_together(log, json_of, (1,), (1, 2))
        assert all(isinstance(outcome.exception(0), Unavailable) for outcome in outcomes)
        assert log.ids() == []
        assert await log.store(1, 2) == 2


async def test_bad_lines_are_forgotten_with_their_file(open_log: Any, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"bad\n")

    async with open_log(rotate_bytes=1, retention=Retention(files=1)) as log:
        assert "no log entry" in log.last_error()
        await log.store(1)
        await log.store(2)
        await log.store(3)
        assert log.last_error() is None


async def test_batches_that_wait_share_one_wait_for_the_disk(open_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.fdatasync, 0
    entered, go_on = threading.Event(), threading.Event()

    def slow(fd: int) -> None:
        nonlocal calls
        calls += 1
        entered.set()
        assert go_on.wait(10)
        real(fd)

    async with open_log() as log:
        monkeypatch.setattr(os, "fdatasync", slow)
        async with asyncio.TaskGroup() as group:
            group.create_task(log.store(0))
            assert await asyncio.to_thread(entered.wait, 10)
            for number in range(1, 50):
                group.create_task(log.store(number))
            await asyncio.sleep(0)  # each task reaches its wait
            assert log.ids() == []  # nothing is visible before it is on the disk
            go_on.set()
        assert len(log.ids()) == 50
        assert calls == 2


@pytest.mark.parametrize(("fsync", "syncs"), [(Fsync.ALWAYS, 3), (Fsync.INTERVAL, 1), (Fsync.NEVER, 0)])
async def test_the_disk_is_waited_for_as_often_as_the_operator_wants(
    open_log: Any, monkeypatch: pytest.MonkeyPatch, fsync: Fsync, syncs: int
) -> None:
    calls = 0

    def counting(_: int) -> None:
        nonlocal calls
        calls += 1

    monkeypatch.setattr(os, "fdatasync", counting)

    async with open_log(fsync=fsync, fsync_interval_s=3_600) as log:
        for number in range(3):
            await log.store(number)
    assert calls == syncs  # the one of `interval` happens at the end


async def test_with_an_interval_the_disk_is_reached_without_another_entry(
    open_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _: reached.set())

    async with open_log(fsync=Fsync.INTERVAL, fsync_interval_s=0.01) as log:
        await log.store(1)
        assert await asyncio.to_thread(reached.wait, 10)
