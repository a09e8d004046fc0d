"""What travelled between host and plugin: every frame, in the order in which it crossed the middle of the wire.

`RecordedWire` stands between the two peers of a harness; below it lie two socket pairs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import deque
from typing import Any, Final, Literal, NamedTuple

__all__ = ["Frame", "RecordedWire"]

Direction = Literal[">", "<"]
# A test that streams for long must not fill the memory with frames that nobody looks at.
_MAX_FRAMES: Final = 10_000
_READ_BYTES: Final = 64 * 1024
_SHOWN_CHARS: Final = 400
_END_S: Final = 5.0


class Frame(NamedTuple):
    """One line of the wire: `>` to the plugin or `<` from it, `at_s` seconds after the harness began."""

    direction: Direction
    text: str
    at_s: float

    @property
    def message(self) -> Any:
        """The line as JSON. Raises ValueError where it is none."""
        return json.loads(self.text)


class RecordedWire:
    """Two socket pairs and what carries bytes between them; the newest 10,000 frames are kept."""

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque(maxlen=_MAX_FRAMES)
        self._began = time.monotonic()
        self._host, self._host_middle = socket.socketpair()
        self._plugin, self._plugin_middle = socket.socketpair()
        for end in (self._host_middle, self._plugin_middle):
            end.setblocking(False)
        carry = asyncio.get_running_loop().create_task
        self._carriers = (
            carry(self._carry(self._host_middle, self._plugin_middle, ">")),
            carry(self._carry(self._plugin_middle, self._host_middle, "<")),
        )

    def take_ends(self) -> tuple[int, int]:
        """The descriptors for the host's peer and for the plugin's; whoever takes them closes them."""
        return self._host.detach(), self._plugin.detach()

    def transcript(self, *, last: int | None = None) -> str:
        """The frames as text, one a line, or the `last` so many of them."""
        shown = list(self.frames)[-last:] if last else list(self.frames)
        left_out = len(self.frames) - len(shown)
        lines = [f"{frame.at_s:8.3f} {frame.direction} {_shortened(frame.text)}" for frame in shown]
        return "\n".join([f"… {left_out} frames before", *lines] if left_out else lines)

    def request_id(self, method: str) -> int:
        """The id of the newest request of `method` that was sent to the plugin. Raises LookupError."""
        for frame in reversed([*self.frames]):  # in one piece: a blocking harness asks from another thread
            if frame.direction == ">" and method in frame.text:
                message = frame.message
                if message.get("method") == method and "id" in message:
                    return int(message["id"])
        raise LookupError(f"no request {method} was sent")

    async def aclose(self) -> None:
        """Wait until both directions have ended, which they do with their peers; close the middle."""
        await asyncio.wait(self._carriers, timeout=_END_S)
        for carrier in self._carriers:
            carrier.cancel()
        await asyncio.wait(self._carriers, timeout=_END_S)
        for end in (self._host, self._plugin, self._host_middle, self._plugin_middle):
            end.close()

    async def _carry(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        loop = asyncio.get_running_loop()
        begun = bytearray()
        with contextlib.suppress(ConnectionError):  # a peer that ended in the middle of a frame
            while chunk := await loop.sock_recv(source, _READ_BYTES):
                begun += chunk
                if b"\n" in chunk:
                    *lines, rest = begun.split(b"\n")
                    begun = bytearray(rest)
                    at_s = time.monotonic() - self._began
                    # Before it is passed on: so no answer ever stands before its question.
                    self.frames.extend(Frame(direction, line.decode(errors="replace"), at_s) for line in lines)
                await loop.sock_sendall(target, chunk)
        with contextlib.suppress(OSError):
            # Hands the end of input on, and leaves the other direction open, as a pipe would.
            target.shutdown(socket.SHUT_WR)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}… ({len(text)} characters)"
