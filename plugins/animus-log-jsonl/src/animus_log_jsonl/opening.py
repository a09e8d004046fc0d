"""The file that is written, opened: fixed, known to the index, and with the old files deleted that had their time.

That is at start, after each rotation, and when somebody has interfered with the file. Below lie
`current_file.py`, `index.py`, `read.py` and `retention.py`.
"""

from __future__ import annotations

import os
import time
from itertools import groupby, islice
from pathlib import Path
from typing import Final

from animus_log_jsonl.current_file import CurrentFile
from animus_log_jsonl.damage import Damage
from animus_log_jsonl.files import LogFiles, Position, is_between_lines
from animus_log_jsonl.index import LogIndex, fact_of
from animus_log_jsonl.read import LogReader
from animus_log_jsonl.retention import outdated
from animus_log_jsonl.settings import Fsync, LogSettings

__all__ = ["Opener"]

# A log that is indexed anew may hold millions of entries: this many are in memory at a time.
_INDEXED_AT_ONCE: Final = 10_000


class Opener:
    """Opens the current file of one log, as often as need be."""

    def __init__(self, files: LogFiles, index: LogIndex, damage: Damage, settings: LogSettings) -> None:
        self._files = files
        self._index = index
        self._damage = damage
        self._settings = settings
        self._known: set[int] | None = None  # the files that the index may know of, None at first

    def open(self) -> CurrentFile:
        """The current file; readers see what is in it from now on. Raises OSError and sqlite3.Error."""
        file = CurrentFile(self._files.path)
        try:
            if self._settings.fsync is not Fsync.NEVER:
                _sync_folder(self._files.path.parent)
            # Before it is committed: an entry that the index does not know could be stored a second time.
            self._fill_index(Position(self._files.end.number, file.size_bytes))
            self._files.commit(file.size_bytes)
            self._apply_retention(max(file.size_bytes, self._settings.rotate_bytes))
            self._forget()
        except BaseException:
            file.close()
            raise
        return file

    def _fill_index(self, end: Position) -> None:
        """Bring the index to the end of the log, or begin it anew when that is not the log that it knows."""
        if self._index.reached > end or not is_between_lines(self._index.reached, self._files):
            self._index.clear()
        start = max(self._index.reached, self._files.oldest)
        lines = LogReader(self._files, self._damage).lines(start, end)
        found = ((line.after, fact_of(line.entry)) for line in lines if line.entry)
        for number, of_file in groupby(found, lambda each: each[0].number):
            while some := list(islice(of_file, _INDEXED_AT_ONCE)):
                self._index.add((fact for _, fact in some), Position(number, some[-1][0].offset))
        self._index.add((), end)

    def _apply_retention(self, current_bytes: int) -> None:
        """Delete what had its time; `current_bytes` is how large the current file is or may become."""
        try:
            for number in outdated(self._files.facts(), current_bytes, self._settings.retention, time.time()):
                self._files.delete(number)
        # The log goes on: old files that stay cost room, and refusing entries for that would lose them.
        except OSError as error:
            problem = f"{self._files.path}: an old file cannot be deleted: {error.strerror} - fix the folder"
            self._damage.failed("retention", problem)
        else:
            self._damage.succeeded("retention")

    def _forget(self) -> None:
        """Drop what is known of files that are not there any more."""
        there = set(self._files.numbers(0, self._files.end.number))
        if self._known is None or self._known - there:
            self._index.forget_all_but(there)
            self._damage.forget_all_but(there)
        self._known = there


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
