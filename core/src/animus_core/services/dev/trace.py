"""The trace of a plugin while its author works on it: frames as they went over the wire, stderr, and remarks of ours.

Below lies the protocol's parser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from animus_core.host.tap import Direction
from animus_protocol.frame_text import MAX_FRAME_BYTES
from animus_protocol.framing import parse

__all__ = ["NOISE", "Frame", "FrameLines", "Remark", "StderrLine", "TraceEvent", "now"]

NOISE: Final = object()
"""The value of a line that is not valid JSON by itself."""


class Frame(NamedTuple):
    """One line on the wire without its end, and the JSON value that it is, else NOISE."""

    direction: Direction
    at: datetime
    line: bytes
    value: Any


class StderrLine(NamedTuple):
    """One line that the plugin wrote to stderr."""

    at: datetime
    text: str


class Remark(NamedTuple):
    """What happened beside the wire: `event` is its name for programs, with `data`; `text` is for people."""

    at: datetime
    event: str
    text: str
    data: Mapping[str, Any] = MappingProxyType({})
    failed: bool = False


TraceEvent = Frame | StderrLine | Remark


def now() -> datetime:
    """The time of a trace event."""
    return datetime.now(UTC)


class FrameLines:
    """Cuts what one process writes and reads into lines. A line of more than `longest_bytes` is given in pieces."""

    def __init__(self, longest_bytes: int = MAX_FRAME_BYTES) -> None:
        self._longest_bytes = longest_bytes
        self._begun: dict[Direction, bytearray] = {">": bytearray(), "<": bytearray()}

    def feed(self, direction: Direction, chunk: bytes) -> Iterator[Frame]:
        """The lines that `chunk` completes, blank ones left out; an empty chunk is the end of input."""
        begun = self._begun[direction]
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(begun) + lines[0]
            begun.clear()
        begun += rest
        # A plugin that never ends its line must not fill the memory; the host refuses such a frame anyway.
        if not chunk or len(begun) > self._longest_bytes:
            lines.append(bytes(begun))
            begun.clear()
        for line in lines:
            if line.strip():
                yield Frame(direction, now(), line, _value(line))


def _value(line: bytes) -> Any:
    try:
        return parse(line)
    except ValueError:
        return NOISE
