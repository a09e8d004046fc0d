"""One process writes a log: the lock beside its file; taken by `log.py`, nothing of ours below.

The kernel gives the lock back when the process ends, however it ends. The pid in the file is for people.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from animus_sdk import Unavailable

__all__ = ["Ownership"]


class Ownership:
    """The lock on `<log>.lock`. Raises Unavailable, naming the process that holds it."""

    def __init__(self, log: Path) -> None:
        path = log.with_name(log.name + ".lock")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            if error.errno != errno.EWOULDBLOCK:
                raise
            raise Unavailable(
                f"{log}: process {holder or 'unknown'} writes this log - end it, or set ANIMUS_LOG_FILE_PATH to another"
            ) from None

    def release(self) -> None:
        """Let another process write the log."""
        os.close(self._fd)
