"""The journal's format: one LF-terminated line of compact JSON a record, closed by a checksum.

Nobody else makes or takes apart a line. A line is

    {"v":1,"run":"…","epoch":1,"seq":1,"kind":"…","at":"…","data":{…},"crc":"0f1e2d3c"}

with the keys in this order; `crc` is the CRC-32, as eight lower-case hex digits, of every byte before `,"crc":`.
Version N reads N and N-1.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from animus_core.errors import Internal, InvalidInput

__all__ = ["MAX_RECORD_BYTES", "VERSION", "CorruptRecord", "JournalRecord", "decode", "encode", "parse"]

VERSION: Final = 1
MAX_RECORD_BYTES: Final = 1024 * 1024
"""The longest line, its LF included."""

_MAX_DEPTH: Final = 200
_TAIL_BYTES: Final = len(b',"crc":"00000000"}\n')
_CONVERSIONS: Final[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""Older version -> what turns its fields into the present ones; there is none before 1."""

_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_write_ascii = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


class CorruptRecord(Internal):
    """A complete line of a journal is not what was written; the message names file, line and reason."""

    def __init__(self, path: Path, line_number: int, reason: str) -> None:
        super().__init__(
            f"{path}:{line_number}: {reason}",
            hint="Keep a copy of the file for a report; the run cannot go on from a damaged journal.",
            details={"path": str(path), "line": line_number, "reason": reason},
        )
        self.path = path
        self.line_number = line_number


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One record: what (`kind`, `data`) happened when (`at`, RFC 3339 UTC) in which run, under which owner (`epoch`).

    `seq` counts from 1 without gaps through the whole journal, across epochs. `crc` is filled in by `decode`.
    """

    run: str
    epoch: int
    seq: int
    kind: str
    at: str
    data: dict[str, Any]
    v: int = VERSION
    crc: str = ""


def encode(record: JournalRecord) -> bytes:
    """The record's line. Raises InvalidInput if `data` is not JSON, nests deeper than 200 or the line exceeds 1 MiB."""
    try:
        body = _body(record, _write).encode()
    except UnicodeEncodeError:
        # Lone surrogates have no UTF-8; JSON can escape them, and they come back as they were.
        body = _body(record, _write_ascii).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"record {record.kind!r} of run {record.run}: its data is not JSON: {error}") from error
    # No deeper than what it opens: the exact depth of a record is worked out only for the rare big one.
    if body.count(b"[") + body.count(b"{") > _MAX_DEPTH and _depth(record.data) >= _MAX_DEPTH:
        raise InvalidInput(f"record {record.kind!r} of run {record.run}: its data nests deeper than {_MAX_DEPTH}")
    size_bytes = len(body) + _TAIL_BYTES
    if size_bytes > MAX_RECORD_BYTES:
        raise InvalidInput(
            f"record {record.kind!r} of run {record.run}: {size_bytes} bytes, the limit is {MAX_RECORD_BYTES}",
            hint="Write the content to a file of its own and record the file's path.",
        )
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def decode(line: bytes, *, path: Path, line_number: int) -> JournalRecord:
    """The record of a complete line, LF included; raises CorruptRecord with `path:line_number` and the reason."""
    try:
        return parse(line)
    except ValueError as error:
        raise CorruptRecord(path, line_number, str(error)) from error


def parse(line: bytes) -> JournalRecord:
    """As `decode`, for callers that work out the place only when it is needed: raises ValueError with the reason."""
    body, tail = line[:-_TAIL_BYTES], line[-_TAIL_BYTES:]
    crc = b"%08x" % zlib.crc32(body)
    intact = tail == b',"crc":"%b"}\n' % crc
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON line: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    version = fields.get("v")
    if type(version) is int and version > VERSION:
        raise ValueError(
            f"record of version {version}, this Animus reads up to {VERSION}: "
            + ("a newer Animus wrote it, use that one" if intact else "a newer Animus wrote it or it is damaged")
        )
    if not intact:
        raise ValueError(f"the checksum does not fit: the line's bytes give {crc.decode()}")
    if version != VERSION:
        convert = _CONVERSIONS.get(version) if type(version) is int else None
        if convert is None:
            raise ValueError(f"unknown record version {version!r}")
        fields = convert(fields)
    return _checked(fields)


def _body(record: JournalRecord, write: Callable[[Any], str]) -> str:
    return (
        f'{{"v":{record.v},"run":{write(record.run)},"epoch":{record.epoch},"seq":{record.seq},'
        f'"kind":{write(record.kind)},"at":{write(record.at)},"data":{write(record.data)}'
    )


def _checked(fields: dict[str, Any]) -> JournalRecord:
    for name, kind in (("run", str), ("epoch", int), ("seq", int), ("kind", str), ("at", str), ("data", dict)):
        if type(fields.get(name)) is not kind:
            raise ValueError(f"field {name!r} is missing or not of type {kind.__name__}")
    return JournalRecord(
        fields["run"], fields["epoch"], fields["seq"], fields["kind"], fields["at"], fields["data"],
        v=VERSION, crc=fields["crc"],
    )  # fmt: skip


def _depth(value: object) -> int:
    """How deep lists and objects nest; level by level, so that depth costs no recursion."""
    depth = 0
    level = [value]
    while level := [
        inner
        for item in level
        if isinstance(item, dict | list | tuple)
        for inner in (item.values() if isinstance(item, dict) else item)
    ]:
        depth += 1
    return depth
