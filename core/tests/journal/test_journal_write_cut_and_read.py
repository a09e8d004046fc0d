"""Whatever is appended, wherever the file is cut, whichever byte changes: what is read is what was written."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.errors import InvalidInput, RetryLater
from animus_core.journal.reader import JournalShrank, iterate, read_from
from animus_core.journal.record import MAX_RECORD_BYTES, CorruptRecord, JournalRecord, encode
from animus_core.journal.writer import JournalWriter, Position
from animus_core.store.locks import acquire

# Real files under a fresh directory each time, so an example is slower than hypothesis expects of a function.
files = settings(deadline=None, max_examples=60)
payloads = st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers() | st.none(), max_size=3)
groups = st.lists(st.lists(payloads, min_size=1, max_size=4), max_size=6)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def writing(path: Path, epoch: int = 1, run: str = "r1") -> Iterator[JournalWriter]:
    held = acquire(path.with_name("lock"))
    assert held is not None
    with held:
        writer = JournalWriter.open(path, run, epoch, held=held)
        try:
            yield writer
        finally:
            writer.close()


def write(path: Path, content: list[list[dict[str, Any]]]) -> list[Position]:
    with writing(path) as writer:
        return [
            position
            for group in content
            for position in writer.append_many([("note", data) for data in group], sync=False)
        ]


@files
@given(groups)
def test_appended_records_are_read_in_order_with_the_positions_that_were_told(
    content: list[list[dict[str, Any]]],
) -> None:
    with folder() as where:
        positions = write(where / "j", content)
        flat = list(itertools.chain.from_iterable(content))
        read = list(iterate(where / "j"))
        assert [record.data for record in read] == flat
        assert [record.seq for record in read] == list(range(1, len(flat) + 1)) == [p.seq for p in positions]
        offset = 0
        for position, record in zip(positions, read, strict=True):
            batch = read_from(where / "j", offset, expected_seq=position.seq, max_bytes=position.offset_end - offset)
            assert (batch.records, batch.next_offset) == ([record], position.offset_end)
            offset = batch.next_offset
        assert read_from(where / "j", offset).records == []


@files
@given(groups, st.data())
def test_a_file_cut_at_any_byte_holds_its_complete_records_and_is_continued(
    content: list[list[dict[str, Any]]], data: st.DataObject
) -> None:
    with folder() as where:
        positions = write(where / "j", content)
        original = (where / "j").read_bytes()
        cut = data.draw(st.integers(0, len(original)))
        (where / "j").write_bytes(original[:cut])
        whole = [position for position in positions if position.offset_end <= cut]

        assert [record.seq for record in iterate(where / "j")] == [position.seq for position in whole]
        end = whole[-1].offset_end if whole else 0
        assert read_from(where / "j", 0).next_offset == end

        with writing(where / "j", epoch=2) as writer:
            assert (where / "j").read_bytes() == original[:end]
            assert writer.append("after", {}, sync=True).seq == len(whole) + 1
        assert [record.seq for record in iterate(where / "j")] == list(range(1, len(whole) + 2))


@files
@given(groups.filter(bool), st.data())
def test_a_changed_byte_is_reported_or_waited_for_and_never_read_as_a_record(
    content: list[list[dict[str, Any]]], data: st.DataObject
) -> None:
    with folder() as where:
        write(where / "j", content)
        written = list(iterate(where / "j"))
        damaged = bytearray((where / "j").read_bytes())
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] ^= data.draw(st.integers(1, 255))
        (where / "j").write_bytes(damaged)
        read: list[JournalRecord] = []
        try:
            for record in iterate(where / "j"):
                read.append(record)
        except CorruptRecord as error:
            assert error.message.startswith(f"{where / 'j'}:{error.line_number}: ")  # noqa: PT017 - may or may not raise
        else:
            # Only the end of the last line can vanish unnoticed: an incomplete line may still be being written.
            assert position == len(damaged) - 1
        assert read == written[: len(read)]
        assert len(read) < len(written)


@files
@given(groups.filter(bool), st.integers(1, 300))
def test_reading_in_small_pieces_gives_the_same(content: list[list[dict[str, Any]]], max_bytes: int) -> None:
    with folder() as where:
        write(where / "j", content)
        read: list[JournalRecord] = []
        offset = 0
        while (batch := read_from(where / "j", offset, max_bytes=max_bytes)).records:
            read += batch.records
            offset = batch.next_offset
        assert read == list(iterate(where / "j"))


def test_the_longest_record_is_read_by_whoever_asks_for_little(tmp_path: Path) -> None:
    with writing(tmp_path / "j") as writer:
        room = MAX_RECORD_BYTES - 200
        writer.append("big", {"text": "x" * room}, sync=False)
        writer.append("small", {}, sync=False)
    batch = read_from(tmp_path / "j", 0, max_bytes=10)
    assert [record.kind for record in batch.records] == ["big"]
    rest = read_from(tmp_path / "j", batch.next_offset, max_bytes=10, expected_seq=2)
    assert [record.kind for record in rest.records] == ["small"]


def test_a_line_without_end_is_damage_and_not_a_record_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"x" * (MAX_RECORD_BYTES + 1))
    with pytest.raises(CorruptRecord, match=r"j:1: no line end within 1048576 bytes"):
        read_from(tmp_path / "j", 0, max_bytes=100)


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert list(iterate(tmp_path / "j")) == []
    assert read_from(tmp_path / "j", 0).next_offset == 0


def test_damage_is_named_by_its_line_also_when_reading_from_the_middle(tmp_path: Path) -> None:
    positions = write(tmp_path / "j", [[{"n": number} for number in range(5)]])
    content = bytearray((tmp_path / "j").read_bytes())
    content[positions[3].offset_end - 30] ^= 1
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(CorruptRecord, match=r"j:4: the checksum does not fit"):
        read_from(tmp_path / "j", positions[1].offset_end)


def test_an_offset_beyond_the_end_is_told_apart_from_nothing_new(tmp_path: Path) -> None:
    (end,) = write(tmp_path / "j", [[{}]])
    assert read_from(tmp_path / "j", end.offset_end).records == []
    with pytest.raises(JournalShrank, match=f"ends at byte {end.offset_end}, before the offset {end.offset_end + 1}"):
        read_from(tmp_path / "j", end.offset_end + 1)
    with pytest.raises(JournalShrank):
        read_from(tmp_path / "missing", 5)


def test_a_missing_record_in_between_is_damage(tmp_path: Path) -> None:
    write(tmp_path / "j", [[{"n": number} for number in range(3)]])
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    (tmp_path / "j").write_bytes(lines[0] + lines[2])
    with pytest.raises(CorruptRecord, match=r"j:2: record 3 where record 2 must come"):
        read_from(tmp_path / "j", 0)
    with pytest.raises(CorruptRecord, match=r"j:2: record 3 where record 2 must come"):
        read_from(tmp_path / "j", len(lines[0]), expected_seq=2)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (JournalRecord("r1", 2, 2, "note", "t", {}), "epoch 2 after epoch 3"),
        (JournalRecord("r2", 3, 2, "note", "t", {}), "record of run 'r2' in the journal of run 'r1'"),
    ],
)
def test_a_record_of_a_former_owner_or_of_another_run_is_damage(
    tmp_path: Path, second: JournalRecord, reason: str
) -> None:
    (tmp_path / "j").write_bytes(encode(JournalRecord("r1", 3, 1, "note", "t", {})) + encode(second))
    with pytest.raises(CorruptRecord, match=f"j:2: {reason}"):
        read_from(tmp_path / "j", 0)


def test_reading_durably_gives_the_same_and_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "j", [[{"n": 1}]])
    before = (tmp_path / "j").read_bytes()
    assert read_from(tmp_path / "j", 0, durable=True) == read_from(tmp_path / "j", 0)
    assert (tmp_path / "j").read_bytes() == before


def test_a_link_or_a_folder_is_not_a_journal(tmp_path: Path) -> None:
    write(tmp_path / "j", [[{}]])
    (tmp_path / "link").symlink_to(tmp_path / "j")
    with pytest.raises(RetryLater, match="cannot be read"):
        read_from(tmp_path / "link", 0)
    with pytest.raises(RetryLater, match="cannot be read"):
        read_from(tmp_path, 0)
    with pytest.raises(InvalidInput):
        read_from(tmp_path / "j", -1)
