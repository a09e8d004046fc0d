"""Signals to a whole process group: a child of ours and all that it started and did not move away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable

__all__ = ["end_group", "signal_group"]


def signal_group(leader_pid: int, number: signal.Signals) -> None:
    """Send a signal to the group of a child that was started in a session of its own; nothing if it is gone.

    The caller has not reaped the leader yet: while it is a zombie, its number can belong to nobody else.
    """
    # Gone already; PermissionError is what macOS says of a group in which only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, number)


async def end_group(leader_pid: int, wait: Callable[[], Awaitable[object]], grace_s: float) -> None:
    """SIGTERM to the group of a child, SIGKILL after `grace_s` seconds; `wait()` returns at the leader's end.

    The leader has not been reaped yet. After a SIGKILL the caller still waits for the end.
    """
    # The group and not the process alone: a shell that is signalled does not pass it on to its children.
    signal_group(leader_pid, signal.SIGTERM)
    signal_group(leader_pid, signal.SIGCONT)  # one that is stopped could not obey
    try:
        async with asyncio.timeout(grace_s):
            await wait()
    except TimeoutError:
        signal_group(leader_pid, signal.SIGKILL)
