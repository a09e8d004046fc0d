"""Reading a journal, also while it is being written: complete lines only, each one verified.

The daemon reads with `read_from` from the offset it has stored; the writer and reports read it all with `iterate`. An
incomplete last line means "not yet". Below it lies `record`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from animus_core.errors import Conflict, InvalidInput, RetryLater
from animus_core.journal.record import MAX_RECORD_BYTES, CorruptRecord, JournalRecord, parse
from animus_core.store.durability import sync_data

__all__ = ["Batch", "JournalShrank", "JournalUnreadable", "iterate", "read_from"]

_COUNT_BYTES: Final = 1024 * 1024


class JournalUnreadable(RetryLater):
    """The file is there and cannot be read."""


class JournalShrank(Conflict):
    """The journal ends before the offset to read from: it was cut, or the offset is of another journal."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Verified records in order, and the byte offset to read from next; no records means nothing new."""

    records: list[JournalRecord]
    next_offset: int


def read_from(
    path: Path,
    offset: int,
    *,
    expected_seq: int | None = None,
    max_bytes: int = 1024 * 1024,
    durable: bool = False,
) -> Batch:
    """The records that start at byte `offset`, at most about `max_bytes` of them; a missing file is an empty journal.

    `expected_seq` is the sequence number that must come next (1 at offset 0, otherwise unchecked if not given).
    `durable` flushes the file before it returns records, so that a cursor stored afterwards is never ahead of the
    journal after a power loss. Raises CorruptRecord, JournalShrank, or JournalUnreadable.
    """
    if offset < 0 or max_bytes < 1:
        raise InvalidInput(f"{path}: cannot read {max_bytes} bytes from offset {offset}")
    try:
        # O_NOFOLLOW: a journal is a plain file, and what a link leads to is not this run's.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        # The run is committed before its runner makes the journal; but what was read once cannot be missing.
        if offset:
            raise _shrank(path, offset, 0) from None
        return Batch([], 0)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        content = _complete_lines(fd, path, offset, max_bytes)
        batch = _parse_all(path, offset, content, 1 if offset == 0 else expected_seq)
        if durable and batch.records:
            sync_data(fd)
        return batch
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(fd)


def iterate(path: Path) -> Iterator[JournalRecord]:
    """Every complete record of the journal, verified, in memory one batch at a time; raises what `read_from` raises."""
    offset, seq = 0, 1
    while (batch := read_from(path, offset, expected_seq=seq)).records:
        yield from batch.records
        offset, seq = batch.next_offset, batch.records[-1].seq + 1


def _complete_lines(fd: int, path: Path, offset: int, max_bytes: int) -> bytes:
    content = os.pread(fd, max_bytes, offset)
    # What follows the last line end is still being written, or was cut off by `max_bytes`: it is read next time.
    end = content.rfind(b"\n") + 1
    # A record that is longer than `max_bytes`: otherwise a reader would get nothing and never go on.
    if not end and len(content) == max_bytes < MAX_RECORD_BYTES:
        content = os.pread(fd, MAX_RECORD_BYTES, offset)
        end = content.find(b"\n") + 1
    # No writer appends a line of this length, so waiting for its end would be in vain.
    if not end and len(content) >= MAX_RECORD_BYTES:
        raise CorruptRecord(path, _line_number(fd, offset), f"no line end within {MAX_RECORD_BYTES} bytes")
    # Only a read that found nothing has to know the size: it is either at the end, or the end was lost.
    if not content and offset > (size_bytes := os.fstat(fd).st_size):
        raise _shrank(path, offset, size_bytes)
    return content[:end]


def _parse_all(path: Path, offset: int, content: bytes, expected_seq: int | None) -> Batch:
    records: list[JournalRecord] = []
    for line in content.split(b"\n")[:-1]:
        try:
            record = parse(line + b"\n")
            _check_follows(record, records[-1] if records else None, expected_seq)
        except ValueError as error:
            # Counted only now: nobody needs the number of a line that is right, and the file may be large.
            with path.open("rb") as file:
                number = _line_number(file.fileno(), offset) + len(records)
            raise CorruptRecord(path, number, str(error)) from error
        records.append(record)
    return Batch(records, offset + len(content))


def _check_follows(record: JournalRecord, previous: JournalRecord | None, expected_seq: int | None) -> None:
    # A first record is checked by its number alone: of what stands before it nothing was read.
    if previous is not None:
        expected_seq = previous.seq + 1
        if record.run != previous.run:
            raise ValueError(f"record of run {record.run!r} in the journal of run {previous.run!r}")
        # A runner whose epoch is over must not write any more, and if it did, its records must not count.
        if record.epoch < previous.epoch:
            raise ValueError(f"epoch {record.epoch} after epoch {previous.epoch}")
    if expected_seq is not None and record.seq != expected_seq:
        raise ValueError(f"record {record.seq} where record {expected_seq} must come")


def _line_number(fd: int, offset: int) -> int:
    """The number, from 1, of the line that starts at byte `offset`."""
    lines, position = 1, 0
    while position < offset and (chunk := os.pread(fd, min(_COUNT_BYTES, offset - position), position)):
        lines += chunk.count(b"\n")
        position += len(chunk)
    return lines


def _shrank(path: Path, offset: int, size_bytes: int) -> JournalShrank:
    return JournalShrank(
        f"{path}: the journal ends at byte {size_bytes}, before the offset {offset} to read from",
        hint="Its end was lost; read it again from 0 and compare before going on.",
        details={"path": str(path), "offset": offset, "size_bytes": size_bytes},
    )


def _unreadable(path: Path, error: OSError) -> JournalUnreadable:
    hint = "A journal is a plain file; this is a link." if error.errno == errno.ELOOP else None
    return JournalUnreadable(f"{path}: the journal cannot be read: {error.strerror}", hint=hint)
