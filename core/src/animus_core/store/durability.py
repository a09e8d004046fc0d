"""Flushing to the disk itself: what must hold after a power loss, and not only after a crash.

Linux has `fdatasync`; macOS answers `fsync` before the drive has written and needs `F_FULLFSYNC`, which some of its
file systems refuse: then `fsync` is the best there is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["sync_data", "sync_directory"]


def sync_data(fd: int) -> None:
    """Return once the file's content and length are on the disk; raises OSError when they are not."""
    if sys.platform == "darwin":
        _full_sync(fd)
    else:
        # Without the times of the inode, which nobody reads back: one write less for each record.
        os.fdatasync(fd)


def sync_directory(directory: Path) -> None:
    """Return once the names in `directory` are on the disk; raises OSError when they are not."""
    # A rename or a new name lives in the directory: without its flush a power loss brings the old name back.
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if sys.platform == "darwin":
            _full_sync(fd)
        else:
            os.fsync(fd)
    finally:
        os.close(fd)


if sys.platform == "darwin":

    def _full_sync(fd: int) -> None:
        import fcntl

        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(fd)
