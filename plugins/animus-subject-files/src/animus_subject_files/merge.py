"""Two people's changes to the same text, joined line by line. Nothing lies below."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple

__all__ = ["merge"]


class _Hunk(NamedTuple):
    """Lines `low` to `high` of the base become `lines`."""

    low: int
    high: int
    lines: list[bytes]


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Both changes of `base` in one text, or None when they change the same lines differently.

    Of what both put in the same place, the one that has all of the other is taken; lines that both added are kept,
    ours first.
    """
    old = base.splitlines(keepends=True)
    left, right = _hunks(old, ours), _hunks(old, theirs)
    merged: list[bytes] = []
    at = 0
    while left or right:
        hunk = _next_hunk(left, right)
        if hunk is None:
            return None
        merged += old[at : hunk.low] + hunk.lines
        at = hunk.high
    return b"".join(merged + old[at:])


def _hunks(old: list[bytes], text: bytes) -> list[_Hunk]:
    new = text.splitlines(keepends=True)
    # With autojunk, lines that are frequent in a text of 200 lines or more would match nothing.
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [_Hunk(low, high, new[start:end]) for tag, low, high, start, end in codes if tag != "equal"]


def _next_hunk(left: list[_Hunk], right: list[_Hunk]) -> _Hunk | None:
    """Takes the hunk that comes first off its list (off both when they are one), or None when they collide."""
    if not left or not right:
        return (left or right).pop(0)
    one, two = left[0], right[0]
    if one[:2] == two[:2]:
        lines = _joined(one.lines, two.lines) or (one.lines + two.lines if one.low == one.high else None)
        left.pop(0)
        right.pop(0)
        return None if lines is None else _Hunk(one.low, one.high, lines)
    if one.high <= two.low:
        return left.pop(0)
    if two.high <= one.low:
        return right.pop(0)
    return None


def _joined(one: list[bytes], two: list[bytes]) -> list[bytes] | None:
    """The one of both that has all lines of the other, in their order."""
    short, long = sorted((one, two), key=len)
    rest = iter(long)
    return long if all(line in rest for line in short) else None
