"""A write that finds no room leaves no trace, a flush that fails ends the writer, and nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from animus_core.journal import writer as writer_module
from animus_core.journal.reader import iterate, read_from
from animus_core.journal.writer import JournalBroken, JournalFull, JournalWriter, Position
from animus_core.store.locks import acquire

# Appends until the limit stops it, says what was written, then goes on when the limit has been lifted from outside.
FILL = """
import sys
from pathlib import Path
from animus_core.journal.writer import JournalFull, JournalWriter
from animus_core.store.locks import acquire

path = Path(sys.argv[1])
group = int(sys.argv[2])
writer = JournalWriter.open(path, "r1", 1, held=acquire(path.with_name("lock")))
sys.stdin.readline()
while True:
    try:
        positions = writer.append_many([("note", {"text": "x" * 100})] * group, sync=False)
    except JournalFull as error:
        print("appended", *(position.seq for position in error.appended), flush=True)
        print("full", error.message, flush=True)
        print("size", path.stat().st_size, flush=True)
        if sys.stdin.readline() != "room\\n":
            sys.exit(1)
        continue
    print("written", *(position.seq for position in positions), flush=True)
    if writer.position.seq > 40:
        break
"""
LIMIT_BYTES = 3_000


@pytest.mark.parametrize("group", [1, 7])
def test_a_file_size_limit_costs_no_record_and_the_writer_goes_on_once_it_is_lifted(tmp_path: Path, group: int) -> None:
    path = tmp_path / "j"
    process = subprocess.Popen(
        [sys.executable, "-c", FILL, str(path), str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        acknowledged: list[int] = []
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, resource.RLIM_INFINITY))
        process.stdin.write("begin\n")
        process.stdin.flush()
        for line in process.stdout:
            word, *rest = line.split()
            if word in ("written", "appended"):
                acknowledged += map(int, rest)
            elif word == "full":
                assert f"{path}: the journal cannot be written: " in line
            else:
                size_bytes = int(rest[0])
                assert size_bytes <= LIMIT_BYTES
                # The torn line is gone, and what was acknowledged is there.
                assert path.read_bytes().endswith(b"\n")
                assert [record.seq for record in iterate(path)] == acknowledged
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                process.stdin.write("room\n")
                process.stdin.flush()
        assert process.wait(timeout=30) == 0
    assert [record.seq for record in iterate(path)] == acknowledged == list(range(1, len(acknowledged) + 1))
    assert path.stat().st_size > LIMIT_BYTES


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    held = acquire(tmp_path / "lock")
    assert held is not None
    with held:
        opened = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
        yield opened
        opened.close()


def test_a_device_without_room_is_reported_and_nothing_is_appended_until_the_torn_line_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal, file, full = (
        os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT),
        os.open(path, os.O_RDWR | os.O_APPEND),
        os.open("/dev/full", os.O_RDWR),
    )
    with contextlib.closing(JournalWriter(journal, path, "r1", 1, Position(0, 0))) as writer:
        try:
            writer.append("first", {}, sync=True)
            # A device cannot be shortened, so this is a disk on which even the clearing up fails.
            os.dup2(full, journal)
            for _ in range(2):
                with pytest.raises(JournalFull, match=r"j: the journal cannot be written: an incomplete line could"):
                    writer.append("lost", {}, sync=True)
            os.dup2(file, journal)
        finally:
            os.close(file)
            os.close(full)
        assert writer.append("second", {}, sync=True).seq == 2
    assert [record.kind for record in iterate(path)] == ["first", "second"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_each_kind_of_no_room_is_named_and_survived(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    writer.append("first", {}, sync=False)
    real_write = os.write

    def torn_write(fd: int, content: bytes) -> int:
        real_write(fd, content[:20])
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", torn_write)
        with pytest.raises(JournalFull, match=os.strerror(number)) as caught:
            writer.append("lost", {}, sync=True)
    assert caught.value.hint is not None
    assert "Make room" in caught.value.hint
    assert (tmp_path / "j").stat().st_size == writer.position.offset_end
    assert writer.append("second", {}, sync=True).seq == 2
    assert [record.kind for record in iterate(tmp_path / "j")] == ["first", "second"]


def test_of_a_group_that_fits_in_part_the_complete_records_stay_for_a_reader_may_have_seen_them(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    line_bytes = writer.append("note", {}, sync=False).offset_end
    real_write = os.write
    seen: list[int] = []

    def short_write(fd: int, content: bytes) -> int:
        written = real_write(fd, content[: 2 * line_bytes + 20])
        seen.extend(record.seq for record in read_from(tmp_path / "j", line_bytes).records)
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short_write)
        with pytest.raises(JournalFull, match=r"only \d+ of \d+ bytes had room") as caught:
            writer.append_many([("note", {})] * 4, sync=True)
    assert caught.value.appended == (Position(2 * line_bytes, 2), Position(3 * line_bytes, 3))
    assert seen == [2, 3]
    assert writer.append("after", {}, sync=True).seq == 4
    assert [record.seq for record in iterate(tmp_path / "j")] == [1, 2, 3, 4]


def test_a_flush_comes_before_the_answer_where_it_was_asked_for_and_only_there(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(writer_module, "sync_data", lambda fd: flushed.append(os.fstat(fd).st_size))
    writer.append("first", {}, sync=False)
    assert flushed == []
    second = writer.append("second", {}, sync=True)
    assert flushed == [second.offset_end]
    writer.append_many([("note", {})] * 10, sync=True)
    writer.append("last", {}, sync=False)
    writer.sync()
    assert flushed == [second.offset_end, flushed[1], writer.position.offset_end]


def test_what_a_former_owner_left_and_a_new_name_are_flushed_at_opening(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[object] = []
    monkeypatch.setattr(writer_module, "sync_data", lambda fd: flushed.append(os.fstat(fd).st_size))
    monkeypatch.setattr(writer_module, "sync_directory", flushed.append)
    held = acquire(tmp_path / "another-lock")
    assert held is not None
    with held:
        new = JournalWriter.open(tmp_path / "new", "r1", 1, held=held)
        assert flushed == [0, tmp_path]
        size_bytes = new.append("note", {}, sync=False).offset_end
        new.close()
        JournalWriter.open(tmp_path / "new", "r1", 2, held=held).close()
        assert flushed == [0, tmp_path, size_bytes]


def test_after_a_failed_flush_the_writer_refuses_everything(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append("first", {}, sync=True)

    def failing_sync(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "sync_data", failing_sync)
        with pytest.raises(JournalBroken, match=r"j: the journal could not be flushed to the disk: Input/output error"):
            writer.append("doubtful", {}, sync=True)
    before = (tmp_path / "j").read_bytes()
    for refused in (lambda: writer.append("late", {}, sync=False), writer.sync):
        with pytest.raises(JournalBroken):
            refused()
    assert (tmp_path / "j").read_bytes() == before
    # The doubtful record is complete and may have been read, so it is not taken back.
    assert [record.kind for record in iterate(tmp_path / "j")] == ["first", "doubtful"]
