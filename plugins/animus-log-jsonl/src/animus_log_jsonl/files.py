"""The files of one log, oldest first, and positions in them.

One thread changes them, readers open them on theirs. The file that is written has the log's name;
rotated, it is called `<name>.<number>`. Numbers grow and are never given again, so a position means the same place for
ever. Readers see only what is committed. Below lies nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from animus_sdk import InvalidParams

__all__ = ["FileFacts", "LogFiles", "Position", "is_between_lines", "parse_cursor"]

# 18 digits fit into the 64 bits that the index has for a number.
_CURSOR: Final = re.compile(r"([0-9]{1,18}):([0-9]{1,18})")
_READ_BUFFER_BYTES: Final = 256 * 1024


class Position(NamedTuple):
    """A place between two lines: a file's number, and an offset in bytes. Compares in the order of storing."""

    number: int
    offset: int

    def cursor(self) -> str:
        """The position as text for a host."""
        return f"{self.number}:{self.offset}"


class FileFacts(NamedTuple):
    """A rotated file as retention sees it; `written_at_s` is the time of its last entry, in seconds since 1970."""

    number: int
    size_bytes: int
    written_at_s: float


class LogFiles:
    """Which files there are, and how far they are committed. Safe on any thread; one thread changes them.

    `number_at_least` is a number that the file being written is known to have had.
    """

    def __init__(self, path: Path, number_at_least: int = 1) -> None:
        self.path: Final = path
        self._lock = threading.Lock()
        self._rotated = _find_rotated(path)
        self._end = Position(max(number_at_least, max(self._rotated, default=0) + 1), 0)
        self._dropped = self.oldest

    @property
    def end(self) -> Position:
        """Where the committed entries end now."""
        # Without the lock: a position is replaced as a whole.
        return self._end

    @property
    def oldest(self) -> Position:
        """Where the oldest kept file begins."""
        with self._lock:
            return Position(min(self._rotated, default=self._end.number), 0)

    @property
    def dropped(self) -> Position:
        """Where the entries end that were deleted, by retention or by hand."""
        return self._dropped

    def numbers(self, first: int, last: int) -> list[int]:
        """The files from `first` to `last` that there are, oldest first."""
        with self._lock:
            return sorted(number for number in [*self._rotated, self._end.number] if first <= number <= last)

    def name_of(self, number: int) -> Path:
        """The path of a file; it may be renamed at any moment, so readers use `open`."""
        return self.path if number == self._end.number else _rotated_name(self.path, number)

    def open(self, number: int) -> BinaryIO | None:
        """The file for reading; it stays readable when it is renamed or deleted meanwhile. None when it is gone."""
        with self._lock:
            try:
                # Under the lock: the file may be rotated between the look at its name and the opening.
                return self.name_of(number).open("rb", buffering=_READ_BUFFER_BYTES)
            except FileNotFoundError:
                return None

    def facts(self) -> list[FileFacts]:
        """The rotated files, oldest first."""
        with self._lock:
            found = sorted(self._rotated.items())
        facts = []
        for number, size in found:
            with contextlib.suppress(FileNotFoundError):  # deleted by hand
                facts.append(FileFacts(number, size, _rotated_name(self.path, number).stat().st_mtime))
        return facts

    def commit(self, offset: int) -> None:
        """Let readers see the file that is written up to `offset`."""
        self._end = Position(self._end.number, offset)

    def begin_anew(self) -> None:
        """What the file held is gone: under its name the next file begins."""
        with self._lock:
            self._dropped = max(self._dropped, self._end)
            self._end = Position(self._end.number + 1, 0)

    def rotate(self) -> None:
        """Give the file its number as a name; the next file, which is not made here, is written from now on."""
        with self._lock:
            number, size = self._end
            self.path.rename(_rotated_name(self.path, number))
            self._rotated[number] = size
            self._end = Position(number + 1, 0)

    def delete(self, number: int) -> None:
        """Delete a rotated file. Raises OSError."""
        with self._lock:
            _rotated_name(self.path, number).unlink(missing_ok=True)
            self._dropped = max(self._dropped, Position(number, self._rotated.pop(number)))


def parse_cursor(text: str, files: LogFiles) -> Position:
    """The position that `Position.cursor` gave out. Raises InvalidParams for any other text.

    A position in a file that is no longer kept is good: reading goes on with the oldest kept entry.
    """
    parts = _CURSOR.fullmatch(text)
    position = Position(int(parts[1]), int(parts[2])) if parts else None
    if position is None or position > files.end or not is_between_lines(position, files):
        raise InvalidParams(f"cursor {text[:80]!r}: this log never gave it - pass a `next_cursor` as it came, or none")
    return position


def is_between_lines(position: Position, files: LogFiles) -> bool:
    """Whether no line is cut by `position`; in a file that is gone there is none."""
    if position.offset == 0:
        return True
    file = files.open(position.number)
    if file is None:
        return True
    with file:
        return os.pread(file.fileno(), 1, position.offset - 1) == b"\n"


def _rotated_name(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number:06d}")


def _find_rotated(path: Path) -> dict[int, int]:
    """The sizes of the rotated files by number."""
    found = {}
    with os.scandir(path.parent) as entries:
        for entry in entries:
            suffix = entry.name.removeprefix(path.name + ".")
            if re.fullmatch(r"[0-9]{6,18}", suffix) and entry.name == _rotated_name(path, int(suffix)).name:
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode):
                    found[int(suffix)] = facts.st_size
    return found
