"""Bytes to the JSON-RPC messages in them, for whoever reads one connection and then ends: the standard library alone.

As tolerant as the protocol's own framing, whose parser takes longer to import than a short command lives. A test gives
both the same bytes.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from animus_protocol.errors import BadReply
from animus_protocol.frame_text import MAX_FRAME_BYTES, mend_halves

__all__ = ["MessageLines"]

_BOM = b"\xef\xbb\xbf"


class MessageLines:
    """Collects chunks and gives back the messages in them; what is no JSON object is passed over.

    A message may be written over several lines, if its last bracket stands at the start of one.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._tail = bytearray()
        self._kept = bytearray()  # the lines of a message that is not complete

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The messages that `chunk` completes, in the order of arrival. Raises BadReply for one that is too long."""
        # Only appended to while no line ends: a long one comes in many chunks.
        self._tail += chunk
        if len(self._tail) + len(self._kept) > self._max and b"\n" not in chunk:
            raise BadReply(f"daemon: a frame longer than {self._max} bytes")
        if b"\n" not in chunk:
            return []
        *lines, self._tail = self._tail.split(b"\n")
        return [message for line in lines if (message := self._take(bytes(line))) is not None]

    def end(self) -> list[dict[str, Any]]:
        """The last line, without its end."""
        message = self._take(bytes(self._tail))
        self._tail.clear()
        return [] if message is None else [message]

    def _take(self, line: bytes) -> dict[str, Any] | None:
        line = line.removeprefix(_BOM).rstrip()
        if not line:
            return None
        message = _parse(line)
        begins = message is None and _may_go_on(line)
        if begins:
            # Whoever writes over several lines indents what is inside: what was kept was never completed.
            self._kept.clear()
        if message is None and (self._kept or begins):
            self._kept += line + b"\n"
            if line[:1] != b"}":
                return None
            message = _parse(bytes(self._kept))
        # Either it was the end of what was kept, or what was kept was never completed.
        self._kept.clear()
        return message


def _parse(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(_decode(text), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _may_go_on(text: bytes) -> bool:
    """Whether nothing is wrong with an object but that it ends too early; a string never goes on in the next line."""
    if text[:1] != b"{":
        return False
    try:
        json.loads(decoded := _decode(text), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return error.pos == len(decoded)
    except (ValueError, RecursionError):
        return False
    return False


def _decode(text: bytes) -> str:
    return (mend_halves(text) if rb"\u" in text else text).decode()


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
