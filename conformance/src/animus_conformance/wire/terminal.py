"""Runs a plugin as a person would who types its name: with a terminal as standard input.

Below it lie the standard library's pty and the process group (protocol §2).
"""

from __future__ import annotations

import asyncio
import os
import pty
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from animus_conformance.verdict import Unproven
from animus_conformance.wire.group import Launch, ProcessGroup

__all__ = ["run_on_terminal"]

_KEPT_BYTES: Final = 64 * 1024


async def run_on_terminal(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], within_s: float
) -> tuple[int | None, str]:
    """The exit code, None when it did not end in time, and how its stderr begins. Raises Unproven."""
    controller, terminal = pty.openpty()
    try:
        group = await ProcessGroup.start(Launch(command, cwd, environment), stdin=terminal, stdout=DEVNULL)
    except OSError as error:
        os.close(controller)
        raise Unproven(f"{command[0]} cannot be started: {error.strerror}") from error
    finally:
        os.close(terminal)
    stderr = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while chunk := await group.stderr.read(_KEPT_BYTES):
                # Read on beyond what is kept: a full pipe would stop the plugin.
                stderr += chunk[: _KEPT_BYTES - len(stderr)]
            await group.exited(within_s)
    except TimeoutError:
        pass  # told by the missing exit code
    finally:
        exit_code = group.exit_code
        await group.end()
        os.close(controller)
    return exit_code, stderr.decode(errors="replace")
