"""The framer, without any I/O: every good frame is found once, whatever stands around it and however it is cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from animus_protocol.framing import BadFrame, Framer, parse
from written_values import Writer, written

relaxed = settings(deadline=None, max_examples=70)

BOM = b"\xef\xbb\xbf"
GOOD = {"jsonrpc": "2.0", "id": 1, "result": {"ok": True}}
GOOD_LINE = json.dumps(GOOD).encode() + b"\n"

NEWLINES = (b"\n", b"\r\n", b"\n\n", b"\n \r\n", b"\r\n\t\n")


def message(writer: Writer) -> dict[str, Any]:
    parts = {key: writer.value() for key in ("params", "result", "error") if writer.flag()}
    return {"jsonrpc": "2.0", "id": 1 + writer.below(99), **parts}


def spelled(writer: Writer, message: dict[str, Any], *, complete: bool = True) -> bytes:
    """A message as some peer would write it: compact or pretty, CRLF or not, escaped or UTF-8, with a BOM or not."""
    indent = writer.pick((None, None, 1, 2, "\t"))
    text = json.dumps(message, indent=indent, ensure_ascii=writer.flag()).encode()
    if not complete:
        text = text[: 1 + writer.below(1 << 24) % (len(text) - 1)]
    newline = writer.pick(NEWLINES)
    lines = text.split(b"\n")
    return writer.pick((b"", b"", BOM)) + newline[-2:].lstrip(b"\t \n").join(lines) + newline


def well_spelled(writer: Writer) -> tuple[list[dict[str, Any]], bytes]:
    good = writer.many(lambda: message(writer), 4)
    return good, b"".join(spelled(writer, one) for one in good)


def among_garbage(writer: Writer) -> tuple[list[dict[str, Any]], bytes]:
    """Good messages, and the bytes of a peer that sends them among garbage and frames that were cut off."""
    good: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for _ in range(1 + writer.below(5)):
        kind = writer.pick(("good", "good", "garbage", "cut"))
        if kind == "garbage":
            parts.append(bytes(writer.many(lambda: writer.below(256), 30)).replace(b"\n", b"") + b"\n")
        else:
            sent = message(writer)
            parts.append(spelled(writer, sent, complete=kind == "good"))
            good += [sent] if kind == "good" else []
    return good, b"".join(parts)


MESSAGES = written(message)
FRAMES = written(among_garbage, 250)
CUTS = written(lambda writer: writer.many(lambda: writer.below(10_000), 8), 25)


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


def read(chunks: list[bytes], max_frame_bytes: int = 1 << 20) -> list[object]:
    framer = Framer(max_frame_bytes)
    return [value for chunk in chunks for value in framer.feed(chunk)] + framer.end()


def good_ones(values: list[object]) -> list[object]:
    return [value for value in values if not isinstance(value, BadFrame)]


@relaxed
@given(written(well_spelled, 250))
def test_every_spelling_of_a_message_gives_the_message_and_nothing_else(
    sent: tuple[list[dict[str, Any]], bytes],
) -> None:
    good, spellings = sent
    assert read([spellings]) == good


@relaxed
@given(FRAMES)
def test_garbage_and_cut_frames_never_cost_a_good_frame(sent: tuple[list[dict[str, Any]], bytes]) -> None:
    good, data = sent
    found = [value for value in good_ones(read([data])) if isinstance(value, dict) and "jsonrpc" in value]
    assert found == good


@relaxed
@given(FRAMES, CUTS, st.sampled_from([40, 90, 1 << 20]))
def test_any_split_of_the_bytes_gives_the_same_values(
    sent: tuple[list[dict[str, Any]], bytes], cuts: list[int], max_frame_bytes: int
) -> None:
    assert read(chunked(sent[1], cuts), max_frame_bytes) == read([sent[1]], max_frame_bytes)


@relaxed
@given(FRAMES, st.sampled_from([30, 60, 1 << 20]))
def test_one_byte_at_a_time_gives_the_same_values(
    sent: tuple[list[dict[str, Any]], bytes], max_frame_bytes: int
) -> None:
    data = sent[1]
    one_by_one = [data[place : place + 1] for place in range(len(data))]
    assert read(one_by_one, max_frame_bytes) == read([data], max_frame_bytes)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200) | st.text('{}[]",:\\ \n1eu', max_size=60).map(str.encode), st.integers(60, 120))
@example(b'{"a":"\\\n', 60)
@example(b"{\n{\n{\n", 60)
@example(b'"\\', 60)
@example(b'{"a":\n"\\', 60)
def test_arbitrary_bytes_never_raise_and_a_good_line_after_them_is_found(garbage: bytes, max_frame_bytes: int) -> None:
    framer = Framer(max_frame_bytes)
    framer.feed(garbage)
    assert framer.feed(b"\n" + GOOD_LINE)[-1] == GOOD
    assert framer.end() == []


@pytest.mark.parametrize(
    "cut",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"a":',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":[1,',
        b'{"jsonrpc":"2.0","id":1,"result":"a text that {',
        b'{"jsonrpc":"2.0","id":1,"result":tru',
        b'{\n  "jsonrpc": "2.0",\n  "id": 1,\n  "result": {\n',
        b'{\n  "jsonrpc": "2.0",\n  "resu',
        b"[",
        b"[1,\n[2,",
    ],
)
@pytest.mark.parametrize(
    "good",
    [GOOD_LINE, GOOD_LINE.replace(b"\n", b"\r\n"), BOM + GOOD_LINE, json.dumps(GOOD, indent=2).encode() + b"\n"],
    ids=["compact", "crlf", "bom", "pretty"],
)
def test_a_good_frame_right_after_a_cut_value_is_found_at_once(cut: bytes, good: bytes) -> None:
    framer = Framer()
    found = framer.feed(cut + b"\n" + good)
    assert isinstance(found[0], BadFrame)
    assert found[-1] == GOOD
    assert framer.feed(GOOD_LINE) == [GOOD]


@relaxed
@given(MESSAGES, st.sampled_from([0, 1, 2, "\t"]))
def test_a_pretty_printed_value_is_read_whatever_its_indent(message: dict[str, Any], indent: int | str) -> None:
    text = json.dumps(message, indent=indent).encode()
    assert read([text + b"\n" + GOOD_LINE]) == [message, GOOD]


def test_a_value_that_carries_messages_as_data_stays_one_value() -> None:
    inner = '{"log":{"jsonrpc":"2.0","id":7}}'
    rows = b'{"jsonrpc":"2.0","id":1,"result":[\n' + inner.encode() + b",\n" + inner.encode() + b"\n]}\n"
    [value] = read([rows])
    assert isinstance(value, dict)
    assert value["result"] == [json.loads(inner)] * 2
    nested = {"jsonrpc": "2.0", "id": 1, "result": {"frames": [GOOD, GOOD], "text": json.dumps(GOOD, indent=2)}}
    assert read([json.dumps(nested, indent=2).encode() + b"\n"]) == [nested]


def test_blank_lines_and_a_lone_bom_mean_nothing() -> None:
    assert read([b"\n\r\n \t\r\n" + BOM + b"\n\n"]) == []


def test_the_last_line_needs_no_newline() -> None:
    assert read([GOOD_LINE.rstrip()]) == [GOOD]
    assert read([json.dumps(GOOD, indent=2).encode()]) == [GOOD]


def test_input_that_ends_inside_a_value_is_told() -> None:
    [only] = read([b'{\n "a": 1,\n'])
    assert only == BadFrame("input ended inside a value", b'{\n "a": 1,')


@pytest.mark.parametrize(
    "broken", [b"NaN", b'{"a":NaN}', b"[Infinity]", b"[-Infinity]", b"nan", b'"\xff\xfe"', b"\xc3\x28"]
)
def test_nan_infinities_and_invalid_utf8_are_dropped_alone(broken: bytes) -> None:
    found = read([GOOD_LINE + broken + b"\n" + GOOD_LINE])
    assert good_ones(found) == [GOOD, GOOD]
    assert len(found) == 3


@pytest.mark.parametrize("depth", [250, 5_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_that_is_too_deep_is_dropped_alone(depth: int, opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    value = opening * depth + (b"1" if opening != b"[" else b"") + closing * depth
    found = read([value + b"\n" + GOOD_LINE + value.replace(opening, opening + b"\n") + b"\n" + GOOD_LINE], 1 << 24)
    assert good_ones(found) == [GOOD, GOOD]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\ud83d cut"', "\ufffd cut"),
        (rb'"\udc00\ud800"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00 \ud83d"', "\U0001f600 \ufffd"),
        (rb'"\\ud83d \ud83d\n"', "\\ud83d \ufffd\n"),
    ],
)
def test_half_a_surrogate_pair_is_read_as_a_replacement_character(written: bytes, meant: str) -> None:
    assert parse(written) == meant
    assert read([b'{"jsonrpc":"2.0","method":"m","params":' + written + b"}\n"]) == [
        {"jsonrpc": "2.0", "method": "m", "params": meant}
    ]


def _sized(size: int, indent: int | None = None) -> bytes:
    empty = json.dumps({**GOOD, "pad": ""}, indent=indent)
    return json.dumps({**GOOD, "pad": "x" * (size - len(empty))}, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "several lines"])
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_frame_may_be_as_large_as_the_limit_and_no_larger(indent: int | None, piece: int) -> None:
    for size, fits in ((1000, True), (1001, False)):
        text = _sized(size, indent)
        assert len(text) == size
        data = GOOD_LINE + text + b"\n" + GOOD_LINE
        found = read([data[place : place + piece] for place in range(0, len(data), piece)], 1000)
        assert found[0] == found[-1] == GOOD
        assert all(isinstance(value, dict) for value in found) is fits
        assert (BadFrame("frame longer than 1000 bytes", text[:200]) in found) is not fits


def test_a_line_that_is_too_long_ends_the_value_that_it_stands_in() -> None:
    data = b'{"jsonrpc": "2.0",\n"a": "' + b"x" * 100 + b'",\n' + GOOD_LINE
    reasons = [value.reason if isinstance(value, BadFrame) else value for value in read([data], 64)]
    assert reasons == ["value was never completed", "frame longer than 64 bytes", GOOD]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("start", [b'{"a":"', b'{"a":\n"', b"{\n"])
@pytest.mark.parametrize("filler", [b'\\"', b'"', b"{", b"\\", b'{"', b'{\n"x":{\n}\n', b"\n"])
def test_the_time_for_much_hostile_input_stays_small(start: bytes, filler: bytes) -> None:
    framer = Framer()
    framer.feed(start + filler * (150_000 // len(filler)))
    assert framer.feed(b"\n" + GOOD_LINE)[-1] == GOOD


@pytest.mark.parametrize("cut", [b'{"a":"b', b'{"a":{"b', b'["\\', '{"a":"é'.encode()[:-1]])
def test_a_value_that_is_cut_inside_a_text_is_told_at_once(cut: bytes) -> None:
    [frame] = Framer().feed(cut + b"\n")
    assert isinstance(frame, BadFrame)
