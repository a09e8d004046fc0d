"""Runs the program of a `run` step: no shell, bounded in time and output, ended with all that it started.

Called by `steps.py`; below it lies `launcher.py`, which becomes the program.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Outcome", "run_program"]

_LAUNCHER: Final = str(Path(__file__).with_name("launcher.py"))
_KEPT_BYTES: Final = 64 * 1024
_AFTER_END_S: Final = 2.0


class Outcome(NamedTuple):
    """Standard output and standard error as one text; `exit_code` is None when the time was over."""

    output: str
    exit_code: int | None


async def run_program(command: tuple[str, ...], cwd: Path, env: Mapping[str, str], timeout_s: float) -> Outcome:
    """Run `command` in `cwd` with `env` for at most `timeout_s` seconds; its first 64 KiB of output are kept.

    `python` means the interpreter of this process. However this ends, also by cancellation, the program and its
    process group are dead afterwards. Raises OSError when `cwd` is not a directory.
    """
    program = sys.executable if command[0] == "python" else command[0]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), program, *command[1:]),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    kept = bytearray()
    reading = asyncio.ensure_future(_read(process, kept))
    exit_code: int | None = None
    try:
        async with asyncio.timeout(timeout_s):
            exit_code = await process.wait()
    except TimeoutError:
        pass
    finally:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
            os.killpg(process.pid, signal.SIGKILL)
        # what left the process group may hold the pipe open, so the wait for its end is bounded
        await asyncio.wait([reading], timeout=_AFTER_END_S)
        reading.cancel()
        await process.wait()
    return Outcome(kept.decode(errors="replace"), exit_code)


async def _read(process: Process, kept: bytearray) -> None:
    """Read to the end, so that the program never blocks; keep the beginning."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    while chunk := await process.stdout.read(_KEPT_BYTES):
        kept += chunk[: _KEPT_BYTES - len(kept)]
