"""Bytes to JSON values and back: newline-delimited, tolerant in reading, without any I/O.

Called by `connection.py`; below it lies pydantic-core's JSON parser. Follows protocol §1: blank lines, CRLF, a BOM
and pretty-printed values over several lines are read; a line that is no JSON is given back as a `BadFrame`, and the
next line is read as if nothing had happened.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pydantic_core import from_json

__all__ = ["MAX_FRAME_BYTES", "BadFrame", "Framer", "parse"]

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""Frames over 16 MiB may be refused (protocol §1)."""

_EXCERPT_BYTES: Final = 200
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')


class BadFrame(NamedTuple):
    """A piece of input that was dropped: why, and how it began (at most 200 bytes)."""

    reason: str
    excerpt: bytes


def parse(line: bytes) -> object:
    """The JSON value of one line. Raises ValueError for anything else, NaN and infinities included."""
    value: object = from_json(line, allow_inf_nan=False)
    return value


class Framer:
    """Collects chunks and gives back the JSON values in them; holds at most one incomplete frame.

    A value may be spread over several lines. Lines are then kept until the brackets balance; a line that is a
    JSON-RPC message by itself ends a value that never came to its end, so that one broken frame costs no other.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._tail = bytearray()
        self._skipping = False
        self._lines: list[bytes] = []
        self._lines_bytes = 0
        self._depth = 0

    def feed(self, chunk: bytes) -> list[object]:
        """The values (or `BadFrame`s) that `chunk` completes, in the order of arrival."""
        found: list[object] = []
        tail = self._tail
        if not tail:
            *lines, rest = chunk.split(b"\n")
        else:
            first, newline, rest = chunk.partition(b"\n")
            tail += first
            if not newline:
                lines, rest = [], b""
            else:
                *lines, rest = rest.split(b"\n")
                lines.insert(0, bytes(tail))
                tail.clear()
        for line in lines:
            self._line(line, found)
        tail += rest
        if len(tail) > self._max and not self._skipping:
            found.append(BadFrame(f"frame longer than {self._max} bytes", bytes(tail[:_EXCERPT_BYTES])))
            self._skipping = True
        if self._skipping:
            tail.clear()
        return found

    def end(self) -> list[object]:
        """What the end of input leaves behind: a last line without its newline, or a truncated value."""
        found: list[object] = []
        if self._tail and not self._skipping:
            self._line(bytes(self._tail), found)
        self._tail.clear()
        self._give_up(found, "input ended inside a value")
        return found

    def _line(self, line: bytes, found: list[object]) -> None:
        if self._skipping:
            self._skipping = False
            return
        if len(line) > self._max:
            found.append(BadFrame(f"frame longer than {self._max} bytes", line[:_EXCERPT_BYTES]))
            return
        if self._lines:
            self._continue(line, found)
            return
        try:
            found.append(from_json(line, allow_inf_nan=False))
        except ValueError as error:
            self._unusual(line, error, found)

    def _unusual(self, line: bytes, error: ValueError, found: list[object]) -> None:
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            return
        try:
            found.append(parse(line))
            return
        except ValueError as second:
            error = second
        depth = _depth(line)
        if line[:1] in (b"{", b"[") and depth > 0 and "EOF while parsing" in str(error):
            self._lines, self._lines_bytes, self._depth = [line], len(line), depth
        else:
            found.append(BadFrame(f"not JSON: {error}", line[:_EXCERPT_BYTES]))

    def _continue(self, line: bytes, found: list[object]) -> None:
        if line[:1] == b"{" and b'"jsonrpc"' in line:
            try:
                value = parse(line)
            except ValueError:
                pass
            else:
                self._give_up(found, "value was never completed")
                found.append(value)
                return
        self._lines.append(line)
        self._lines_bytes += len(line) + 1
        self._depth += _depth(line)
        if self._lines_bytes > self._max:
            self._give_up(found, f"frame longer than {self._max} bytes")
        elif self._depth <= 0:
            whole = b"\n".join(self._lines)
            self._lines, self._lines_bytes, self._depth = [], 0, 0
            try:
                found.append(parse(whole))
            except ValueError as error:
                found.append(BadFrame(f"not JSON: {error}", whole[:_EXCERPT_BYTES]))

    def _give_up(self, found: list[object], reason: str) -> None:
        if self._lines:
            found.append(BadFrame(reason, b"\n".join(self._lines)[:_EXCERPT_BYTES]))
            self._lines, self._lines_bytes, self._depth = [], 0, 0


def _depth(line: bytes) -> int:
    """How many brackets a line opens and does not close; strings cannot span lines in JSON."""
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
