"""The log's file: one entry a line, appended and never rewritten.

Nothing of ours lies below. A line that a crash left without its end was never acknowledged: it is cut off
when the file is opened. A place in the file, in bytes, is where a line begins; it stays the same for ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from animus_sdk import InvalidParams, LogEntry, Unavailable, encode
from pydantic import ValidationError

__all__ = ["Journal"]

REMEMBERED_IDS: Final = 100_000
"""An entry that comes twice is noticed while no more others than these have come in between."""


class Journal:
    """One file, written by this object alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: dict[str, None] = {}  # the newest stand last
        self.end_bytes = 0
        """How much of the file is acknowledged."""

    def open(self) -> None:
        """Make the file where there is none, and learn which entries it has. Raises Unavailable."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab+") as file:
                file.seek(0)
                self.end_bytes = sum(len(line) for line in file if line.endswith(b"\n"))
                file.truncate(self.end_bytes)
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}") from error
        for entry, _ in self.read(0):
            self._remember([entry.id])

    def append(self, entries: Sequence[LogEntry]) -> int:
        """Store those whose ids are new, all or none; how many. One call at a time. Raises Unavailable."""
        new = {entry.id: entry for entry in reversed(entries) if entry.id not in self._ids}
        content = b"".join(encode(entry) + b"\n" for entry in reversed(new.values()))
        try:
            with self._path.open("ab") as file:
                file.truncate(self.end_bytes)  # what an earlier failure may have left
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}") from error
        self.end_bytes += len(content)
        self._remember(reversed(new))
        return len(new)

    def _remember(self, ids: Iterable[str]) -> None:
        self._ids |= dict.fromkeys(ids)
        for oldest in [*islice(self._ids, max(0, len(self._ids) - REMEMBERED_IDS))]:
            del self._ids[oldest]

    def read(self, place: int) -> Iterator[tuple[LogEntry, int]]:
        """The acknowledged entries from `place` on, each with the place behind it. Raises InvalidParams, Unavailable."""
        end_bytes = self.end_bytes
        try:
            with self._path.open("rb") as file:
                if place:
                    file.seek(place - 1)
                    if file.read(1) != b"\n":
                        raise InvalidParams(f"cursor {place}: no entry begins there; query again without a cursor")
                while place < end_bytes:
                    line = file.readline()
                    place += len(line)
                    yield LogEntry.model_validate_json(line), place
        except (OSError, ValidationError) as error:
            raise Unavailable(f"{self._path}, before byte {place}: {error}") from error
