"""Named points at which a process can be made to die, so that tests prove that nothing is lost there.

They lie around each commit, fsync, spawn, acknowledgement and publication, in the core, the SDK and plugins alike.
Below them lies the standard library. Each distribution declares its points at the top of the module that reaches them.
In production the variable `ANIMUS_CRASH_POINT` is unset and `reach` is one dictionary lookup.

`ANIMUS_CRASH_POINT` is `name@nth:/path/to/marker`, several separated by `;`. On the nth arrival of a process at that
point it creates the marker and kills itself with SIGKILL; where the marker exists already it goes on, so that one
marker means exactly one crash, however often the process is started again. Where several kinds of processes pass the
same point, `role/name@nth:…` means the one that has called `set_role(role)`.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

__all__ = ["CRASH_POINTS", "VARIABLE", "declare", "reach", "set_role"]

VARIABLE: Final = "ANIMUS_CRASH_POINT"

CRASH_POINTS: Final[dict[str, str]] = {}
"""Every declared point: its name, and where in the code it lies and what has happened there."""


def declare(name: str, where: str) -> str:
    """Add a point to `CRASH_POINTS` and return its name; call it at the top of the module that reaches it.

    Raises ValueError for a name that cannot be written in the variable or is declared with another meaning.
    """
    if not name or any(mark in name for mark in "@:; \n"):
        raise ValueError(f"crash point {name!r}: a name is not empty and holds none of '@', ':', ';', blanks")
    if CRASH_POINTS.setdefault(name, where) != where:
        raise ValueError(f"crash point {name!r} is declared twice: {CRASH_POINTS[name]!r} and {where!r}")
    return name


def set_role(role: str) -> None:
    """Say what kind of process this is (`daemon`, `runner`, `agent-runner`, a plugin's kind); called by its main()."""
    global _ROLE  # noqa: PLW0603 - a process has one role, and points are reached from everywhere in it
    _ROLE = role


def reach(name: str) -> None:
    """Say that this process arrives at the point `name`; raises LookupError for a name that nobody declared."""
    if name not in CRASH_POINTS:
        raise LookupError(f"crash point {name!r} is not declared: call declare() at the top of its module")
    if _ARMED:
        _arrive(name)


class _Armed:
    """One entry of the variable, and how often this process still has to arrive."""

    __slots__ = ("left", "marker", "name", "nth")

    def __init__(self, name: str, nth: int, marker: str) -> None:
        self.name = name
        self.nth = nth
        self.left = nth
        self.marker = marker


def _parse(text: str) -> list[_Armed]:
    armed = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        head, _, marker = entry.partition(":")
        name, _, nth = head.partition("@")
        if not name or not marker or not nth.isdecimal() or int(nth) < 1:
            raise ValueError(f"{VARIABLE}: cannot read {entry!r}; write name@nth:/path/to/marker, nth from 1")
        armed.append(_Armed(name, int(nth), marker))
    return armed


def _arrive(name: str) -> None:
    due = []
    # Threads arrive at points, too, and two of them must not both be the nth.
    with _COUNTING:
        for entry in _ARMED:
            if entry.name in (name, f"{_ROLE}/{name}"):
                entry.left -= 1
                if entry.left == 0:
                    due.append(entry.marker)
    for marker in due:
        _crash(name, marker)


def _crash(name: str, marker: str) -> None:
    try:
        # O_EXCL decides between processes that arrive at the same time: exactly one of them makes the marker and dies.
        fd = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.write(fd, f"{name} {os.getpid()}\n".encode())
    # No exit and no exception: nothing may be cleaned up or flushed, as when the machine ends the process.
    os.kill(os.getpid(), signal.SIGKILL)


def _count_anew() -> None:
    global _COUNTING  # noqa: PLW0603 - a forked child starts with a lock that no thread of its parent holds
    _COUNTING = threading.Lock()
    for entry in _ARMED:
        entry.left = entry.nth


_ARMED: Final = _parse(os.environ.get(VARIABLE, ""))
_COUNTING = threading.Lock()
_ROLE = ""
if _ARMED and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_anew)
