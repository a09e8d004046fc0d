"""Bytes to JSON values and back: newline-delimited, tolerant in reading, without any I/O.

Below it lie `frame_text.py` and pydantic-core's JSON parser. Follows protocol §1: blank lines, CRLF, a BOM and
pretty-printed values over several lines are read; a line that is not valid JSON is given back as a `BadFrame`, and the
next line is read as if nothing had happened. Escapes of half a surrogate pair, which some peers write where they cut a
text, are read as U+FFFD.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pydantic_core import from_json

from animus_protocol.frame_text import MAX_FRAME_BYTES, mend_halves

__all__ = ["BadFrame", "Framer", "parse"]

_EXCERPT_BYTES: Final = 200
_BOM: Final = b"\xef\xbb\xbf"
# A string and, at the end of a broken line, the rest of a line after a lone quote; possessive, so the time is linear.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class BadFrame(NamedTuple):
    """A piece of input that was dropped: why, and how it began (at most 200 bytes)."""

    reason: str
    excerpt: bytes


def parse(line: bytes) -> object:
    """The JSON value of one line. Raises ValueError for anything else, NaN and Infinity included.

    A number that no float can hold is read as an infinity; `encode` writes null for it.
    """
    try:
        # The parser is asked first: half a pair is rare, and the search would cost every line.
        value: object = from_json(line, allow_inf_nan=False)
    except ValueError:
        whole = mend_halves(line)
        if whole is line:
            raise
        value = from_json(whole, allow_inf_nan=False)
    return value


class Framer:
    """Collects chunks and gives back the JSON values in them; holds at most one incomplete frame.

    A value may be spread over several lines. Lines are then kept until the brackets balance; a JSON-RPC message that
    begins at the start of a line ends a value that never came to its end, so that one broken frame costs no other.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._tail = bytearray()
        self._skipping = False
        self._kept = bytearray()  # the lines of a value that is not complete
        self._depth = 0
        self._inner: tuple[int, int] | None = None  # where in it a message may begin, and the depth before

    def feed(self, chunk: bytes) -> list[object]:
        """The values (or `BadFrame`s) that `chunk` completes, in the order of arrival."""
        found: list[object] = []
        # A bytearray in which only new bytes are searched: `tail + chunk` is 18 times slower on frames of 8 MB
        # (measured).
        tail = self._tail
        if not tail:
            if chunk.find(b"\n") == len(chunk) - 1:  # nearly always: one whole line
                if not self._kept and not self._skipping and len(chunk) <= self._max:
                    try:
                        return [from_json(chunk, allow_inf_nan=False)]
                    except ValueError:
                        pass  # it is looked at more closely below
                self._line(chunk[:-1], found)
                return found
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
            self._too_long(bytes(tail[:_EXCERPT_BYTES]), found)
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
        self._skipping = False
        self._give_up(found, "input ended inside a value")
        return found

    def _line(self, line: bytes, found: list[object]) -> None:
        if self._skipping:
            self._skipping = False
            return
        if len(line) > self._max:
            self._too_long(line, found)
            return
        if self._kept:
            self._continue(line, found)
            return
        try:
            found.append(from_json(line, allow_inf_nan=False))
        except ValueError:
            self._unusual(line, found)

    def _unusual(self, line: bytes, found: list[object]) -> None:
        line = line.removeprefix(_BOM).strip()
        if not line:
            return
        try:
            found.append(parse(line))
        except ValueError as error:
            if line[:1] in (b"{", b"[") and _may_go_on(error) and (depth := _depth(line)) > 0:
                self._kept += line
                self._depth = depth
            else:
                found.append(BadFrame(f"not JSON: {error}", line[:_EXCERPT_BYTES]))

    def _continue(self, line: bytes, found: list[object]) -> None:
        if (message := _message(line)) is not None:
            self._give_up(found, "value was never completed")
            found.append(message)
            return
        self._kept += b"\n"
        if line.removeprefix(_BOM)[:1] == b"{":
            self._inner = (len(self._kept), self._depth)
        self._kept += line
        self._depth += _depth(line)
        if len(self._kept) > self._max:
            self._give_up(found, f"frame longer than {self._max} bytes")
        elif self._depth <= 0:
            whole = bytes(self._kept)
            self._forget()
            try:
                found.append(parse(whole))
            except ValueError as error:
                found.append(BadFrame(f"not JSON: {error}", whole[:_EXCERPT_BYTES]))
        elif self._inner is not None and self._depth <= self._inner[1]:
            self._end_inner(self._inner[0], found)

    def _end_inner(self, start: int, found: list[object]) -> None:
        """Brackets that opened at the start of a line are closed: were they a whole message, after a cut value?"""
        self._inner = None
        message = _message(bytes(self._kept[start:]))
        if message is not None:
            del self._kept[start:]
            self._give_up(found, "value was never completed")
            found.append(message)

    def _too_long(self, excerpt: bytes, found: list[object]) -> None:
        self._give_up(found, "value was never completed")
        size = min(self._max, _EXCERPT_BYTES)  # the same, however the input was cut into chunks
        found.append(BadFrame(f"frame longer than {self._max} bytes", excerpt[:size]))

    def _give_up(self, found: list[object], reason: str) -> None:
        if self._kept:
            found.append(BadFrame(reason, bytes(self._kept[:_EXCERPT_BYTES])))
            self._forget()

    def _forget(self) -> None:
        self._kept, self._depth, self._inner = bytearray(), 0, None


def _may_go_on(error: ValueError) -> bool:
    """Whether the next line may complete what `error` was raised for; a string never goes on in the next line."""
    text = str(error)
    return "EOF while parsing" in text and "EOF while parsing a string" not in text


def _message(text: bytes) -> object:
    """The JSON-RPC message that `text` is, or None; only what begins at the very start of a line can be one."""
    text = text.removeprefix(_BOM)
    if text[:1] != b"{" or b'"jsonrpc"' not in text:
        return None
    try:
        value = parse(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "jsonrpc" in value else None


def _depth(line: bytes) -> int:
    """How many brackets a line opens and does not close; strings cannot span lines in JSON."""
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
