"""A folder of the project with files that wait, and with `done/`, where those are that were taken for good.

Nothing of ours lies below.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from animus_sdk import InvalidParams, Unavailable

__all__ = ["Inbox", "Waiting"]


class Waiting(NamedTuple):
    """A file that waits. `id` is the same as long as the file is, also in another process; `done_name` is unique, too."""

    id: str
    path: Path
    size_bytes: int
    done_name: str


class Inbox:
    """The folder `name` below `root`; both folders are made where they are missing."""

    def __init__(self, root: Path, name: str) -> None:
        """Raises InvalidParams for a folder outside the project, Unavailable for one that cannot be made."""
        self.folder = (root / name).resolve()
        if not self.folder.is_relative_to(root.resolve()) or self.folder == root.resolve():
            raise InvalidParams(f"folder {name!r}: name a folder below the project")
        self._name = name
        self._done = self.folder / "done"
        try:
            self._done.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{self._done}: {error.strerror}") from error

    def waiting(self) -> Iterator[Waiting]:
        """The files that wait, in the order of their names. Raises Unavailable."""
        try:
            for entry in sorted(os.scandir(self.folder), key=lambda one: one.name):
                if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                    continue
                stat = entry.stat(follow_symlinks=False)
                file_id = f"{self._name}/{entry.name}@{stat.st_mtime_ns}"
                yield Waiting(file_id, Path(entry.path), stat.st_size, f"{stat.st_mtime_ns}-{entry.name}")
        except FileNotFoundError:
            return  # a file that left meanwhile: the next look sees what there is
        except OSError as error:
            raise Unavailable(f"{self.folder}: {error.strerror}") from error

    def finish(self, file: Waiting) -> None:
        """Move it to `done/`, for good. Raises Unavailable."""
        try:
            self._done.mkdir(exist_ok=True)  # somebody may have tidied up
            file.path.replace(self._done / file.done_name)
            for folder in (self._done, self.folder):  # a rename is on the disk once its folders are
                opened = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(opened)
                finally:
                    os.close(opened)
        except FileNotFoundError:
            return  # somebody took it away
        except OSError as error:
            raise Unavailable(f"{file.path}: {error.strerror}") from error
