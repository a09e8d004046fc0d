"""Changing files under people's hands without losing a byte of theirs. The folder's lock is held by the caller.

Below lie `exchange.py` (the kernel's means), `merge.py` and `leftovers.py` (names of temporary files). A round: read;
write the new version beside the file; hold the file, so that writers in place wait; swap the two; what came out must be
the file that is held, and nobody may be waiting for it. Otherwise somebody saved at that very moment: swap back at once
and begin the next round with their version.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from animus_sdk import InvalidParams, Unavailable
from animus_subject_files.exchange import OpenFile, StillOpen, exchange, opened, rename_new, sync_folder
from animus_subject_files.front_matter import FrontMatterError
from animus_subject_files.leftovers import being_written, deleted_name, rescue, swap_name
from animus_subject_files.merge import merge
from animus_subject_files.patch import Change
from animus_subject_files.timings import FolderTimings

__all__ = ["create", "read_settled", "remove", "replace"]

_log = logging.getLogger("animus_subject_files")


def read_settled(path: Path, timings: FolderTimings) -> bytes:
    """The file's bytes while nobody is writing it. Raises FileNotFoundError and Unavailable.

    A file that was there a moment ago may be away while an editor replaces it: it is given 0.3 s to come back.
    """
    deadline = time.monotonic() + timings.return_s
    while True:
        try:
            with opened(path) as file:
                return file.settle(timings.writer_s)
        except StillOpen:
            raise _still_open(path, timings.writer_s) from None
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(timings.return_s / 20)  # an editor that saves by renaming: the file is about to come back


def replace(path: Path, change: Change, check: Callable[[bytes], object], timings: FolderTimings) -> bytes:
    """Apply `change` to the file and return its bytes afterwards; nothing is written if nothing changes.

    `check` raises FrontMatterError for bytes that are no task. Raises what `change` raises, FileNotFoundError, and
    Unavailable when others keep writing; the file then holds their version and nothing of it is lost.
    """
    return _Replacement(path, change, check, timings).run()


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


class _Replacement:
    """One change of one file: versions go in, and every version that comes out is accounted for.

    `_change` grows by what others saved on top of a version of ours; their files stay in `_kept` until it is written.
    `_stale` are versions of ours that could be seen for a moment although they lacked somebody's save.
    """

    def __init__(self, path: Path, change: Change, check: Callable[[bytes], object], timings: FolderTimings) -> None:
        self._path = path
        self._timings = timings
        self._change = change
        self._check = check
        self._kept: list[Path] = []
        self._stale: list[bytes] = []

    def run(self) -> bytes:
        try:
            placed = self._until_placed()
            while self._stale:
                placed = self._restored(placed)
        except BaseException:
            for kept in self._kept:
                self._rescue(kept)
            raise
        for kept in self._kept:
            kept.unlink(missing_ok=True)
        return placed

    def _until_placed(self) -> bytes:
        deadline = time.monotonic() + self._timings.give_up_s
        while time.monotonic() < deadline:
            base = read_settled(self._path, self._timings)
            placed = self._change(base)
            if placed == base:
                return base
            with contextlib.suppress(FileNotFoundError):  # it is being replaced, or was deleted: look again
                if self._swap(self._beside(base, placed), base, placed):
                    return placed
        raise Unavailable(f"{self._path}: others kept saving it for {self._timings.give_up_s:g} s - retry")

    def _restored(self, placed: bytes) -> bytes:
        """Wait for saves on top of stale versions, and put back what they lack of `placed`."""
        stale, self._stale = self._stale, []

        def restore(content: bytes) -> bytes:
            for seen in stale if content != placed else []:
                content = self._combined(seen, placed, content)
            return content

        self._change = restore
        time.sleep(self._timings.grace_s)  # a program that read a stale version has saved by then
        try:
            return self._until_placed()
        except Unavailable:
            self._rescue_copy(placed)
            return placed

    def _beside(self, base: bytes, content: bytes) -> Path:
        temporary = being_written(self._path)
        try:
            _write(temporary, content, os.stat(self._path, follow_symlinks=False))
            return temporary.rename(swap_name(self._path, base, content))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _swap(self, beside: Path, base: bytes, placed: bytes) -> bool:
        """Whether `placed` is in the file's place and nobody's save was displaced; if not, theirs is there again.

        Raises FileNotFoundError and Unavailable. `beside` is deleted only once it is known to hold nothing of theirs.
        """
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(opened(self._path))
                if file.settle(self._timings.writer_s) != base or not file.is_at(self._path):
                    beside.unlink()
                    return False
                exchange(beside, self._path)
            except StillOpen:
                beside.unlink()
                raise _still_open(self._path, self._timings.writer_s) from None
            except FileNotFoundError:
                beside.unlink()
                raise
            if file.is_at(beside) and file.undisturbed():
                sync_folder(self._path.parent)
                if file.undisturbed():
                    beside.unlink()
                    return True
            displaced = stack.enter_context(opened(beside))
            self._swap_back(beside)
            file.let_go()
            self._work_in_save_on_ours(beside, placed)
            self._work_in_save_before_ours(displaced, placed)
            return False

    def _swap_back(self, beside: Path) -> None:
        try:
            exchange(beside, self._path)
        except FileNotFoundError:  # deleted meanwhile: what came out of the first swap is all there is
            self._rescue(beside)
            raise

    def _work_in_save_on_ours(self, ours: Path, placed: bytes) -> None:
        """Account for what came out when ours was swapped back: usually ours, else a save on top of it."""
        try:
            with opened(ours) as file:
                theirs = file.settle(self._timings.writer_s)
        except StillOpen:
            self._rescue(ours)
            return
        if theirs == placed:
            ours.unlink()
            return
        earlier = self._change
        self._kept.append(ours)
        self._change = lambda content: self._combined(placed, earlier(content), theirs)

    def _work_in_save_before_ours(self, displaced: OpenFile, placed: bytes) -> None:
        """Keep what was displaced for a moment: a save on top of ours may replace it before it is read again."""
        earlier = self._change
        self._stale.append(placed)
        try:
            theirs = displaced.settle(self._timings.writer_s)
            whole = earlier(theirs)
        except StillOpen:
            raise _still_open(self._path, self._timings.writer_s) from None
        except (FrontMatterError, InvalidParams):
            return  # theirs is no task: the next round says so, if it is still there
        self._change = lambda content: whole if content == theirs else self._combined(placed, whole, earlier(content))

    def _combined(self, base: bytes, ours: bytes, theirs: bytes) -> bytes:
        merged = merge(base, ours, theirs)
        if merged is not None:
            with contextlib.suppress(FrontMatterError):
                self._check(merged)
                return merged
        self._rescue_copy(ours)
        return theirs

    def _rescue_copy(self, content: bytes) -> None:
        copy = being_written(self._path)
        _write(copy, content, None)
        self._rescue(copy)

    def _rescue(self, version: Path) -> None:
        kept = rescue(version, self._path)
        _log.warning("%s: two saves at once; the one that is not in it is kept in %s", self._path, kept.name)


def _still_open(path: Path, waited_s: float) -> Unavailable:
    return Unavailable(
        f"{path}: another program has had it open for writing for {waited_s:g} s - nothing was changed; "
        "close it there, then retry"
    )


def _write(path: Path, content: bytes, like: os.stat_result | None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with open(fd, "wb") as file:
        # The swap puts another file in the place of theirs: mode and owner have to move with the name.
        if like is not None:
            os.fchmod(fd, like.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):  # only root may give a file away
                os.fchown(fd, like.st_uid, like.st_gid)
        file.write(content)
        file.flush()
        os.fsync(fd)
