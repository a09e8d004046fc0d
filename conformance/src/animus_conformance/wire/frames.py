"""JSON values out of a plugin's bytes, as tolerant as the protocol asks of a host, and what had to be tolerated.

Fed by `host.py`; below it lies the standard library's json alone (protocol §1).
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, NoReturn

__all__ = ["MAX_FRAME_BYTES", "Frame", "FrameReader", "Noise"]

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024


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
    """Cuts chunks into lines, and joins lines that together are one value (pretty-printed)."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._open: list[str] = []
        self._decoder = json.JSONDecoder(parse_constant=_refuse)

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
        if self._open:
            found.append(Noise("\n".join(self._open), "a value that never ends"))
            self._open.clear()
        return found

    def _take(self, line: bytes) -> list[Frame | Noise]:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            return [Noise(repr(line[:200]), f"not UTF-8: {error.reason}")]
        blank = not text.strip()
        if blank and not self._open:
            return []
        whole = "\n".join([*self._open, text])
        try:
            value, end = self._decoder.raw_decode(whole.lstrip())
            trailing = whole.lstrip()[end:].strip()
        except RecursionError:
            return self._drop(whole, "nested deeper than this suite reads")
        except _NotANumber as error:
            return self._drop(whole, f"{error} is not JSON")
        except json.JSONDecodeError as error:
            return self._unfinished(text, whole, str(error))
        if trailing:
            return self._drop(whole, "more than one value in a line")
        tolerated = "a value on several lines" if self._open else ""
        if text.endswith("\r"):
            tolerated = "a line that ends in CR LF"
        self._open.clear()
        return [Frame(value, whole, tolerated)]

    def _unfinished(self, text: str, whole: str, reason: str) -> list[Frame | Noise]:
        """A line that begins an object may go on in the next one; any other is noise."""
        begins = text.lstrip().startswith(("{", "[")) and text.rstrip().endswith((",", "{", "["))
        if (self._open or begins) and sum(map(len, self._open)) + len(text) <= MAX_FRAME_BYTES:
            self._open.append(text)
            return []
        return self._drop(whole, reason)

    def _drop(self, text: str, reason: str) -> list[Frame | Noise]:
        self._open.clear()
        return [Noise(text, reason)]


class _NotANumber(ValueError):
    """NaN or an infinity."""


def _refuse(constant: str) -> NoReturn:
    raise _NotANumber(constant)
