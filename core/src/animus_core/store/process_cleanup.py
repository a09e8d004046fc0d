"""Ending what escaped: processes that carry a cookie in their environment, and all that descends from them.

Direct children die with their parent; this finds those that made a session of their own or whose parent died first.
Below it lies `process_identity`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from animus_core.errors import RetryLater
from animus_core.store.process_identity import (
    ProcessIdentity,
    identify,
    is_alive,
    open_pidfd,
    own_identity,
    signal_process,
)

if sys.platform != "linux":
    import psutil

__all__ = ["end_by_cookie"]

_KILL_PATIENCE_S = 5.0  # SIGKILL works at once except inside a system call that cannot be interrupted
_LONGEST_POLL_S = 0.05  # only where there are no pidfds: the end of a foreign process has no event there


def end_by_cookie(name: str, value: str, *, grace_s: float) -> list[ProcessIdentity]:
    """End every process of this user whose environment holds `name=value`, with its descendants; never itself.

    TERM first, and after `grace_s` seconds KILL for what still runs or came in between. Returns what was ended, in
    order of pid. Raises RetryLater if something survives KILL (a process inside an uninterruptible system call).
    """
    met: dict[int, ProcessIdentity] = {found.pid: found for found in _carriers(name, value)}
    for identity in met.values():
        signal_process(identity, signal.SIGTERM)
    _wait_all(met.values(), time.monotonic() + grace_s)

    deadline = time.monotonic() + _KILL_PATIENCE_S
    while True:
        # Searched again each round: what is being ended may have started something meanwhile.
        for found in _carriers(name, value):
            met[found.pid] = found
        alive = [identity for identity in met.values() if is_alive(identity)]
        if not alive:
            return sorted(met.values(), key=lambda identity: identity.pid)
        if time.monotonic() >= deadline:
            pids = ", ".join(str(identity.pid) for identity in alive)
            raise RetryLater(
                f"processes with {name}={value} in their environment survive SIGKILL: {pids}",
                hint="They wait inside the kernel, often for a disk or a network mount; fix that, then retry.",
                details={"pids": [identity.pid for identity in alive]},
            )
        for identity in alive:
            signal_process(identity, signal.SIGKILL)
        # A bounded round: what was started meanwhile is looked for at least once a second.
        _wait_all(alive, min(deadline, time.monotonic() + 1.0))


def _carriers(name: str, value: str) -> Iterator[ProcessIdentity]:
    """The processes with the cookie and their descendants, which may have dropped it; without this one."""
    children: dict[int, list[int]] = {}
    roots: list[int] = []
    # The whole `NAME=value`, compared with whole entries: a value that only begins with ours is somebody else's.
    cookie = os.fsencode(f"{name}={value}")
    for process in _own_processes():
        children.setdefault(process.parent, []).append(process.pid)
        if cookie in process.environment:
            roots.append(process.pid)
    # Never this process: one that was started inside a run inherits a cookie as well.
    seen = {own_identity().pid}
    while roots:
        pid = roots.pop()
        if pid in seen:
            continue
        seen.add(pid)
        roots.extend(children.get(pid, ()))
        identity = identify(pid)
        if identity is not None:
            yield identity


class _Process(NamedTuple):
    pid: int
    parent: int
    environment: list[bytes]


def _own_processes() -> Iterator[_Process]:
    """The processes of this user; one that may not be looked into has an empty environment."""
    if sys.platform == "linux":
        user = os.geteuid()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                if folder.stat().st_uid == user:
                    # Behind the last `)`: the command's name before it may hold blanks and parentheses.
                    parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
                    yield _Process(int(folder.name), parent, (folder / "environ").read_bytes().split(b"\0"))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while it was looked at
            except PermissionError:
                # Its environment is closed to us, and it may still descend from one that carries the cookie.
                yield _Process(int(folder.name), parent, [])
    else:
        for process in psutil.process_iter():
            try:
                if process.uids().effective == os.geteuid():
                    environment = [os.fsencode(f"{key}={text}") for key, text in process.environ().items()]
                    yield _Process(process.pid, process.ppid(), environment)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue


def _wait_all(identities: Iterable[ProcessIdentity], deadline: float) -> None:
    """Return when all have ended or `deadline` (of time.monotonic) has passed."""
    for identity in identities:
        fd = open_pidfd(identity)
        try:
            while is_alive(identity) and (left_s := deadline - time.monotonic()) > 0:
                poll = select.poll()
                if fd is not None:
                    poll.register(fd, select.POLLIN)
                    poll.poll(left_s * 1000)
                else:
                    poll.poll(min(left_s, _LONGEST_POLL_S) * 1000)
        finally:
            if fd is not None:
                os.close(fd)
