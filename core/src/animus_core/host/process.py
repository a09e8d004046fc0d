"""One child process: its pipes, its stderr, its end with everything it started.

A child runs in a session of its own, so that its whole group can be signalled, and dies with its parent. Its exit is
seen through a pidfd, and its group is ended before it is reaped, while the number of the group cannot belong to anybody
else.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import RetryLater
from animus_core.host.launch import CANNOT_START
from animus_core.host.output_tail import OutputTail
from animus_core.launch_options import Limits
from animus_core.store.process_group import end_group, signal_group

__all__ = ["Child", "ChildSpec", "NotStarted", "how_it_ended", "launcher_command", "spawn", "why_not_launched"]

_LAUNCHER: Final = str(Path(__file__).with_name("launch.py"))
_DRAIN_S: Final = 0.5
"""Somebody else may hold the pipe for ever; what the child itself wrote is there when it has exited."""
_MEGABYTE: Final = 1024 * 1024
_CAUSES: Final = {
    signal.SIGXCPU: "it used up its limit of processor time",
    signal.SIGSEGV: "it crashed",
    signal.SIGABRT: "it aborted",
}


class ChildSpec(NamedTuple):
    """What to start. `pass_fds` are inherited under their own numbers (a held lock); `secrets` never reach a log."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    pass_fds: tuple[int, ...] = ()
    limits: Limits = Limits()
    secrets: tuple[str, ...] = ()


class NotStarted(RetryLater):
    """A program that could not be started; `why` says it without the program's name."""

    def __init__(self, spec: ChildSpec, why: str) -> None:
        super().__init__(
            f"cannot start {spec.name} ({spec.command[0]}): {why}",
            hint="Check that the working directory and the program exist and may be used.",
        )
        self.why = why


class Child:
    """A running child. `write_fd` and `read_fd` are our ends of its stdin and stdout and belong to the caller.

    `was_ended_by_us`: its end, when it comes, is our doing.
    """

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], write_fd: int, read_fd: int, stderr: OutputTail
    ) -> None:
        self.name = name
        self.pid = process.pid
        self.write_fd = write_fd
        self.read_fd = read_fd
        self.was_ended_by_us = False
        self._process = process
        self._stderr = stderr
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._pidfd: int | None = None
        self._waiter: asyncio.Task[None] | None = None
        if sys.platform == "linux":
            self._pidfd = os.pidfd_open(process.pid)
            # No SIGCHLD handler and no thread a child: a pidfd is readable at the exit, and reaping is left to `_reap`.
            self._loop.add_reader(self._pidfd, self._reap)
        else:
            self._waiter = self._loop.create_task(self._wait_in_thread())

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self._exited.result() if self._exited.done() else None

    @property
    def stderr_tail(self) -> str:
        """The last lines that it wrote to stderr (at most 200)."""
        return self._stderr.text

    def on_exit(self, call: Callable[[], None]) -> None:
        """`call` is called once, on the loop, when the process has ended."""
        self._exited.add_done_callback(lambda _: call())

    async def wait(self) -> int:
        """Wait for its end; the return code."""
        # Many wait for one future: who is cancelled must not cancel it for the others.
        return await asyncio.shield(self._exited)

    async def wait_within(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        if not self._exited.done():
            await asyncio.wait([self._exited], timeout=timeout_s)
        return self._exited.done()

    async def end(self, grace_s: float) -> int:
        """SIGTERM to its group, SIGKILL after `grace_s`; reaped and its stderr drained when this returns."""
        if not self._exited.done():
            self.was_ended_by_us = True
            await end_group(self.pid, self.wait, grace_s)
        code = await self.wait()
        await self.drain_stderr()
        self._stderr.close()
        return code

    async def drain_stderr(self) -> None:
        """After its end: wait until all that it wrote to stderr is read, at most 0.5 s if others hold the pipe."""
        self._stderr.read_rest()
        if not self._stderr.ended.done():
            await asyncio.wait([self._stderr.ended], timeout=_DRAIN_S)

    def _reap(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
            # Whoever is left of its group, while the dead leader still keeps its number.
            signal_group(self.pid, signal.SIGKILL)
        self._ended(self._process.wait())

    async def _wait_in_thread(self) -> None:
        code = await asyncio.to_thread(self._process.wait)
        signal_group(self.pid, signal.SIGKILL)
        self._ended(code)

    def _ended(self, code: int) -> None:
        if not self._exited.done():
            self._exited.set_result(code)


def how_it_ended(code: int) -> str:
    """An exit code in words: `ended (exit code 1)`, `was killed by signal 9 (SIGKILL)`."""
    if code >= 0:
        return f"ended (exit code {code})"
    try:
        number = signal.Signals(-code)
    except ValueError:
        return f"was killed by signal {-code}"
    cause = _CAUSES.get(number)
    return f"was killed by signal {-code} ({number.name}{f': {cause}' if cause else ''})"


def launcher_command(command: Sequence[str], limits: Limits | None = None) -> list[str]:
    """`command`, limited, and tied to the life of this process by the launcher."""
    # -I and -S: nothing of the working directory, which may be hostile, and no site packages, which cost time.
    return [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), _limits_text(limits), *command]


def why_not_launched(code: int, stderr: str) -> str | None:
    """Why the launcher could not become its program, by its exit code and stderr; None if it could: `PROGRAM: why`."""
    return stderr.removeprefix(CANNOT_START) if code in (126, 127) and stderr.startswith(CANNOT_START) else None


def spawn(spec: ChildSpec) -> Child:
    """Start a child with pipes on stdin, stdout and stderr. Raises NotStarted.

    Must be called on a running loop, which sees the child's stderr and its end.
    """
    child_in, write_fd = os.pipe()
    read_fd, child_out = os.pipe()
    stderr_fd, child_err = os.pipe()
    try:
        process = subprocess.Popen(
            launcher_command(spec.command, spec.limits),
            stdin=child_in,
            stdout=child_out,
            stderr=child_err,
            env=dict(spec.env),
            cwd=spec.cwd,
            pass_fds=spec.pass_fds,
            # A session of its own: Ctrl-C at the operator's terminal reaches us, and we end the plugin in order.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the command or the environment
        for fd in (write_fd, read_fd, stderr_fd):
            os.close(fd)
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise NotStarted(spec, why) from error
    finally:
        for fd in (child_in, child_out, child_err):
            os.close(fd)
    return Child(spec.name, process, write_fd, read_fd, OutputTail(stderr_fd, spec.name, spec.secrets))


def _limits_text(limits: Limits | None) -> str:
    if limits is None:
        return "-"
    values = {
        "memory": None if limits.memory_mb is None else limits.memory_mb * _MEGABYTE,
        "cpu": limits.cpu_seconds,
        "files": limits.open_files,
    }
    return ",".join(f"{name}={value}" for name, value in values.items() if value is not None) or "-"
