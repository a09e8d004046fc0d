"""Entries as they come in.

It runs on the event loop; below lie `read.py` and `filters.py`. A tail is a position that follows the end of the log,
and reads from the files whatever lies between the two: a slow reader costs no memory and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from animus_log_jsonl.files import LogFiles, Position, parse_cursor
from animus_log_jsonl.filters import Predicate, predicate_of
from animus_log_jsonl.read import LogReader
from animus_sdk import LogEntry, LogQuery, Unavailable

__all__ = ["Commits", "tail"]

_CHUNK_BYTES: Final = 256 * 1024


class Commits:
    """Wakes every tail when entries were committed; used on one event loop."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next_commit(self) -> asyncio.Event:
        """Set at the next commit: take it before you read how far the log reaches, or a commit in between is missed."""
        return self._next

    def committed(self) -> None:
        """Entries were committed."""
        # The old event stays set for good: whoever took it before this moment cannot miss the commit.
        self._next.set()
        self._next = asyncio.Event()


def tail(files: LogFiles, reader: LogReader, query: LogQuery, commits: Commits) -> AsyncGenerator[LogEntry, None]:
    """Wanted entries from now on, or from `query.cursor` on; it ends after `query.limit` of them, if that is set.

    It begins where the log ends when this is called, not when the first entry is asked for: what a host stores right
    after it has asked for the tail may be committed before that. Raises InvalidParams for a cursor that this log never
    gave; the generator raises Unavailable when retention has deleted entries that were not read yet.
    """
    start = files.end if query.cursor is None else parse_cursor(query.cursor, files)
    return _follow(files, reader, query, commits, start)


async def _follow(
    files: LogFiles, reader: LogReader, query: LogQuery, commits: Commits, position: Position
) -> AsyncGenerator[LogEntry, None]:
    wanted, left = predicate_of(query), query.limit
    while left is None or left > 0:
        # Before the end is read: a commit between the two lines sets it, and the tail does not wait.
        more = commits.next_commit
        end = files.end
        if position == end:
            await more.wait()
            continue
        # A piece at a time: a tail far behind would otherwise hold all that it has missed in memory.
        found, position = await asyncio.to_thread(_read_chunk, reader, position, end, wanted)
        for entry in found[:left]:
            yield entry
        left = None if left is None else left - len(found)


def _read_chunk(
    reader: LogReader, start: Position, end: Position, wanted: Predicate
) -> tuple[list[LogEntry], Position]:
    """The wanted entries of the next 256 KiB, and where they end."""
    found: list[LogEntry] = []
    size = 0
    for line in reader.lines(start, end, _fell_behind):
        if line.entry is not None and wanted(line.entry):
            found.append(line.entry)
        size += line.size_bytes
        if size >= _CHUNK_BYTES:
            return found, line.after
    return found, end


def _fell_behind() -> None:
    raise Unavailable(
        "retention deleted entries before this tail had read them - raise ANIMUS_LOG_RETENTION_*, query what is kept, "
        "and tail again"
    )
