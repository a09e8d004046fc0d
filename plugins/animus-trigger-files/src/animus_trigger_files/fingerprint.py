"""What is remembered of a file, so that a change is told from a save that changes nothing.

Below it lies the file system. The stamp (size, times, inode) says that a file was not touched; when it was, the digest
of its content says whether it is another one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import Final, NamedTuple

__all__ = ["Fingerprint", "is_same", "read_fingerprint"]

_MAX_READ_BYTES: Final = 16 * 1024 * 1024
_FRESH_NS: Final = 100_000_000  # a second write within one tick of the file system's clock leaves the same stamp


class Fingerprint(NamedTuple):
    """`stamp` is empty as long as the file is too fresh for it; `digest` is empty as long as nobody read the file."""

    stamp: str
    digest: bytes


def is_same(old: Fingerprint, new: Fingerprint) -> bool:
    """Whether the file is, as far as can be known, what it was."""
    if old.digest and new.digest:
        return old.digest == new.digest
    return old.stamp == new.stamp != ""


def read_fingerprint(path: str, known: Fingerprint | None, *, follow: bool, with_content: bool) -> Fingerprint | None:
    """The file at `path` as it is now; None for what is neither a file nor a link. Raises OSError.

    Content is read only where the stamp is not the `known` one, and never more than 16 MiB: a larger file has its stamp
    alone. Without `with_content`, only what is too fresh for its stamp is read. A file that may not be read any more
    counts as what it was. A link that is not followed is the text of its target.
    """
    found = os.stat(path, follow_symlinks=follow)
    stamp = _stamp(found)
    if stat.S_ISLNK(found.st_mode):
        return Fingerprint(stamp, hashlib.sha256(os.fsencode(os.readlink(path))).digest())
    if not stat.S_ISREG(found.st_mode):
        return None
    if known is not None and known.stamp == stamp and known.digest:
        return known
    if found.st_size > _MAX_READ_BYTES or not (with_content or _is_fresh(found)):
        return Fingerprint(stamp, b"")
    try:
        # O_NONBLOCK: a named pipe that has taken the file's place must not keep the thread.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except PermissionError:
        return Fingerprint("", known.digest) if known is not None and known.digest else Fingerprint(stamp, b"")
    with open(fd, "rb") as file:
        return _read(file.fileno())


def _read(fd: int) -> Fingerprint | None:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        return None  # it was replaced between the two calls
    digest = hashlib.sha256()
    left = _MAX_READ_BYTES
    while left and (block := os.read(fd, min(left, 1024 * 1024))):
        digest.update(block)
        left -= len(block)
    # Written meanwhile, the digest is that of no version: without a stamp the file is read again.
    settled = _stamp(os.fstat(fd)) == _stamp(before) and not _is_fresh(before)
    return Fingerprint(_stamp(before) if settled else "", digest.digest())


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"


def _is_fresh(found: os.stat_result) -> bool:
    return time.time_ns() - found.st_ctime_ns < _FRESH_NS
