"""Notifications of the file system for a set of folders. Below it lies watchfiles.

A notification only says where to look. Where there are none (the system's limit of watches is reached, a name that
cannot be subscribed to), `problem` says so, and the caller looks from time to time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError  # documented: "Rust backend direct usage"

from animus_trigger_files.scan import Identity

__all__ = ["Notifications"]

_GROUPED_MS: Final = 200
_STEP_MS: Final = 25
_ATTEMPTS: Final = 5

_log = logging.getLogger("animus_trigger_files")


class Notifications:
    """Of the folders that `cover` was last called with, relative to `root`; each folder alone, not what is below it.

    Where there are none, `cover` tries again after `try_again_s`.
    """

    def __init__(self, root: Path, try_again_s: float) -> None:
        self._root = root
        self._try_again_s = try_again_s
        self._notify: RustNotify | None = None
        self._covered: Mapping[str, Identity] = {}
        self._is_stale = True
        self._try_again_at = 0.0
        self.problem: str | None = None

    def cover(self, folders: Mapping[str, Identity]) -> bool:
        """Subscribe to `folders`; whether that was done anew, so that something may have been missed before."""
        is_covered = self._covered == folders and not self._is_stale
        if is_covered and (self.problem is None or time.monotonic() < self._try_again_at):
            return False
        self._covered, self._is_stale = dict(folders), False
        self._try_again_at = time.monotonic() + self._try_again_s
        problem = self._subscribe([self._path(folder) for folder in folders])
        if problem is not None and problem != self.problem:
            _log.warning("no notifications of the file system: %s - looking from time to time instead", problem)
        self.problem = problem
        return True

    def wait(self, timeout_s: float, interrupt: threading.Event) -> set[str] | None:
        """The paths that changed, or None when any may have; empty after `timeout_s` seconds.

        It returns None at once when `interrupt` is set, as what the library had gathered is lost then.
        """
        if self._notify is None:
            return None if interrupt.wait(timeout_s) else set()
        try:
            found = self._notify.watch(_GROUPED_MS, _STEP_MS, max(1, int(timeout_s * 1000)), interrupt)
        except WatchfilesRustInternalError as error:  # a name that is not UTF-8: it is told nothing more
            _log.debug("subscribing again: %s", error)
            self._is_stale = True
            return None
        if interrupt.is_set():
            self._is_stale = True  # what is lost may have been that a folder came or went
            return None
        moved = set() if isinstance(found, str) else {self._relative(path) for _, path in found}
        if not moved.isdisjoint(self._covered):
            self._is_stale = True  # a folder came or went: its subscription may have gone with it
        return moved

    def close(self) -> None:
        """End the subscription and the thread of the system's library."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    def _subscribe(self, paths: list[str]) -> str | None:
        """Replace the subscription; what is wrong with the new one, or None."""
        earlier = self._notify
        try:
            # A folder that is away just now was left out. It may come back as the same inode, so that nothing but this
            # tells the next call that nobody is subscribed to it.
            self._notify, self._is_stale = _notify_of(paths) if paths else (None, False)
        except (OSError, WatchfilesRustInternalError) as error:
            self._notify = None
            return str(error).partition("\n")[0]
        finally:
            if earlier is not None:
                earlier.close()  # only now, so that hardly anything goes unnoticed between the two
        return None if all(map(_is_text, paths)) else "the name of a folder is not UTF-8"

    def _path(self, folder: str) -> str:
        return f"{self._root}/{folder}" if folder else str(self._root)

    def _relative(self, path: str) -> str:
        return path[len(str(self._root)) :].lstrip("/")


def _notify_of(paths: list[str]) -> tuple[RustNotify, bool]:
    """A subscription, and whether a folder was left out because it was not there.

    Raises FileNotFoundError when folders come and go faster than they can be subscribed to.
    """
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(FileNotFoundError):
            return _notify_of_existing(paths)
    return _notify_of_existing(paths)


def _notify_of_existing(paths: list[str]) -> tuple[RustNotify, bool]:
    existing = [path for path in paths if os.path.isdir(path)]
    notify = RustNotify(
        [path for path in existing if _is_text(path) and os.access(path, os.R_OK)],
        debug=False,
        force_polling=False,
        poll_delay_ms=0,
        recursive=False,
        ignore_permission_denied=False,  # it would ignore the system's limit of watches, too
    )
    return notify, len(existing) < len(paths)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
