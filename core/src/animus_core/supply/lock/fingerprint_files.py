"""Walks what a fingerprint covers and hashes each file, once for as long as it does not move.

Below lie the cache and the file system. Only regular files are ever opened: a pipe or a device in an environment is
noted and left alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import RetryLater
from animus_core.store.caches import read_cached, write_cached
from animus_core.store.regular_files import open_regular

__all__ = ["FingerprintBounds", "Item", "KnownHashes", "walk"]

_VERSION: Final = 1
_MOST_CACHE_BYTES: Final = 64 << 20


class FingerprintBounds(NamedTuple):
    """How much an environment may hold, and what is believed of it.

    A hash is kept of a file that has rested for `settled_ns`: it may change twice within one tick of the clock that
    its time of change is taken from. An interpreter that has not printed its version after `ask_s` has none.
    """

    files: int = 200_000  # beyond that it is no environment, but a folder that somebody named by mistake
    settled_ns: int = 2_000_000_000  # the coarsest clock of a file system in use (FAT: 2 s)
    ask_s: float = 5.0  # as long as a plugin has for its manifest (protocol §2)


class Item(NamedTuple):
    """One thing that is covered. `kind`: file, program (a file that may be executed), link, special."""

    path: str
    kind: str
    target: str
    sha256: str


class KnownHashes:
    """Hashes of files by how `stat` describes them; kept in one file, or nowhere when `path` is None."""

    def __init__(self, path: Path | None, bounds: FingerprintBounds) -> None:
        self._path = path
        self._settled_ns = bounds.settled_ns
        content = read_cached(path, _MOST_CACHE_BYTES) if path is not None else {}
        known = content.get("files") if content.get("v") == _VERSION else None
        self._known: dict[str, str] = known if isinstance(known, dict) else {}
        self._used: dict[str, str] = {}

    def sha256(self, path: str, stat_result: os.stat_result) -> str:
        """The hash of the regular file at `path` (its last part no link), which `stat_result` describes.

        Raises OSError.
        """
        return self.remember(path, stat_result, lambda: _hash(path))

    def remember(self, path: str, stat_result: os.stat_result, work: Callable[[], str], what: str = "") -> str:
        """What `work` says of the file, or said when it was as it is now. Nothing is kept of an empty answer."""
        key = _key(what + path)
        signature = _signature(stat_result)
        # Two paths may share a key: device, inode, size and both times say whether it is this file.
        known = self._used.get(key) or self._known.get(key)
        if isinstance(known, str) and known.startswith(signature):
            self._used[key] = known
            return known[len(signature) :]
        at_ns = time.time_ns()
        answer = work()
        if answer and at_ns - stat_result.st_ctime_ns > self._settled_ns:
            self._used[key] = signature + answer
        return answer

    def save(self) -> None:
        """Keep what was used, if that is another thing than what was known."""
        # Only what was used: files that are gone leave the cache by themselves.
        if self._path is not None and self._used != self._known:
            write_cached(self._path, {"v": _VERSION, "files": self._used})


def walk(root: str, hashes: KnownHashes, most_files: int) -> Iterator[Item]:
    """Everything below `root`; what links lead to outside of it counts too. Paths are relative to `root`.

    Raises RetryLater for a file that cannot be read, and for more than `most_files`.
    """
    within = os.path.realpath(root) + os.sep
    folders = [(root, "")]
    linked: set[str] = set()
    count = 0
    while folders:
        folder, prefix = folders.pop()
        for entry in _entries(folder):
            count += 1
            if count > most_files:
                raise RetryLater(f"{root}: more than {most_files:,} files", hint="Install it into a folder of its own.")
            path = prefix + entry.name
            try:
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
                    # Each folder once: links may lead in circles. Inside the root it is walked anyway.
                    if os.path.isdir(real) and not (real + os.sep).startswith(within) and real not in linked:
                        linked.add(real)
                        folders.append((real, path + os.sep))
                    yield _link(path, entry.path, real, hashes)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, path + os.sep))
                else:
                    yield _file(path, entry.path, entry.stat(follow_symlinks=False), hashes)
            except FileNotFoundError:
                continue  # it has gone since the folder was listed, and what is there now is found the next time
            except OSError as error:
                raise _unreadable(entry.path, error) from error


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error


def _link(path: str, at: str, real: str, hashes: KnownHashes) -> Item:
    target = os.readlink(at)
    try:
        stat_result = os.stat(real)
    except OSError:
        return Item(path, "link", target, "")
    return Item(path, "link", target, hashes.sha256(real, stat_result) if stat.S_ISREG(stat_result.st_mode) else "")


def _file(path: str, at: str, stat_result: os.stat_result, hashes: KnownHashes) -> Item:
    if not stat.S_ISREG(stat_result.st_mode):
        # A pipe would hang and a device might act: it is noted by its name, so that its coming is a change.
        return Item(path, "special", "", "")
    return Item(path, "program" if stat_result.st_mode & 0o111 else "file", "", hashes.sha256(at, stat_result))


def _hash(path: str) -> str:
    with open_regular(path, follow=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _signature(found: os.stat_result) -> str:
    return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} "


def _key(path: str) -> str:
    """`path` as text that JSON can hold. Two paths may share a key: then the signature tells them apart."""
    return path if path.isascii() else path.encode(errors="backslashreplace").decode()


def _unreadable(path: str, error: OSError) -> RetryLater:
    return RetryLater(f"{path}: cannot be read: {error.strerror}", hint="Make it readable, or install it again.")
