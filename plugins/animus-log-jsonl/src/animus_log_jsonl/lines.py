"""Entries and the lines that hold them, and where a file that was cut off in the middle ends well.

Below it lie the wire models. A line is the entry's JSON. In a batch every line but the last has a blank before its line
break: JSON ignores it, and it says that the next line belongs to the same batch. So a batch that a crash cut off is
recognised, also when it was cut between two lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from animus_sdk import InvalidParams, LogEntry, encode, first_issue

__all__ = ["MAX_LINE_BYTES", "BadLine", "decode_line", "encode_entry", "join_batch", "whole_end"]

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""The longest line, with its end; half of what the strictest host takes in one frame (protocol §1)."""

_MAX_ENTRY_BYTES: Final = MAX_LINE_BYTES - len(b" \n")
_BLOCK_BYTES: Final = 64 * 1024
_BATCH_END: Final = re.compile(rb"(?<=[^ ])\n")


class BadLine(ValueError):
    """A line that holds no entry; the text says why."""


def encode_entry(entry: LogEntry) -> bytes:
    """The entry as JSON without a line break. Raises InvalidParams for one that is too long or is not JSON."""
    try:
        text = encode(entry)
    except ValueError as error:
        raise InvalidParams(f"entry {entry.id[:80]!r}: cannot be written as JSON ({error}) - correct it") from error
    if len(text) > _MAX_ENTRY_BYTES:
        raise InvalidParams(
            f"entry {entry.id[:80]!r}: {len(text)} bytes, at most {_MAX_ENTRY_BYTES} are taken - shorten it"
        )
    return text


def join_batch(texts: Sequence[bytes]) -> bytes:
    """The lines of one batch."""
    return b" \n".join(texts) + b"\n"


def decode_line(line: bytes) -> LogEntry:
    """The entry of a line. Raises BadLine."""
    try:
        return LogEntry.model_validate_json(line)
    except ValidationError as error:
        raise BadLine(first_issue(error)) from None


def whole_end(fd: int, size_bytes: int) -> int:
    """The offset behind the last whole batch of a file, looked for from its end; 0 when there is none."""
    stop = size_bytes
    while stop > 0:
        start = max(0, stop - _BLOCK_BYTES)
        block = os.pread(fd, stop - start, start)
        ends = [match.end() for match in _BATCH_END.finditer(block)]
        if ends:
            return start + ends[-1]
        stop = start + 1 if start else 0  # blocks share a byte: a line break is judged by the byte before it
    return 0
