"""The folder's lock: one plugin process writes at a time; called by `folder.py`, nothing of ours below.

The file `.lock` also remembers the highest task number ever given, so that the id of a deleted task is not given
again. People's editors know nothing of it: `write.py` deals with them.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from animus_sdk import Unavailable

__all__ = ["FolderLock"]

_NAME: Final = ".lock"
_PAUSE_S: Final = 0.005
_MAX_DIGITS: Final = 18


class FolderLock:
    """Context manager; entering raises Unavailable when the lock is not free within `timeout_s`."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        self._path = folder / _NAME
        self._timeout_s = timeout_s
        self._fd = -1

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self._timeout_s
        while not self._try():
            if time.monotonic() >= deadline:
                raise Unavailable(f"{self._path}: another process has held the lock for {self._timeout_s:g} s - retry")
            time.sleep(_PAUSE_S)  # flock has no deadline of its own
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        self._fd = -1

    def _try(self) -> bool:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(self._path, follow_symlinks=False)):
                self._fd = fd
                return True
        except (BlockingIOError, FileNotFoundError):
            pass  # held by another process, or the lock file was deleted between the two calls
        os.close(fd)
        return False

    @property
    def highest(self) -> int:
        """The highest task number that was ever given, 0 at first."""
        text = os.pread(self._fd, 64, 0).decode(errors="replace").strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else 0

    @highest.setter
    def highest(self, number: int) -> None:
        os.pwrite(self._fd, f"{number:>{_MAX_DIGITS}}\n".encode(), 0)
