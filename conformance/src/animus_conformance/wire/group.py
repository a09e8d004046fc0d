"""A command with everything that it starts: begun in a session of its own, waited for by itself, ended as a whole.

Whatever the suite starts is one: plugins, their manifests, the settings' commands. Below it lie asyncio's subprocess
transports. `asyncio.subprocess.Process.wait` would wait for whoever holds the pipes, too: a helper that outlives the
plugin, or a pipe that nobody reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from animus_conformance.errors import SuiteBroken

__all__ = ["Launch", "ProcessGroup"]

_Stream = TypeVar("_Stream")
_BUFFER_BYTES: Final = 64 * 1024
_KILLED_S: Final = 10.0
"""SIGKILL works at once but for a process that waits for a disk: that one is given up."""


class Launch(NamedTuple):
    """What to start: program and arguments, working directory, the whole environment."""

    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]


class _Pipes(SubprocessStreamProtocol):
    """The streams of a process, and the moment of its own end."""

    def __init__(self) -> None:
        super().__init__(limit=_BUFFER_BYTES, loop=asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class ProcessGroup:
    """The process that was started, its streams, and its group.

    Only a stream that was opened as a pipe can be asked for: any other one raises SuiteBroken.
    """

    def __init__(self, transport: asyncio.SubprocessTransport, pipes: _Pipes) -> None:
        self._transport = transport
        self._pipes = pipes
        self.pid = transport.get_pid()

    @classmethod
    async def start(cls, launch: Launch, *, stdin: Any = PIPE, stdout: Any = PIPE, stderr: Any = PIPE) -> ProcessGroup:
        """Start it; the streams are what `subprocess` takes for them. Raises OSError."""
        transport, pipes = await asyncio.get_running_loop().subprocess_exec(
            _Pipes,
            *launch.command,
            cwd=launch.cwd,
            env=dict(launch.environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # one signal to the group reaches all that it starts, unless that leaves, too
        )
        return cls(transport, pipes)

    @property
    def stdin(self) -> asyncio.StreamWriter:
        """What is written here, the process reads."""
        return _opened(self._pipes.stdin, "stdin")

    @property
    def stdout(self) -> asyncio.StreamReader:
        """What the process prints."""
        return _opened(self._pipes.stdout, "stdout")

    @property
    def stderr(self) -> asyncio.StreamReader:
        """What the process prints as an error."""
        return _opened(self._pipes.stderr, "stderr")

    @property
    def exit_code(self) -> int | None:
        """None while it runs; a signal's number, negative, when one ended it."""
        return self._transport.get_returncode()

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        with contextlib.suppress(ProcessLookupError):
            self._transport.send_signal(number)

    async def exited(self, within_s: float) -> bool:
        """Wait for the end of the process itself; whether it ended within `within_s` seconds."""
        try:
            async with asyncio.timeout(within_s):
                await self._pipes.exited.wait()
        except TimeoutError:
            return False
        return True

    async def end(self) -> None:
        """Kill it and its whole group, at once, and let go of its pipes, whoever still holds their other ends."""
        # macOS says the latter where only zombies are left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        try:
            await self.exited(_KILLED_S)
        finally:
            self._transport.close()


def _opened(stream: _Stream | None, name: str) -> _Stream:
    if stream is None:
        raise SuiteBroken(f"{name} of this process was not opened as a pipe")
    return stream
