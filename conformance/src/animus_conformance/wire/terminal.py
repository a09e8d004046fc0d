"""Runs a plugin as a person would who types its name: with a terminal as standard input.

Called by one check of the life cycle; below it lies the standard library's pty (protocol §2).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from animus_conformance.verdict import Unproven

__all__ = ["run_on_terminal"]


async def run_on_terminal(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], within_s: float
) -> tuple[int | None, str]:
    """The exit code, None when it did not end in time, and what it wrote to stderr. Raises Unproven."""
    controller, terminal = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=dict(environment),
            stdin=terminal,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        os.close(controller)
        raise Unproven(f"{command[0]} cannot be started: {error.strerror}") from error
    finally:
        os.close(terminal)
    try:
        _, stderr = await asyncio.wait_for(process.communicate(), within_s)
        return process.returncode, stderr.decode(errors="replace")
    except TimeoutError:
        return None, ""
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        os.close(controller)
