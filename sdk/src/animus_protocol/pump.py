"""Moves bytes between file descriptors and callbacks on asyncio: pipes and sockets alike.

Below it lie the event loop's readiness callbacks and plain reads and writes, which for small frames cost a fraction of
asyncio's own pipe transports. The pump owns its descriptors and closes them.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from animus_protocol.errors import PeerGone

__all__ = ["Pump"]

# asyncio's transport allocates 256 KiB for each read; with 64 KiB a child answered twice as fast (measured).
_READ_BYTES: Final = 64 * 1024
# A peer that never stops writing must not keep the loop from everybody else: at most 1 MiB a turn.
_READS_A_TURN: Final = 16
# Far below the kernel's limit of 1024 pieces a call (IOV_MAX).
_PIECES_A_WRITE: Final = 256


class Pump:
    """Reads from `read_fd` until its end and writes to `write_fd`; both may be the same socket.

    `on_data(chunk)` and `on_end(reason)` are called on the loop; `on_end` exactly once. What cannot be written at
    once is kept; `drained` waits while more than `high_water_bytes` are kept, and `on_room` is called after a write
    that leaves no more than that. The directions end apart. After the end of input writing goes on, because a peer that
    has said everything may still read; and when a write fails, what the peer sent before is still read.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        on_data: Callable[[bytes], None],
        on_end: Callable[[str], None],
        on_room: Callable[[], None] = lambda: None,
        high_water_bytes: int = 1024 * 1024,
    ) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._on_data = on_data
        self._on_end = on_end
        self._on_room = on_room
        self._high_water = high_water_bytes
        self._kept: deque[bytes | memoryview] = deque()
        self._kept_bytes = 0
        self._flush_planned = False
        self._writer_armed = False
        self._ended = False
        self._mute = False
        self._paused = False
        self._closed = False
        self._drain_waiters: dict[asyncio.Future[None], None] = {}
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to read."""
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._listen()

    @property
    def kept_bytes(self) -> int:
        """How much was written and has not left yet."""
        return self._kept_bytes

    def write(self, frame: bytes, *, at_once: bool) -> None:
        """Send `frame` after all earlier ones. `at_once` skips waiting for company until the end of the loop's turn.

        A frame for a peer that takes no more is discarded; `on_end` says so, now or later.
        """
        if self._mute:
            return
        left: bytes | memoryview = frame
        if at_once and not self._kept:
            written = self._push_one(frame)
            if written is None or written == len(frame):
                return
            left = memoryview(frame)[written:]
        self._kept.append(left)
        self._kept_bytes += len(left)
        if not self._flush_planned and not self._writer_armed:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    async def drained(self) -> None:
        """Wait until there is room for more. Raises PeerGone when there will never be."""
        while self._kept_bytes > self._high_water and not self._mute:
            await self._some_left()
        if self._mute:
            raise PeerGone("the connection is closed")

    async def flushed(self) -> None:
        """Wait until everything has left, or the other side takes no more."""
        while self._kept_bytes and not self._mute:
            await self._some_left()

    def pause(self) -> None:
        """Read nothing for now: the other side waits once its pipe is full."""
        if not self._paused:
            self._paused = True
            if not self._ended:
                self._loop.remove_reader(self._read_fd)

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if not self._ended:
                self._listen()

    def finish(self, reason: str) -> None:
        """Nothing that counts comes any more: read what is there (1 MiB at most), then end for `reason`.

        For a process that has exited while a descendant of it still holds the pipe open.
        """
        if not self._ended:
            self._loop.call_soon(self._read_last, reason)

    def close(self, reason: str = "closed here") -> None:
        """Stop, forget what was not sent, close the descriptors. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._stop_writing()
        # `on_end` is somebody else's code: whatever it raises, the descriptors are given back.
        try:
            self._end(reason)
        finally:
            os.close(self._read_fd)
            if self._write_fd != self._read_fd:
                os.close(self._write_fd)

    def _listen(self) -> None:
        try:
            self._loop.add_reader(self._read_fd, self._readable)
        except PermissionError:  # a regular file: always readable, and nothing that epoll could watch
            self._loop.call_soon(self._read_file)

    def _readable(self) -> None:
        for _ in range(_READS_A_TURN):
            # A short read has emptied the pipe: reading again would only cost a system call that says so.
            if self._read_once() < _READ_BYTES or self._paused:
                return

    def _read_once(self) -> int:
        """Read one chunk; how many bytes there were, 0 for nothing now or never."""
        if self._ended:
            return 0
        try:
            chunk = os.read(self._read_fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._end(f"read failed: {error.strerror}")
            return 0
        if not chunk:
            self._end("end of input")
            return 0
        self._on_data(chunk)
        return len(chunk)

    def _read_file(self) -> None:
        if not self._ended and not self._paused:
            self._read_once()
            self._loop.call_soon(self._read_file)

    def _read_last(self, reason: str) -> None:
        for _ in range(_READS_A_TURN):
            if not self._read_once():
                break
        self._end(reason)

    def _push_one(self, frame: bytes) -> int | None:
        """`_push` of one frame."""
        try:
            return os.write(self._write_fd, frame)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._broken(error)
            return None

    def _push(self, pieces: list[bytes | memoryview]) -> int | None:
        """Write what fits now; how many bytes that were, or None when the other side takes no more."""
        try:
            return os.writev(self._write_fd, pieces)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._broken(error)
            return None

    def _broken(self, error: OSError) -> None:
        self._stop_writing()
        # Not now, inside somebody's `write`: what the peer said before it left is still delivered, from the loop.
        self._loop.call_soon(self._read_last, f"write failed: {error.strerror}")

    def _flush(self) -> None:
        self._flush_planned = False
        while self._kept:
            pieces = list(islice(self._kept, _PIECES_A_WRITE))
            written = self._push(pieces)
            if written is None:
                return
            self._forget(written)
            if written < sum(map(len, pieces)):
                break
        if self._kept and not self._writer_armed:
            self._loop.add_writer(self._write_fd, self._flush)
            self._writer_armed = True
        elif not self._kept and self._writer_armed:
            self._loop.remove_writer(self._write_fd)
            self._writer_armed = False
        self._wake()

    def _forget(self, written: int) -> None:
        self._kept_bytes -= written
        while written:
            piece = self._kept.popleft()
            if len(piece) > written:
                self._kept.appendleft(memoryview(piece)[written:])
                return
            written -= len(piece)

    async def _some_left(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._drain_waiters[waiter] = None
        try:
            await waiter
        finally:
            del self._drain_waiters[waiter]

    def _wake(self) -> None:
        if self._mute or self._kept_bytes <= self._high_water:
            for waiter in self._drain_waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._on_room()

    def _stop_writing(self) -> None:
        if not self._mute:
            self._mute = True
            self._loop.remove_writer(self._write_fd)
            self._writer_armed = False
            self._kept.clear()
            self._kept_bytes = 0
            self._wake()

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._loop.remove_reader(self._read_fd)
            self._on_end(reason)
