"""Whatever comes in which pieces, the same values are read."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from animus_conformance.wire.frames import MAX_FRAME_BYTES, Frame, FrameReader, Noise
from written_values import Writer, written

SENT = written(lambda writer: writer.many(writer.mapping, 8), 200)
SOME = written(lambda writer: writer.many(writer.mapping, 8, 1), 200)
CUTS = written(lambda writer: writer.many(lambda: writer.below(400), 8), 25)
NOISE = (b"Listening on port 80", b"\xff\xfe", b"{nonsense}", b"[1, NaN]", b'"half', b"{} {}")


def among_noise(writer: Writer) -> tuple[bool, Any, bytes]:
    return writer.flag(), writer.mapping(), writer.pick(NOISE)


def read(data: bytes, cuts: list[int] | None = None) -> list[Frame | Noise]:
    reader = FrameReader()
    places = sorted({min(cut, len(data)) for cut in cuts or []} | {0, len(data)})
    found: list[Frame | Noise] = []
    for begin, end in pairwise(places):
        found += reader.feed(data[begin:end])
    return found + reader.end()


def values(found: list[Frame | Noise]) -> list[Any]:
    return [one.value for one in found if isinstance(one, Frame)]


@given(SENT, CUTS, st.sampled_from([b"\n", b"\r\n", b"\n\n \n"]))
def test_any_chunks_give_the_same_values(sent: list[Any], cuts: list[int], end: bytes) -> None:
    data = b"".join(json.dumps(one, ensure_ascii=False).encode() + end for one in sent)
    found = read(data, cuts)
    assert values(found) == sent
    assert found == read(data)
    assert all(isinstance(one, Frame) and bool(one.tolerated) is (end == b"\r\n") for one in found)


@given(SENT, st.integers(1, 4), CUTS)
def test_pretty_printed_values_are_read_and_told_apart(sent: list[Any], indent: int, cuts: list[int]) -> None:
    data = b"".join(json.dumps(one, indent=indent).encode() + b"\n" for one in sent)
    found = read(data, cuts)
    assert values(found) == sent
    for frame, value in zip(found, sent, strict=True):
        assert isinstance(frame, Frame)
        assert frame.tolerated == ("a value on several lines" if value else "")


@given(written(lambda writer: writer.many(lambda: among_noise(writer), 8), 200), CUTS)
def test_noise_is_passed_over_and_counted(sent: list[tuple[bool, Any, bytes]], cuts: list[int]) -> None:
    data = b"".join((json.dumps(value).encode() if sound else noise) + b"\n" for sound, value, noise in sent)
    found = read(data, cuts)
    assert [isinstance(one, Frame) for one in found] == [sound for sound, _, _ in sent]
    assert values(found) == [value for sound, value, _ in sent if sound]


def test_a_number_too_long_to_be_read_costs_its_own_line_only() -> None:
    found = read(b'{"n": ' + b"9" * 5_000 + b"}\n{}\n")
    assert isinstance(found[0], Noise)
    assert values(found) == [{}]


def test_the_last_line_needs_no_end() -> None:
    assert values(read(b'{"a": 1}')) == [{"a": 1}]


def test_a_value_that_never_ends_is_noise() -> None:
    assert [one.reason for one in read(b'{\n"a": 1,\n') if isinstance(one, Noise)] == ["a value that never ends"]


@given(st.sampled_from([b"{", b'{"config": {', b"[", b'["a",', b'{\n  "a": 1,']), SOME)
def test_a_value_that_never_ends_hides_no_message_behind_it(stray: bytes, sent: list[Any]) -> None:
    messages = [{"jsonrpc": "2.0", "id": number, "result": one} for number, one in enumerate(sent)]
    found = read(stray + b"\n" + b"".join(json.dumps(one).encode() + b"\n" for one in messages))
    assert isinstance(found[0], Noise)
    assert found[0].reason == "a value that never ends"
    assert values(found) == messages


def test_brackets_within_texts_neither_begin_nor_end_a_value() -> None:
    value = {"a": '}]\\"}', "b": ["{[", {"c": "\\"}]}
    assert values(read(json.dumps(value, indent=1).encode() + b"\n{}\n")) == [value, {}]


def test_each_kind_of_noise_says_what_it_is() -> None:
    reasons = {
        b"\xff": "not UTF-8: invalid start byte",
        b"NaN": "NaN is not JSON",
        b"1 2": "more than one value in a line",
        b"[" * 200_000: "nested deeper than this suite reads",
    }
    for line, reason in reasons.items():
        assert [one.reason for one in read(line + b"\n{}\n") if isinstance(one, Noise)] == [reason]
        assert values(read(line + b"\n{}\n")) == [{}]


def test_a_line_without_end_is_given_up() -> None:
    reader = FrameReader()
    found: list[Frame | Noise] = []
    piece = b"x" * (1024 * 1024)
    for _ in range(MAX_FRAME_BYTES // len(piece) + 1):
        found += reader.feed(piece)
    assert [one.reason for one in found if isinstance(one, Noise)] == ["a line of more than 16 MiB"]
    assert values(reader.feed(b'\n{"a": 1}\n')) == [{"a": 1}]
