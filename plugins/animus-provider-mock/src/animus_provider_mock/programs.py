"""Runs the program of a `run` step: no shell, bounded in time and output, ended with all that it started.

Below it lies `launcher.py`, which becomes the program.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ProgramResult", "run_program"]

_LAUNCHER: Final = str(Path(__file__).with_name("launcher.py"))
_KEPT_BYTES: Final = 64 * 1024


class ProgramResult(NamedTuple):
    """Standard output and standard error as one text; `exit_code` is None when the time was over."""

    output: str
    exit_code: int | None


async def run_program(command: tuple[str, ...], cwd: Path, env: Mapping[str, str], timeout_s: float) -> ProgramResult:
    """Run `command` in `cwd` with `env` for at most `timeout_s` seconds; its first 64 KiB of output are kept.

    `python` means the interpreter of this process. However this ends, also by cancellation, the program is dead
    afterwards and the rest of its process group was sent SIGKILL. Raises OSError when `cwd` is not a directory.
    """
    program = sys.executable if command[0] == "python" else command[0]
    # a file and no pipe: what the program leaves behind could hold a pipe open, and this would wait for it
    with tempfile.TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), program, *command[1:]),
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        exit_code = await _exit_code(process, timeout_s)
        output.seek(0)
        return ProgramResult(output.read(_KEPT_BYTES).decode(errors="replace"), exit_code)


async def _exit_code(process: Process, timeout_s: float) -> int | None:
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
