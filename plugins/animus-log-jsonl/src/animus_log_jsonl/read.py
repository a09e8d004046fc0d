"""The lines of a log from one position to another, and the entries in them that a query wants.

Below lie `files.py` and `lines.py`. Files are read as streams: memory holds a line and a buffer, however long the log
is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from animus_log_jsonl.damage import Damage
from animus_log_jsonl.files import LogFiles, Position
from animus_log_jsonl.lines import MAX_LINE_BYTES, BadLine, decode_line
from animus_sdk import LogEntry

__all__ = ["Line", "LogReader"]


class Line(NamedTuple):
    """A line of file `number`, with the size that it has there; `entry` is None for one that holds none."""

    number: int
    offset: int
    size_bytes: int
    entry: LogEntry | None

    @property
    def start(self) -> Position:
        """Where the line begins."""
        return Position(self.number, self.offset)

    @property
    def after(self) -> Position:
        """Where the next line begins."""
        return Position(self.number, self.offset + self.size_bytes)


class LogReader:
    """Reads the files of one log on any thread; lines that hold no entry are told to `damage`."""

    def __init__(self, files: LogFiles, damage: Damage) -> None:
        self._files = files
        self._damage = damage

    def lines(
        self,
        start: Position,
        end: Position,
        gone: Callable[[], None] = lambda: None,
        skips: Callable[[int], bool] = lambda number: False,
    ) -> Iterator[Line]:
        """The lines from `start` to `end`, without the files that `skips` names by number.

        `gone` is called when a file with some of the lines does not exist any more.
        """
        if start < self._files.dropped:
            gone()
        for number in self._files.numbers(start.number, end.number):
            offset = start.offset if number == start.number else 0
            if Position(number, offset) >= end:
                return
            if skips(number):
                continue
            file = self._files.open(number)
            if file is None:
                gone()
                continue
            with file:
                yield from self._lines_of(file, Position(number, offset), end.offset if number == end.number else None)

    def _lines_of(self, file: BinaryIO, start: Position, stop: int | None) -> Iterator[Line]:
        number, offset = start
        file.seek(offset)
        lines_before: int | None = None  # counted when a line is to be named, and once: there may be many bad ones
        lines_read = 0
        while stop is None or offset < stop:
            raw = file.readline(MAX_LINE_BYTES)
            if not raw:
                return
            size, entry, problem = len(raw), None, ""
            if raw.endswith(b"\n"):
                try:
                    entry = decode_line(raw)
                except BadLine as error:
                    problem = "" if raw.isspace() else f"no log entry ({error})"
            else:
                size += _skip_rest(file)
                problem = "no line break at its end" if size < MAX_LINE_BYTES else f"{size} bytes long"
            if problem and not self._damage.knows_line(number, offset):
                if lines_before is None:
                    lines_before = _count_lines(file, start.offset)
                self._report(Position(number, offset), lines_before + lines_read + 1, problem)
            yield Line(number, offset, size, entry)
            offset += size
            lines_read += 1

    def _report(self, place: Position, line: int, problem: str) -> None:
        where = f"{self._files.name_of(place.number)}:{line}"
        index = f"{self._files.path.name}.index"
        self._damage.add_line(
            *place, f"{where}: {problem} - it is left out; correct it and delete {index}, both while nothing writes"
        )


def _skip_rest(file: BinaryIO) -> int:
    skipped = 0
    while piece := file.readline(MAX_LINE_BYTES):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _count_lines(file: BinaryIO, offset: int) -> int:
    """How many lines end before `offset`; the file stays where it was being read."""
    back = file.tell()
    file.seek(0)
    breaks, left = 0, offset
    while left and (block := file.read(min(left, MAX_LINE_BYTES))):
        breaks += block.count(b"\n")
        left -= len(block)
    file.seek(back)
    return breaks
