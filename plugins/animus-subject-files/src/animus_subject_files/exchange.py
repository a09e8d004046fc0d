"""What the kernel offers for changing a file that others change too. Nothing of ours below.

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

__all__ = ["OpenFile", "StillOpen", "exchange", "opened", "rename_new", "sync_folder"]

_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2
# Old kernels, file systems without the flag, and filters of containers (EPERM) each say it in their own way.
_NOT_OFFERED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM})
_FIRST_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.02


_RENAMEAT2: Final = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None


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
        # `link` refuses a name that exists; `rename` would replace it.
        os.link(source, target)
        source.unlink()


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class OpenFile:
    """A file opened for reading: it stays the same file whatever becomes of its name. `opened` makes it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._leased = False
        self._content = b""

    def settle(self, timeout_s: float) -> bytes:
        """The bytes while nobody has the file open for writing; from now on, who opens it for writing is kept waiting.

        Raises StillOpen after `timeout_s`. Where the system cannot tell, reads at once and keeps nobody waiting.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            leased = _take_lease(self._fd)
            if leased is not False:
                self._leased = bool(leased)
                self._content = _read_all(self._fd)
                # Somebody may have begun to open it while it was read.
                if self.undisturbed():
                    return self._content
                self.let_go()
            if time.monotonic() >= deadline:
                raise StillOpen
            time.sleep(pause_s)  # the kernel tells nobody when the last writer closes: ask again
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def undisturbed(self) -> bool:
        """Whether since `settle` nobody changed it or began to open it for writing (who began waits until `let_go`)."""
        if self._leased:
            return _lease_is_ours(self._fd)
        return _read_all(self._fd) == self._content

    def let_go(self) -> None:
        """Keep nobody waiting any more."""
        if self._leased and sys.platform == "linux":
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        self._leased = False

    def is_at(self, path: Path) -> bool:
        """Whether `path` names this very file now."""
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(path, follow_symlinks=False))
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def opened(path: Path) -> Iterator[OpenFile]:
    """`path`, open until the block ends; a symbolic link is refused. Raises OSError."""
    # O_NONBLOCK: a named pipe in the file's place would keep the thread until somebody writes into it.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield OpenFile(fd)
    finally:
        os.close(fd)  # gives the lease back


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


def _renameat2(source: Path, target: Path, flag: int) -> bool:
    """Whether the system carried it out; False where it does not offer the call. Raises OSError."""
    if _RENAMEAT2 is None:
        return False
    if _RENAMEAT2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))


def _exchange_in_two_steps(first: Path, second: Path) -> None:
    # `leftovers.py` knows this name: a crash between the steps leaves the file under it.
    kept = first.with_name(first.name + ".kept")
    os.link(second, kept)
    first.replace(second)
    kept.replace(first)
