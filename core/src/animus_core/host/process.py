"""One child process: its pipes, its stderr, its end with everything it started.

Called by `session.py` (plugins) and the runner (commands); below it lies `launch.py`. A child runs in a session of
its own, so that its whole group can be signalled, and dies with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import Unavailable

__all__ = ["Child", "ChildSpec", "launcher_command", "spawn"]

_log = logging.getLogger("animus.stderr")
_LAUNCHER: Final = str(Path(__file__).with_name("launch.py"))
_TAIL_LINES: Final = 200
_TAIL_LINE_CHARS: Final = 2000
_KILL_WAIT_S: Final = 5.0
_LAST_WORDS_S: Final = 0.5


class ChildSpec(NamedTuple):
    """What to start. `pass_fds` are inherited under their own numbers (a held lock)."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    pass_fds: tuple[int, ...] = ()


class Child:
    """A running child. `write_fd` and `read_fd` are our ends of its stdin and stdout and belong to the caller."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, write_fd: int, read_fd: int) -> None:
        self.name = name
        self.pid = process.pid
        self.write_fd = write_fd
        self.read_fd = read_fd
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._drain = asyncio.get_running_loop().create_task(self._drain_stderr())

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self._process.returncode

    @property
    def stderr_tail(self) -> str:
        """The last lines that it wrote to stderr (at most 200)."""
        return "\n".join(self._tail)

    async def wait(self) -> int:
        """Wait for its end; the return code."""
        return await self._process.wait()

    async def wait_within(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def end(self, grace_s: float) -> int:
        """SIGTERM to its group, SIGKILL after `grace_s`; reaped and its stderr drained when this returns."""
        if self.returncode is None:
            self._signal(signal.SIGTERM)
            if not await self.wait_within(grace_s):
                self._signal(signal.SIGKILL)
        await self._process.wait()
        self._signal(signal.SIGKILL)  # whoever is left of its group
        await self._finish_drain()
        return self._process.returncode or 0

    async def last_words(self) -> bool:
        """After its end: wait until all that it wrote to stderr is read, at most 0.5 s; whether it is."""
        done, _ = await asyncio.wait([self._drain], timeout=_LAST_WORDS_S)
        return bool(done)

    async def _finish_drain(self) -> None:
        if not await self.last_words():  # a descendant outside the group holds the pipe
            self._drain.cancel()
            await asyncio.wait([self._drain], timeout=_KILL_WAIT_S)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _drain_stderr(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the stream's limit: the reader has skipped it
                line = b"(a line longer than the limit was dropped)\n"
            if not line:
                return
            text = line.decode(errors="replace").rstrip()[:_TAIL_LINE_CHARS]
            self._tail.append(text)
            _log.info("%s: %s", self.name, text)


def launcher_command(command: Sequence[str]) -> list[str]:
    """`command`, tied to the life of this process by the launcher."""
    return [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *command]


async def spawn(spec: ChildSpec) -> Child:
    """Start a child with pipes on stdin, stdout and stderr. Raises Unavailable when it cannot be started."""
    child_in, write_fd = os.pipe()
    read_fd, child_out = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *launcher_command(spec.command),
            stdin=child_in,
            stdout=child_out,
            stderr=asyncio.subprocess.PIPE,
            env=dict(spec.env),
            cwd=spec.cwd,
            pass_fds=spec.pass_fds,
            start_new_session=True,
        )
    except OSError as error:
        os.close(write_fd)
        os.close(read_fd)
        raise Unavailable(
            f"cannot start {spec.name} ({spec.command[0]}): {error.strerror}",
            hint="Check that the working directory and the program exist and may be used.",
        ) from error
    finally:
        os.close(child_in)
        os.close(child_out)
    return Child(spec.name, process, write_fd, read_fd)
