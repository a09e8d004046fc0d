"""What the tests write for themselves: any values, the same for the same bytes, and small where they fail."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import pytest

from written_values import Writer, hold_for_any_bytes

DOCUMENTS = [Writer(os.urandom(200)).value(4) for _ in range(2000)]


def parts(value: Any) -> list[Any]:
    inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(part for one in inside for part in parts(one))]


def test_every_kind_of_value_is_written_and_is_json() -> None:
    found = [part for document in DOCUMENTS for part in parts(document)]
    assert {type(part) for part in found} == {type(None), bool, int, float, str, list, dict}
    assert all(math.isfinite(part) for part in found if isinstance(part, float))
    assert {-(2**64), 2**63, -0.0, 5e-324, ""} <= {part for part in found if isinstance(part, int | float | str)}
    letters = {letter for part in found if isinstance(part, str) for letter in part}
    assert {'"', "\\", "\0", "\u2028", "é", "😀"} <= letters
    assert len(letters) > 500
    for document in DOCUMENTS:
        assert json.loads(json.dumps(document, ensure_ascii=False).encode()) == document


def test_the_same_bytes_write_the_same_and_none_write_the_plainest() -> None:
    raw = os.urandom(200)
    assert Writer(raw).value() == Writer(raw).value()
    assert Writer(b"").value() is None
    assert (Writer(b"").text(), Writer(b"").flag(), Writer(b"").pick("ab")) == ("", False, "a")


def test_numbers_stay_between_their_bounds_and_reach_them() -> None:
    found = {Writer(os.urandom(20)).integer(-3, 2**64 - 1) for _ in range(2000)}
    assert {-3, 2**64 - 1} <= found
    assert (min(found), max(found)) == (-3, 2**64 - 1)


def test_a_failure_is_told_with_few_and_plain_bytes() -> None:
    def check(raw: bytes) -> None:
        assert all(one < 5 for one in Writer(raw).many(lambda: writer_number(raw), 3))

    def writer_number(raw: bytes) -> int:
        return max(raw, default=0)

    with pytest.raises(AssertionError) as caught:
        hold_for_any_bytes(check, times=50, size=40)
    [note] = caught.value.__notes__
    assert note.startswith("for the bytes b'")
    assert len(note) < 60


def test_what_holds_is_asked_as_often_as_wanted() -> None:
    asked: list[bytes] = []
    hold_for_any_bytes(asked.append, times=15, size=8)
    assert len(asked) == 15
    assert len(set(asked)) > 10
