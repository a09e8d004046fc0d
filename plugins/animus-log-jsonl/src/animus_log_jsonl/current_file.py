"""The file that is written: opened, appended to, cut back, and fixed where a crash cut off its last batch.

Below lies `lines.py`. It lives on the writer's thread and knows bytes only.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path
from typing import Final

from animus_log_jsonl.lines import whole_end
from animus_sdk.crash_points import declare, reach

__all__ = ["CurrentFile"]

_COPY_BYTES: Final = 1024 * 1024
_WRITE_BYTES: Final = 256 * 1024

_PARTLY_WRITTEN: Final = declare("log-jsonl.partly-written", "a part of a batch is in the file")
_WRITTEN: Final = declare("log-jsonl.written", "a batch is in the file, perhaps not on the disk")
_SYNCED: Final = declare("log-jsonl.synced", "a batch is on the disk, its ids are in no index")

_log = logging.getLogger("animus_log_jsonl")


class CurrentFile:
    """An open file that only grows, or is cut back to where it was. Everything raises OSError.

    `size_bytes` is where the last whole batch ends. A part behind it that was found at opening is moved to
    `<name>.torn`, in place of an earlier one.
    """

    def __init__(self, path: Path) -> None:
        # O_NOFOLLOW refuses it, too, but the system calls that "too many levels of symbolic links".
        if path.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link, name the file itself", str(path))
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self.size_bytes = 0
        self._is_clean = True
        try:
            facts = os.fstat(self._fd)
            if not stat.S_ISREG(facts.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            self._repair(facts.st_size)
        except BaseException:
            self.close()
            raise

    def append(self, batch: bytes) -> None:
        """Write a batch at the end, whole; where that fails, cut the file back and raise OSError."""
        if not self._is_clean:
            self.cut_back(self.size_bytes)
        # Until the batch is whole: a write that fails and a cut that fails both leave it so.
        self._is_clean = False
        try:
            self._write(batch)
        except OSError:
            self.cut_back(self.size_bytes)
            raise
        self._is_clean = True
        self.size_bytes += len(batch)
        reach(_WRITTEN)

    def cut_back(self, size_bytes: int) -> None:
        """Take away what lies behind `size_bytes`; where that fails, nothing is written until it succeeds."""
        self.size_bytes, self._is_clean = size_bytes, False
        os.ftruncate(self._fd, size_bytes)
        self._is_clean = True

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        # It forces the size onto the disk with the content, and leaves out the times, which no reader needs.
        os.fdatasync(self._fd)
        reach(_SYNCED)

    def is_in_place(self) -> bool:
        """Whether the path still names this file, and nobody has shortened it."""
        try:
            facts = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(facts, os.fstat(self._fd)) and facts.st_size >= self.size_bytes

    def has_grown(self) -> bool:
        """Whether somebody else has written behind the end."""
        return self._is_clean and os.fstat(self._fd).st_size > self.size_bytes

    def close(self) -> None:
        """Give the file back."""
        os.close(self._fd)

    def _repair(self, found_bytes: int) -> None:
        self.size_bytes = whole_end(self._fd, found_bytes)
        if self.size_bytes < found_bytes:
            torn = self._path.with_name(self._path.name + ".torn")
            # Copied and on the disk before it is cut off: a crash between the two loses nothing.
            self._copy(self.size_bytes, torn)
            self.cut_back(self.size_bytes)
            self.sync()
            _log.warning(
                "%s: its last %d bytes are a batch that was never finished - moved to %s",
                self._path,
                found_bytes - self.size_bytes,
                torn.name,
            )

    def _copy(self, offset: int, target: Path) -> None:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as copy:
            while block := os.pread(self._fd, _COPY_BYTES, offset):
                copy.write(block)
                offset += len(block)
            copy.flush()
            os.fsync(fd)

    def _write(self, batch: bytes) -> None:
        left = memoryview(batch)
        while left:
            left = left[os.write(self._fd, left[:_WRITE_BYTES]) :]
            reach(_PARTLY_WRITTEN)
