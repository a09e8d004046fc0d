"""Whether a daemon is there, how long one waits for it, and what is said of one that is silent.

Below lie the store's locks.
"""

from __future__ import annotations

from typing import Final

from animus_core.errors import Conflict
from animus_core.store.locks import is_held, read_holder
from animus_core.store.paths import Scope

__all__ = ["CALL_S", "COMING_S", "TURN_S", "daemon_is_running", "silent_holder"]

CALL_S: Final = 30.0  # above what the daemon itself gives a plugin (15 s), so that its reason arrives
COMING_S: Final = 10.0  # between taking the lock and opening the socket lies the daemon's preflight
TURN_S: Final = 30.0  # another command without a daemon may hold the lock for one whole call


def daemon_is_running(scope: Scope) -> bool:
    """Whether a daemon holds the scope's lock."""
    return scope.root.is_dir() and is_held(scope.daemon_lock)


def silent_holder(scope: Scope) -> Conflict:
    """The error for a lock whose holder neither answers nor leaves."""
    holder = read_holder(scope.daemon_lock)
    pid = "unknown" if holder is None else holder.pid
    return Conflict(
        f"process {pid} holds {scope.daemon_lock} and does not answer at {scope.control_socket}",
        hint=f"Look at its log: {scope.daemon_log}",
    )
