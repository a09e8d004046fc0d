"""Moves bytes between file descriptors and callbacks on asyncio: pipes and sockets alike.

Called by `peer.py`; below it lie the event loop's readiness callbacks and plain reads and writes, which for small
frames cost a fraction of asyncio's own pipe transports. The pump owns its descriptors and closes them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from animus_protocol.errors import PeerGone

__all__ = ["Pump"]

_READ_BYTES: Final = 64 * 1024
_READS_A_TURN: Final = 16


class Pump:
    """Reads from `read_fd` until its end and writes to `write_fd`; both may be the same socket.

    `on_data(chunk)` and `on_end(reason)` are called on the loop; `on_end` exactly once. What cannot be written at
    once is kept; `drained` waits while more than `high_water_bytes` are kept.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        on_data: Callable[[bytes], None],
        on_end: Callable[[str], None],
        high_water_bytes: int = 1024 * 1024,
    ) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._on_data = on_data
        self._on_end = on_end
        self._high_water = high_water_bytes
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._flush_planned = False
        self._writer_armed = False
        self._ended = False
        self._closed = False
        self._drain_waiters: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to read."""
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        try:
            self._loop.add_reader(self._read_fd, self._readable)
        except PermissionError:  # a regular file: always readable, and nothing that epoll could watch
            self._loop.call_soon(self._read_file)

    @property
    def kept_bytes(self) -> int:
        """How much was written and has not left yet."""
        return self._kept_bytes

    def write(self, frame: bytes, *, at_once: bool) -> None:
        """Send `frame` after all earlier ones. `at_once` skips waiting for company until the end of the loop's turn.

        A frame for a peer that is gone is discarded: `on_end` has told, or will tell.
        """
        if self._ended:
            return
        if at_once and not self._kept:
            frame = self._push(frame)
            if not frame:
                return
        self._kept.append(frame)
        self._kept_bytes += len(frame)
        if not self._flush_planned and not self._writer_armed:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    async def drained(self) -> None:
        """Wait until there is room for more. Raises PeerGone when there will never be."""
        while self._kept_bytes > self._high_water:
            if self._ended:
                break
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._drain_waiters.append(waiter)
            await waiter
        if self._ended:
            raise PeerGone("the connection is closed")

    async def flushed(self) -> None:
        """Wait until everything has left, or the other side is gone."""
        while self._kept_bytes and not self._ended:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._drain_waiters.append(waiter)
            await waiter

    def close(self, reason: str = "closed here") -> None:
        """Stop, forget what was not sent, close the descriptors. Calling it again does nothing."""
        self._end(reason)
        if self._closed:
            return
        self._closed = True
        os.close(self._read_fd)
        if self._write_fd != self._read_fd:
            os.close(self._write_fd)

    def _readable(self) -> None:
        for _ in range(_READS_A_TURN):
            if not self._read_once():
                return

    def _read_once(self) -> bool:
        """Read one chunk; True when there may be more right now."""
        if self._ended:
            return False
        try:
            chunk = os.read(self._read_fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._end(f"read failed: {error.strerror}")
            return False
        if not chunk:
            self._end("end of input")
            return False
        self._on_data(chunk)
        return len(chunk) == _READ_BYTES

    def _read_file(self) -> None:
        if self._ended:
            return
        self._read_once()
        self._loop.call_soon(self._read_file)

    def _push(self, data: bytes) -> bytes:
        """Write what fits now; what did not fit comes back."""
        try:
            written = os.write(self._write_fd, data)
        except (BlockingIOError, InterruptedError):
            return data
        except OSError as error:
            self._end(f"write failed: {error.strerror}")
            return b""
        return data[written:]

    def _flush(self) -> None:
        self._flush_planned = False
        if self._ended or not self._kept:
            return
        data = self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)
        rest = self._push(data)
        self._kept = [rest] if rest else []
        self._kept_bytes = len(rest)
        if rest and not self._writer_armed:
            self._loop.add_writer(self._write_fd, self._flush)
            self._writer_armed = True
        elif not rest and self._writer_armed:
            self._loop.remove_writer(self._write_fd)
            self._writer_armed = False
        self._wake_drained()

    def _wake_drained(self) -> None:
        if self._drain_waiters and (self._ended or self._kept_bytes <= self._high_water):
            waiters, self._drain_waiters = self._drain_waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _end(self, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._loop.remove_reader(self._read_fd)
        self._loop.remove_writer(self._write_fd)
        self._writer_armed = False
        self._kept.clear()
        self._kept_bytes = 0
        self._wake_drained()
        self._on_end(reason)
