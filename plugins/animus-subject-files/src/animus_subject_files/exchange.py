"""What the kernel offers for changing a file that others change too; called by `write.py`, nothing of ours below.

On Linux: `renameat2` swaps two names in one step, and a read lease tells whether anybody holds a file open for
writing. Elsewhere (or on a file system without them) the documented fallbacks are a link followed by a replace, which
leaves a moment in which a save by rename is lost, and no knowledge about open files.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["StillOpen", "exchange", "rename_new", "settled", "sync_folder"]

_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2
_NOT_OFFERED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM})
_FIRST_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.02


class StillOpen(Exception):
    """Somebody held the file open for writing until the deadline."""


def exchange(first: Path, second: Path) -> None:
    """Swap two files of one folder atomically, or in two steps where the system cannot (see the module).

    Raises FileNotFoundError when one of them is absent, and nothing has changed then.
    """
    if not _renameat2(first, second, _RENAME_EXCHANGE):
        _exchange_in_two_steps(first, second)


def rename_new(source: Path, target: Path) -> None:
    """Rename `source`; raises FileExistsError, with nothing changed, when `target` exists."""
    if not _renameat2(source, target, _RENAME_NOREPLACE):
        os.link(source, target)
        source.unlink()


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def settled(path: Path, timeout_s: float) -> Iterator[bytes]:
    """The bytes of `path`, read while nobody has it open for writing; who opens it now waits until the block ends.

    Raises StillOpen after `timeout_s`, and OSError. Where the system cannot tell, reads at once.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield _read_alone(fd, time.monotonic() + timeout_s)
    finally:
        os.close(fd)  # gives the lease back


def _read_alone(fd: int, deadline: float) -> bytes:
    pause_s = _FIRST_PAUSE_S
    while True:
        leased = _take_lease(fd)
        if leased is not False:
            content = _read_all(fd)
            if leased is None or _lease_is_ours(fd):
                return content
            _give_lease_back(fd)
        if time.monotonic() >= deadline:
            raise StillOpen
        time.sleep(pause_s)  # the kernel tells nobody when the last writer closes: ask again
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _read_all(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _take_lease(fd: int) -> bool | None:
    """True: nobody has it open for writing. False: somebody has. None: this system or this file does not tell."""
    if sys.platform != "linux":
        return None
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # ignored by default; SIGIO, the default, would kill us
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _lease_is_ours(fd: int) -> bool:
    """Whether nobody has begun to open the file for writing since the lease was taken."""
    if sys.platform != "linux":
        return True
    return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK


def _give_lease_back(fd: int) -> None:
    if sys.platform == "linux":
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _renameat2(source: Path, target: Path, flag: int) -> bool:
    """Whether the system carried it out; False where it does not offer the call. Raises OSError."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))


def _exchange_in_two_steps(first: Path, second: Path) -> None:
    kept = first.with_name(first.name + ".kept")
    os.link(second, kept)
    first.replace(second)
    kept.replace(first)
