"""A plugin's process: its output read on request, its stderr always drained, its whole group ended.

Below it lies the process group (protocol §2).
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
import time
from typing import Final

from animus_conformance.wire.group import Launch, ProcessGroup

__all__ = ["PluginProcess"]

_STDERR_KEPT_BYTES: Final = 64 * 1024
"""Always read to the end, since a full pipe would stop the plugin; kept as far as anybody shows it."""
_READ_BYTES: Final = 64 * 1024
_POLL_S: Final = 0.001


class PluginProcess:
    """One process. `read` gives its output; `stderr_bytes` counts what it wrote to stderr."""

    def __init__(self, group: ProcessGroup) -> None:
        self._group = group
        self._stdin, self._stdout = group.stdin, group.stdout
        self._stderr = bytearray()
        self.stderr_bytes = 0
        self._draining = asyncio.create_task(self._drain(group.stderr))

    @classmethod
    async def start(cls, launch: Launch) -> PluginProcess:
        """Start it; the working directory is the project's root. Raises OSError."""
        return cls(await ProcessGroup.start(launch))

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its session."""
        return self._group.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; a signal's number, negative, when one ended it."""
        return self._group.exit_code

    async def read(self, limit_bytes: int = _READ_BYTES) -> bytes:
        """The next piece of its output; empty at the end."""
        return await self._stdout.read(limit_bytes)

    def write(self, data: bytes) -> None:
        """Give it input; what it does not read yet waits here."""
        if not self._stdin.is_closing():
            self._stdin.write(data)

    async def consumed(self, within_s: float) -> bool:
        """Wait until it has read all of its input; whether it did, within `within_s` seconds.

        Nothing tells when a pipe has been emptied, so the pipe is polled every millisecond.
        """
        deadline = time.monotonic() + within_s
        while not self._stdin.is_closing():
            pipe: int = self._stdin.get_extra_info("pipe").fileno()
            if not self._stdin.transport.get_write_buffer_size() and not _unread_bytes(pipe):
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return False

    def end_input(self) -> None:
        """Close its stdin."""
        self._stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        self._group.signal(number)

    async def exited(self, within_s: float) -> bool:
        """Wait for its end; whether it ended within `within_s` seconds, whatever it has left behind."""
        return await self._group.exited(within_s)

    def stderr_since(self, count_bytes: int) -> str:
        """What it wrote to stderr after the first `count_bytes`, as far as it is kept."""
        wanted = min(self.stderr_bytes - count_bytes, len(self._stderr))
        return self._stderr[len(self._stderr) - wanted :].decode(errors="replace")

    async def kill(self) -> None:
        """End it and its whole group, at once, and let go of its pipes."""
        try:
            await self._group.end()
        finally:
            self._draining.cancel()
        await asyncio.wait([self._draining])

    async def _drain(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(_READ_BYTES):
            self.stderr_bytes += len(chunk)
            self._stderr += chunk
            # Its end is kept: a traceback ends with the error.
            del self._stderr[:-_STDERR_KEPT_BYTES]


def _unread_bytes(pipe: int) -> int:
    """How much lies in a pipe, by its writing end; 0 where the system does not tell."""
    try:
        count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0]
    except OSError:
        return 0
    return count
