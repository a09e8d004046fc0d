"""Signals to a whole process group: a child of ours and all that it started and did not move away."""

from __future__ import annotations

import contextlib
import os
import signal

__all__ = ["signal_group"]


def signal_group(leader_pid: int, number: signal.Signals) -> None:
    """Send a signal to the group of a child that was started in a session of its own; nothing if it is gone.

    The caller has not reaped the leader yet: while it is a zombie, its number can belong to nobody else.
    """
    # Gone already; PermissionError is what macOS says of a group in which only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, number)
