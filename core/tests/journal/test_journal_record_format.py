"""The line of a record: exactly this layout, everything comes back, and no damage goes unnoticed."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import InvalidInput
from animus_core.journal.record import MAX_RECORD_BYTES, CorruptRecord, JournalRecord, decode, encode, parse

PATH = Path("/scope/runs/r1/journal.jsonl")
RECORD = JournalRecord("r1", 2, 7, "phase/started", "2026-03-01T09:30:00.250Z", {"phase": "build", "é": [1, 2.5, None]})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
records = st.builds(
    JournalRecord,
    run=st.text(),
    epoch=st.integers(min_value=0),
    seq=st.integers(min_value=1),
    kind=st.text(),
    at=st.text(),
    data=st.dictionaries(st.text(), json_values, max_size=5),
)


def sealed(body: bytes) -> bytes:
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def test_a_line_is_compact_json_with_the_checksum_of_all_before_it() -> None:
    body = (
        '{"v":1,"run":"r1","epoch":2,"seq":7,"kind":"phase/started","at":"2026-03-01T09:30:00.250Z",'
        '"data":{"phase":"build","é":[1,2.5,null]}'
    ).encode()
    assert encode(RECORD) == sealed(body)
    assert list(json.loads(encode(RECORD))) == ["v", "run", "epoch", "seq", "kind", "at", "data", "crc"]


@given(records)
def test_every_record_comes_back_as_it_was_on_one_line(record: JournalRecord) -> None:
    line = encode(record)
    assert line.count(b"\n") == 1
    back = decode(line, path=PATH, line_number=1)
    assert (back.v, back.run, back.epoch, back.seq, back.kind, back.at, back.data) == (
        1,
        record.run,
        record.epoch,
        record.seq,
        record.kind,
        record.at,
        record.data,
    )
    assert back.crc == json.loads(line)["crc"]


@given(st.data())
def test_no_changed_byte_passes_for_a_record(data: st.DataObject) -> None:
    line = bytearray(encode(RECORD))
    position = data.draw(st.integers(0, len(line) - 1))
    line[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"\w"):
        parse(bytes(line))


def test_half_a_surrogate_pair_survives() -> None:
    record = JournalRecord("r1", 1, 1, "output", "t", {"text": "before \ud800 after"})
    assert parse(encode(record)).data == record.data


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "not a JSON line"),
        (b'["v"]\n', "not a JSON object"),
        (b'{"v":1}\n', "checksum"),
        (sealed(b'{"v":1,"run":"r1"'), "field 'epoch' is missing"),
        (sealed(b'{"v":1,"run":"r","epoch":true,"seq":1,"kind":"k","at":"t","data":{}'), "field 'epoch'"),
        (sealed(b'{"v":0,"run":"r","epoch":1,"seq":1,"kind":"k","at":"t","data":{}'), "unknown record version 0"),
        (sealed(b'{"run":"r","epoch":1,"seq":1,"kind":"k","at":"t","data":{}'), "unknown record version None"),
        (sealed(b'{"v":2,"whatever":"it is"'), "version 2, this Animus reads up to 1: a newer Animus wrote it, use"),
        (b'{"v":2,"checked":"otherwise"}\n', "a newer Animus wrote it or it is damaged"),
        (b"[" * 5000 + b"\n", "not a JSON line"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_its_place(line: bytes, reason: str) -> None:
    with pytest.raises(CorruptRecord) as caught:
        decode(line, path=PATH, line_number=12)
    assert caught.value.message.startswith(f"{PATH}:12: ")
    assert reason in caught.value.message


def test_a_record_may_fill_a_mebibyte_and_not_a_byte_more() -> None:
    room = MAX_RECORD_BYTES - len(encode(JournalRecord("r1", 1, 1, "k", "t", {"text": ""})))
    assert len(encode(JournalRecord("r1", 1, 1, "k", "t", {"text": "x" * room}))) == MAX_RECORD_BYTES
    with pytest.raises(InvalidInput, match=f"{MAX_RECORD_BYTES + 1} bytes, the limit is {MAX_RECORD_BYTES}"):
        encode(JournalRecord("r1", 1, 1, "k", "t", {"text": "x" * (room + 1)}))


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"value": value}


def test_data_nests_as_deep_as_every_reader_can_follow() -> None:
    record = JournalRecord("r1", 1, 1, "k", "t", nested(190) | {"wide": [[]] * 500})
    assert parse(encode(record)).data == record.data
    for depth in (200, 500, 100_000):
        with pytest.raises(InvalidInput, match=r"nests deeper|not JSON"):
            encode(JournalRecord("r1", 1, 1, "k", "t", nested(depth)))


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), object(), b"bytes", {1}, pytest.param(10**5000, id="huge")],
)
def test_data_that_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="record 'k' of run r1: its data is not JSON"):
        encode(JournalRecord("r1", 1, 1, "k", "t", {"value": value}))
