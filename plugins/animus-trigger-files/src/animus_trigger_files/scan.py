"""The files of a trigger as they are now, and the folders that must be watched to know.

Below it lie `fingerprint.py` and the file system. One walk from the project's root down: it enters what may hold
selected files, and a symbolic link only where the configuration names it, so it ends and never leaves the project.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from animus_sdk import InvalidParams
from animus_trigger_files.fingerprint import Fingerprint, read_fingerprint
from animus_trigger_files.patterns import Selection, is_inside

__all__ = ["Detail", "Identity", "Scan", "scan"]

Identity = tuple[int, int]
"""Device and inode: a folder that was deleted and made again is another one."""


class Detail(IntEnum):
    """How closely to look: at folders alone, at the stamps of files too, or at the content of changed ones."""

    FOLDERS = 0
    STAMPS = 1
    CONTENT = 2


@dataclass(slots=True)
class Scan:
    """`unseen` are paths of which, and below which, nothing could be learnt, each with the reason."""

    files: dict[str, Fingerprint] = field(default_factory=dict)
    folders: dict[str, Identity] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)


def scan(
    root: Path,
    selection: Selection,
    known: Mapping[str, Fingerprint],
    detail: Detail,
    stopped: Callable[[], bool],
    start: str = "",
) -> Scan | None:
    """Look at every selected file in the folder `start` and below; None when `stopped` said so meanwhile.

    Raises InvalidParams when there are more files than a trigger may have.
    """
    walk = _Walk(root, selection, known, detail)
    if selection.enters(start):
        walk.waiting.append(start)
    while walk.waiting:
        walk.enter(walk.waiting.pop(), stopped)
        if stopped():
            return None
    return walk.found


class _Walk:
    def __init__(self, root: Path, selection: Selection, known: Mapping[str, Fingerprint], detail: Detail) -> None:
        self._root = root
        self._selection = selection
        self._known = known
        self._detail = detail
        self.found = Scan()
        self.waiting: list[str] = []

    def enter(self, folder: str, stopped: Callable[[], bool]) -> None:
        """Look at what is in `folder`, and put its own folders in the queue."""
        path = f"{self._root}/{folder}"
        try:
            with os.scandir(path) as entries:
                found = os.stat(path)
                self.found.folders[folder] = (found.st_dev, found.st_ino)
                for entry in entries:
                    if stopped():
                        return
                    self._scan_entry(entry, f"{folder}/{entry.name}" if folder else entry.name)
        except (FileNotFoundError, NotADirectoryError) as error:
            self.found.folders.pop(folder, None)
            if not folder:  # a project that is away, not one whose files were deleted
                self.found.unseen[folder] = _reason(error)
        except OSError as error:
            self.found.unseen[folder] = _reason(error)

    def _scan_entry(self, entry: os.DirEntry[str], path: str) -> None:
        try:
            follow = entry.is_symlink() and self._selection.names(path)
            if follow and not is_inside(self._root, entry.path):
                self.found.unseen[path] = "a symbolic link that leads out of the project"
            elif entry.is_dir(follow_symlinks=follow):
                if self._selection.enters(path):
                    self.waiting.append(path)
            elif self._detail > Detail.FOLDERS and self._selection.selects(path):
                with_content = self._detail is Detail.CONTENT
                fingerprint = read_fingerprint(
                    entry.path, self._known.get(path), follow=follow, with_content=with_content
                )
                if fingerprint is not None:
                    self._keep(path, fingerprint)
        except FileNotFoundError:
            pass  # deleted since the folder was listed
        except OSError as error:
            self.found.unseen[path] = _reason(error)

    def _keep(self, path: str, fingerprint: Fingerprint) -> None:
        self.found.files[path] = fingerprint
        most = self._selection.max_files
        if len(self.found.files) > most:
            raise InvalidParams(f"more than {most:,} files - narrow `paths`, or add to `ignore`")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
