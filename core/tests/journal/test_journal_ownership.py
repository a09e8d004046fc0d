"""Only the owner writes a journal, and it continues nothing that it cannot vouch for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from animus_core.errors import Conflict, InvalidInput, RetryLater
from animus_core.journal.reader import iterate
from animus_core.journal.record import CorruptRecord
from animus_core.journal.writer import JournalWriter, StaleEpoch
from animus_core.store.locks import HeldLock, acquire


@pytest.fixture
def held(tmp_path: Path) -> Iterator[HeldLock]:
    lock = acquire(tmp_path / "lock")
    assert lock is not None
    with lock:
        yield lock


def write_one(path: Path, run: str, epoch: int, held: HeldLock) -> None:
    writer = JournalWriter.open(path, run, epoch, held=held)
    writer.append("note", {"epoch": epoch}, sync=True)
    writer.close()


def test_a_new_owner_continues_the_numbers_of_the_old_one(tmp_path: Path, held: HeldLock) -> None:
    for epoch in (1, 1, 4):
        write_one(tmp_path / "j", "r1", epoch, held)
    assert [(record.seq, record.epoch, record.run) for record in iterate(tmp_path / "j")] == [
        (1, 1, "r1"),
        (2, 1, "r1"),
        (3, 4, "r1"),
    ]


def test_a_lower_epoch_is_refused_and_changes_nothing(tmp_path: Path, held: HeldLock) -> None:
    write_one(tmp_path / "j", "r1", 5, held)
    with (tmp_path / "j").open("ab") as file:
        file.write(b"the next owner is just writing th")
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(StaleEpoch, match=r"j:1: epoch 5 has written here, epoch 4 may not"):
        JournalWriter.open(tmp_path / "j", "r1", 4, held=held)
    assert (tmp_path / "j").read_bytes() == before


def test_the_journal_of_another_run_is_refused(tmp_path: Path, held: HeldLock) -> None:
    write_one(tmp_path / "j", "r1", 1, held)
    with pytest.raises(CorruptRecord, match="this is the journal of run 'r1', not of 'r2'"):
        JournalWriter.open(tmp_path / "j", "r2", 1, held=held)


def test_a_damaged_complete_line_is_refused_and_kept(tmp_path: Path, held: HeldLock) -> None:
    write_one(tmp_path / "j", "r1", 1, held)
    damaged = (tmp_path / "j").read_bytes().replace(b'"epoch":1}', b'"epoch":7}') + b"torn"
    (tmp_path / "j").write_bytes(damaged)
    with pytest.raises(CorruptRecord, match="j:1: the checksum does not fit"):
        JournalWriter.open(tmp_path / "j", "r1", 2, held=held)
    assert (tmp_path / "j").read_bytes() == damaged


def test_without_a_held_lock_nothing_is_opened(tmp_path: Path, held: HeldLock) -> None:
    held.close()
    with pytest.raises(Conflict, match="has given the lock up"):
        JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
    assert not (tmp_path / "j").exists()


def test_the_file_is_private_and_a_link_is_not_followed(tmp_path: Path, held: HeldLock) -> None:
    write_one(tmp_path / "j", "r1", 1, held)
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "j")
    with pytest.raises(RetryLater, match="cannot be opened"):
        JournalWriter.open(tmp_path / "link", "r1", 1, held=held)


def test_a_record_that_does_not_fit_is_refused_with_all_its_group(tmp_path: Path, held: HeldLock) -> None:
    writer = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
    with pytest.raises(InvalidInput, match="the limit is 1048576"):
        writer.append_many([("good", {}), ("big", {"text": "x" * 2_000_000})], sync=True)
    assert writer.append("next", {}, sync=False).seq == 1
    writer.close()
    assert [record.kind for record in iterate(tmp_path / "j")] == ["next"]


def test_an_empty_group_appends_nothing(tmp_path: Path, held: HeldLock) -> None:
    writer = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
    assert writer.append_many([], sync=True) == []
    assert writer.position == (0, 0)
    writer.close()


def test_a_closed_writer_refuses_and_leaves_the_lock_alone(tmp_path: Path, held: HeldLock) -> None:
    writer = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
    writer.close()
    writer.close()
    assert not held.closed
    for refused in (lambda: writer.append("late", {}, sync=False), writer.sync):
        with pytest.raises(Conflict, match="this journal writer is closed"):
            refused()


def test_threads_take_turns(tmp_path: Path, held: HeldLock) -> None:
    writer = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)

    def append_some(name: int) -> None:
        for number in range(50):
            writer.append("note", {"thread": name, "number": number}, sync=number % 10 == 0)

    threads = [threading.Thread(target=append_some, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    writer.close()
    read = list(iterate(tmp_path / "j"))
    for name in range(4):
        assert [record.data["number"] for record in read if record.data["thread"] == name] == list(range(50))


def test_a_journal_of_many_batches_is_continued(tmp_path: Path, held: HeldLock) -> None:
    writer = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
    for _ in range(5):
        writer.append_many([("note", {"text": "x" * 1000})] * 500, sync=False)
    writer.close()
    assert os.path.getsize(tmp_path / "j") > 2 * 1024 * 1024
    again = JournalWriter.open(tmp_path / "j", "r1", 1, held=held)
    assert again.position == (os.path.getsize(tmp_path / "j"), 2500)
    again.close()
