"""A plugin's process: started with a cleared environment, its stderr always drained, its whole group ended.

Owned by `host.py`, started by `plugin_under_test.py`; below it lies asyncio's subprocess (protocol §2).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Launch", "PluginProcess"]

_STDERR_KEPT_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_KILLED_S: Final = 10.0
_LOOK_S: Final = 0.001


class Launch(NamedTuple):
    """What to start: program and arguments, working directory (the project's root), the whole environment."""

    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]


class PluginProcess:
    """One process. `read` gives its output; `stderr_bytes` counts what it wrote to stderr."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stderr = bytearray()
        self.stderr_bytes = 0
        self._draining = asyncio.create_task(self._drain())

    @classmethod
    async def start(cls, launch: Launch) -> PluginProcess:
        """Start it in a session of its own. Raises OSError."""
        return cls(
            await asyncio.create_subprocess_exec(
                *launch.command,
                cwd=launch.cwd,
                env=dict(launch.environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; a signal's number, negative, when one ended it."""
        return self._process.returncode

    async def read(self, limit_bytes: int = _READ_BYTES) -> bytes:
        """The next piece of its output; empty at the end."""
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe above
        return await self._process.stdout.read(limit_bytes)

    def write(self, data: bytes) -> None:
        """Give it input; what it does not read yet waits here."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    async def consumed(self, within_s: float) -> bool:
        """Wait until it has read all of its input; whether it did, within `within_s` seconds.

        Nothing tells when a pipe has been emptied, so this looks every millisecond.
        """
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
        pipe: int = self._process.stdin.get_extra_info("pipe").fileno()
        deadline = time.monotonic() + within_s
        while self._process.stdin.transport.get_write_buffer_size() or _unread_bytes(pipe):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    def end_input(self) -> None:
        """Close its stdin."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def exited(self, within_s: float) -> bool:
        """Wait for its end; whether it ended within `within_s` seconds."""
        try:
            await asyncio.wait_for(self._process.wait(), within_s)
        except TimeoutError:
            return False
        return True

    def stderr_tail(self) -> str:
        """The last of what it wrote to stderr."""
        return self._stderr.decode(errors="replace")

    async def kill(self) -> None:
        """End it and its whole group, at once, and let go of its pipes."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.wait_for(self._process.wait(), _KILLED_S)
        self._draining.cancel()
        await asyncio.wait([self._draining])
        self.end_input()
        transport = self._process._transport  # type: ignore[attr-defined]  # asyncio offers no other way to close a pipe that a descendant still holds
        transport.close()

    async def _drain(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - opened as a pipe above
        while chunk := await self._process.stderr.read(_READ_BYTES):
            self.stderr_bytes += len(chunk)
            self._stderr += chunk
            del self._stderr[:-_STDERR_KEPT_BYTES]


def _unread_bytes(pipe: int) -> int:
    """How much lies in a pipe, by its writing end; 0 where the system does not tell."""
    try:
        count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0]
    except OSError:
        return 0
    return count
