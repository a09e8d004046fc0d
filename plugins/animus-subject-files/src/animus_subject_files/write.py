"""Changing files under people's hands without losing a byte of theirs. The folder's lock is held by the caller.

Called by `folder.py`; below lie `exchange.py` (the kernel's means), `merge.py` and `leftovers.py` (names of temporary
files). The new version is written beside the file and swapped with it; what comes out of the swap must be what was
read, else somebody saved in between and their version is worked in and swapped again. Whoever still has the version
that came out open for writing is waited for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from animus_sdk import InvalidInput, Unavailable
from animus_subject_files.exchange import StillOpen, exchange, rename_new, settled, sync_folder
from animus_subject_files.front_matter import FrontMatterError
from animus_subject_files.leftovers import being_written, deleted_name, rescue, swap_name
from animus_subject_files.merge import merge

__all__ = ["create", "read_settled", "remove", "replace"]

_WAIT_FOR_WRITER_S: Final = 3.0
_WAIT_FOR_RETURN_S: Final = 0.3
_ROUNDS: Final = 100
_TRIES_WHILE_AWAY: Final = 5

_log = logging.getLogger("animus_subject_files")


def read_settled(path: Path) -> bytes:
    """The file's bytes while nobody is writing it. Raises FileNotFoundError and Unavailable.

    A file that was there a moment ago may be away while an editor replaces it: it is given 0.3 s to come back.
    """
    deadline = time.monotonic() + _WAIT_FOR_RETURN_S
    while True:
        try:
            with settled(path, _WAIT_FOR_WRITER_S) as content:
                return content
        except StillOpen:
            raise _still_open(path) from None
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_WAIT_FOR_RETURN_S / 20)


def replace(path: Path, change: Callable[[bytes], bytes], check: Callable[[bytes], object]) -> bytes:
    """Apply `change` to the file and return its bytes afterwards; nothing is written if nothing changes.

    `check` raises FrontMatterError for bytes that are no task. Raises what `change` raises, FileNotFoundError, and
    Unavailable when others keep writing; the file then holds their version and nothing of it is lost.
    """
    for _ in range(_TRIES_WHILE_AWAY):
        base = read_settled(path)
        placed = change(base)
        if placed == base:
            return base
        with contextlib.suppress(FileNotFoundError):  # an editor is just replacing it, or it was deleted: look again
            return _Swap(path, change, check).run(base, placed)
    raise Unavailable(f"{path}: it keeps disappearing - nothing was changed; retry")


def create(path: Path, content: bytes) -> None:
    """A new file, whole from the first moment. Raises FileExistsError."""
    temporary = being_written(path)
    try:
        _write(temporary, content, None)
        rename_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Delete the file, in one step for whoever looks. Raises FileNotFoundError."""
    away = deleted_name(path)
    path.rename(away)
    away.unlink()
    sync_folder(path.parent)


class _Swap:
    """One change of one file: versions go in, what comes out is accounted for."""

    def __init__(self, path: Path, change: Callable[[bytes], bytes], check: Callable[[bytes], object]) -> None:
        self._path = path
        self._change = change
        self._check = check

    def run(self, base: bytes, placed: bytes) -> bytes:
        out: list[tuple[Path, bytes]] = [(self._place(base, placed), base)]
        for number in range(_ROUNDS):
            displaced, included = out.pop()
            try:
                theirs = self._retire(displaced, included)
                if theirs is None:
                    if not out:
                        sync_folder(self._path.parent)
                        return placed
                    continue
                first = number == 0
                merged = self._change(theirs) if first else self._combined(included, placed, theirs)
            except (StillOpen, FrontMatterError, InvalidInput) as error:
                self._put_back(displaced, None if number else placed)
                self._rescue_all(out)
                raise _still_open(self._path) if isinstance(error, StillOpen) else error from None
            out.append((displaced, theirs))
            try:
                out.append((self._place(placed, merged), placed))
            except FileNotFoundError:
                self._rescue_all(out)
                raise
            placed = merged
        self._rescue_all(out)
        raise Unavailable(f"{self._path}: others kept saving it, {_ROUNDS} times in a row - retry")

    def _place(self, included: bytes, content: bytes) -> Path:
        """Put `content` in the file's place; the path of what was there. Raises FileNotFoundError."""
        temporary = being_written(self._path)
        swapped = swap_name(self._path, included, content)
        try:
            _write(temporary, content, os.stat(self._path, follow_symlinks=False))
            temporary.rename(swapped)
            exchange(swapped, self._path)
        except OSError:
            temporary.unlink(missing_ok=True)
            swapped.unlink(missing_ok=True)
            raise
        sync_folder(self._path.parent)
        return swapped

    @staticmethod
    def _retire(displaced: Path, included: bytes) -> bytes | None:
        """Delete `displaced` if the file has all of it, else return what it holds. Raises StillOpen."""
        with contextlib.suppress(FileNotFoundError), settled(displaced, _WAIT_FOR_WRITER_S) as content:
            if content != included:
                return content
            displaced.unlink()
        return None

    def _combined(self, included: bytes, placed: bytes, theirs: bytes) -> bytes:
        merged = merge(included, placed, theirs)
        if merged is not None:
            with contextlib.suppress(FrontMatterError):
                self._check(merged)
                return merged
        spare = being_written(self._path)
        _write(spare, placed, None)
        kept = rescue(spare, self._path)
        _log.warning("%s: two people changed the same lines; the older version is kept in %s", self._path, kept.name)
        return theirs

    def _put_back(self, displaced: Path, ours: bytes | None) -> None:
        """Give the file its displaced version again; what is then left is deleted if it is `ours`, else kept."""
        try:
            exchange(displaced, self._path)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                rename_new(displaced, self._path)
                return
        with contextlib.suppress(StillOpen):
            if ours is not None and self._retire(displaced, ours) is None:
                return
        self._rescue_all([(displaced, b"")])

    def _rescue_all(self, out: list[tuple[Path, bytes]]) -> None:
        for displaced, _ in out:
            kept = rescue(displaced, self._path)
            _log.warning("%s: a version that could not be worked in is kept in %s", self._path, kept.name)


def _still_open(path: Path) -> Unavailable:
    return Unavailable(
        f"{path}: another program has had it open for writing for {_WAIT_FOR_WRITER_S:g} s - nothing was changed; "
        "close it there, then retry"
    )


def _write(path: Path, content: bytes, like: os.stat_result | None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with open(fd, "wb") as file:
        if like is not None:
            os.fchmod(fd, like.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):  # only root may give a file away
                os.fchown(fd, like.st_uid, like.st_gid)
        file.write(content)
        file.flush()
        os.fsync(fd)
