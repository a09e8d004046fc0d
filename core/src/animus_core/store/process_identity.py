"""Who a process is beyond its pid, and how to signal exactly that process.

For pids that were stored: in lock files, run rows, hello frames. Ownership is never decided here (a lock says that); an
identity is for display and for signals. On Linux a signal goes through a pidfd that is checked against boot id and
start time after it was opened, so a reused pid is never hit. Elsewhere psutil's start time is compared right before
the kill, which leaves a window of microseconds.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import sys
from pathlib import Path
from typing import NamedTuple

if sys.platform != "linux":
    import psutil

__all__ = ["ProcessIdentity", "identify", "is_alive", "open_pidfd", "own_identity", "resident_bytes", "signal_process"]


class ProcessIdentity(NamedTuple):
    """A pid that cannot be mistaken: with the boot it belongs to and the start time the kernel gives (a text)."""

    pid: int
    boot_id: str
    starttime: str


def own_identity() -> ProcessIdentity:
    """The identity of the calling process."""
    own = identify(os.getpid())
    if own is None:
        raise RuntimeError("the calling process is not in the process table: is /proc mounted?")
    return own


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of the process that has `pid` now (a zombie has one too), or None."""
    started = _starttime(pid)
    return None if started is None else ProcessIdentity(pid, _boot_id(), started)


def resident_bytes(pid: int) -> int | None:
    """How much memory a process has in RAM, for display; None where that is not known, or when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs; a zombie does not."""
    fd = open_pidfd(identity)
    if fd is not None:
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            # A pidfd is readable once the process has ended, also while it is a zombie that nobody has reaped.
            return not poll.poll(0)
        finally:
            os.close(fd)
    return identify(identity.pid) == identity and not _is_zombie(identity.pid)


def signal_process(identity: ProcessIdentity, number: int) -> bool:
    """Send signal `number` to exactly this process; False if it is gone.

    Raises PermissionError for a process of another user.
    """
    fd = open_pidfd(identity)
    try:
        if fd is not None and sys.platform == "linux":
            signal.pidfd_send_signal(fd, number)
        elif identify(identity.pid) == identity:
            os.kill(identity.pid, number)
        else:
            return False
    # It ended after the check: gone is gone.
    except ProcessLookupError:
        return False
    finally:
        if fd is not None:
            os.close(fd)
    return True


def open_pidfd(identity: ProcessIdentity) -> int | None:
    """A descriptor of exactly this process, readable once it has ended; the caller closes it.

    None if the process is gone, and where the platform has no pidfds.
    """
    if sys.platform != "linux":
        return None
    try:
        fd = os.pidfd_open(identity.pid)
    except OSError:
        # Gone, or a kernel or sandbox without pidfds: callers then look at the identity once more.
        return None
    # The check comes after the opening: from here on the descriptor means the process that was looked at.
    if identify(identity.pid) != identity:
        os.close(fd)
        return None
    return fd


if sys.platform == "linux":

    @functools.cache
    def _boot_id() -> str:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def _starttime(pid: int) -> str | None:
        fields = _stat(pid)
        return None if fields is None else fields[19]

    def _is_zombie(pid: int) -> bool:
        fields = _stat(pid)
        return fields is None or fields[0] in ("Z", "X")

    def _stat(pid: int) -> list[str] | None:
        """The fields of /proc/PID/stat from the third on (proc(5): state first, the start time is the 20th)."""
        try:
            line = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field, the command's name in parentheses, may hold any byte, blanks and parentheses too.
        return line[line.rindex(b")") + 2 :].decode("ascii").split()

else:

    @functools.cache
    def _boot_id() -> str:
        # Whole seconds: the fraction is computed from the clock and differs from call to call.
        return str(int(psutil.boot_time()))

    def _starttime(pid: int) -> str | None:
        try:
            return repr(psutil.Process(pid).create_time())
        except (psutil.NoSuchProcess, ValueError):
            return None

    def _is_zombie(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, ValueError):
            return True
