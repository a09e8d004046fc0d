"""One process writes a log: the lock beside its file. Below it lies the SDK's lock."""

from __future__ import annotations

import os
from pathlib import Path

from animus_sdk import FileLock, FileLocked, Unavailable

__all__ = ["own"]


def own(log: Path) -> FileLock:
    """The lock on `<log>.lock`, taken. Raises Unavailable, naming the process that holds it, and OSError."""
    lock = FileLock(log.with_name(log.name + ".lock"))
    try:
        lock.acquire(f"{os.getpid()}\n")
    except FileLocked as error:
        raise Unavailable(
            f"{log}: process {error.text or 'unknown'} writes this log - end it, or set ANIMUS_LOG_FILE_PATH to another"
        ) from None
    return lock
