"""A lock that one process at a time has, also against other plugins of the same kind: a file, locked by the kernel.

Public for authors; below it lies `flock`. The kernel gives the lock back when the process ends, however it ends, so a
lock file that lies about locks nothing and is never in anybody's way.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from animus_protocol.errors import Unavailable

__all__ = ["FileLock", "FileLocked"]

_PAUSE_S: Final = 0.005
_MAX_TEXT_BYTES: Final = 64


class FileLocked(Unavailable):
    """Another process has the lock; `text` is what it wrote into the file, by custom its process id."""

    def __init__(self, path: Path, text: str, wait_s: float) -> None:
        super().__init__(f"{path}: another process has held the lock for {wait_s:g} s - retry")
        self.text = text


class FileLock:
    """The lock on the file at `path`, which is made with `mode` where there is none and is never removed.

        with FileLock(folder / ".lock", wait_s=2.0):
            path.write_text("…")

    Or `acquire` and `release` it: a plugin that owns something for as long as it runs does so in `start` and `stop`.
    Waiting blocks the thread, so it belongs into plain functions, or `wait_s` is 0.
    """

    def __init__(self, path: Path, *, wait_s: float = 0.0, mode: int = 0o600) -> None:
        self.path = path
        self._wait_s = wait_s
        self._mode = mode
        self._fd = -1

    def acquire(self, text: str | None = None) -> None:
        """Take the lock, trying for `wait_s` seconds, and write `text` into the file for whoever finds it locked.

        Raises FileLocked; OSError where the file cannot be opened or written, and then the lock is not taken.
        """
        deadline = time.monotonic() + self._wait_s
        while True:
            # A symbolic link could have the file made or locked somewhere else: it is refused.
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, self._mode)
            try:
                if self._lock(fd):
                    if text is not None:
                        _write(fd, text)
                    self._fd, fd = fd, -1
                    return
                if time.monotonic() >= deadline:
                    raise FileLocked(self.path, _read(fd), self._wait_s)
            finally:
                if fd >= 0:
                    os.close(fd)
            time.sleep(_PAUSE_S)  # flock can wait, but not with a deadline

    def release(self) -> None:
        """Let another process have it; may be called again."""
        # The file stays: were it removed, one process could wait for the old file while another locks a new one.
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def text(self) -> str:
        """What the file says, without blanks around it; to be read and set by whoever has the lock (64 bytes)."""
        return _read(self._fd)

    @text.setter
    def text(self, text: str) -> None:
        _write(self._fd, text)

    def _lock(self, fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have removed the file between the two calls: then others lock another file of that name.
            return os.path.samestat(os.fstat(fd), os.stat(self.path, follow_symlinks=False))
        except (BlockingIOError, FileNotFoundError):
            return False

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _write(fd: int, text: str) -> None:
    # Written first and cut then: whoever dies in between leaves the new text, and no empty file.
    os.ftruncate(fd, os.pwrite(fd, text.encode(), 0))


def _read(fd: int) -> str:
    return os.pread(fd, _MAX_TEXT_BYTES, 0).decode(errors="replace").strip()
