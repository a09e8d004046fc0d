"""JSON values out of a plugin's bytes, as tolerant as the protocol asks of a host, and what had to be tolerated.

Below it lies the standard library's json alone (protocol §1).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple, NoReturn

__all__ = ["MAX_FRAME_BYTES", "Frame", "FrameReader", "Noise"]

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""A line that has no end must not fill the suite's memory."""
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*+"')
_NEVER_ENDS: Final = "a value that never ends"


class Frame(NamedTuple):
    """A JSON value as it came. `tolerated` says what a strict host would not have read, or is empty."""

    value: Any
    text: str
    tolerated: str


class Noise(NamedTuple):
    """Bytes that are no JSON, and why."""

    text: str
    reason: str


class FrameReader:
    """Cuts chunks into lines, and joins lines that together are one value (pretty-printed).

    Such lines are kept until their brackets balance. A message that begins before that, at the start of a line, ends
    what never came to its end, so that one broken value hides no other.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._open: list[str] = []
        self._open_chars = 0
        self._depth = 0

    def feed(self, chunk: bytes) -> list[Frame | Noise]:
        """What `chunk` completes."""
        found: list[Frame | Noise] = []
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._line += line
            found.extend(self._take(bytes(self._line)))
            self._line.clear()
        self._line += rest
        if len(self._line) > MAX_FRAME_BYTES:
            found.append(Noise(repr(bytes(self._line[:200])), "a line of more than 16 MiB"))
            self._line.clear()
        return found

    def end(self) -> list[Frame | Noise]:
        """What is left when the plugin has closed its output."""
        found = self._take(bytes(self._line)) if self._line else []
        self._line.clear()
        return [*found, *self._given_up()]

    def _take(self, line: bytes) -> list[Frame | Noise]:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            return [Noise(repr(line[:200]), f"not UTF-8: {error.reason}")]
        if self._open:
            return self._go_on(text)
        if not text.strip():
            return []
        try:
            return [_frame(text)]
        # A subclass, so it comes first: only wrong syntax may be half a value; NaN or two values are wrong as they are.
        except json.JSONDecodeError as error:
            if _may_go_on(text):
                self._keep(text)
                return []
            return [Noise(text, str(error))]
        except ValueError as error:
            return [Noise(text, str(error))]

    def _go_on(self, text: str) -> list[Frame | Noise]:
        message = _message(text)
        if message is not None:
            return [*self._given_up(), message]
        self._keep(text)
        if self._depth > 0:
            return self._given_up() if self._open_chars > MAX_FRAME_BYTES else []
        whole = self._close()
        try:
            return [_frame(whole, "a value on several lines")]
        except ValueError as error:
            return [Noise(whole, str(error))]

    def _keep(self, text: str) -> None:
        self._open.append(text)
        self._open_chars += len(text)
        self._depth += _depth(text)

    def _close(self) -> str:
        whole = "\n".join(self._open)
        self._open.clear()
        self._open_chars = self._depth = 0
        return whole

    def _given_up(self) -> list[Frame | Noise]:
        return [Noise(self._close(), _NEVER_ENDS)] if self._open else []


def _frame(text: str, tolerated: str = "") -> Frame:
    """The one value in `text`. Raises ValueError with a sentence of ours, or JSONDecodeError."""
    whole = text.lstrip()
    try:
        value, end = _DECODER.raw_decode(whole)
    except RecursionError:
        raise ValueError("nested deeper than this suite reads") from None
    if whole[end:].strip():
        raise ValueError("more than one value in a line")
    return Frame(value, text, "a line that ends in CR LF" if text.endswith("\r") else tolerated)


def _message(text: str) -> Frame | None:
    """The JSON-RPC message that `text` is, begun at the start of the line; None for anything else."""
    if not text.startswith("{"):
        return None
    try:
        frame = _frame(text)
    except ValueError:
        return None
    return frame if isinstance(frame.value, dict) and "jsonrpc" in frame.value else None


def _may_go_on(text: str) -> bool:
    """Whether the line begins a value that other lines may complete."""
    # A stray line of a log may begin with a bracket, too: only one that ends in the middle of a value is kept open.
    line = text.strip()
    return line.startswith(("{", "[")) and line.endswith((",", "{", "[")) and _depth(line) > 0


def _depth(text: str) -> int:
    """How many brackets a line opens and does not close, those within its texts not counted."""
    bare = _TEXT.sub("", text)
    return bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
