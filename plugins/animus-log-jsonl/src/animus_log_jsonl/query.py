"""One page of a query.

It runs on a thread; below lie `read.py` and `filters.py`. The order is that of storing: only it never changes, so that
pages join without gap or repeat while entries come in, whatever their times say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from animus_log_jsonl.files import LogFiles, parse_cursor
from animus_log_jsonl.filters import is_outside, predicate_of
from animus_log_jsonl.index import Span
from animus_log_jsonl.read import LogReader
from animus_sdk import LogEntry, LogQuery, LogQueryResult, Unavailable

__all__ = ["MAX_PAGE_BYTES", "query_page"]

MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page holds no more, and at least one entry: the frame that carries it stays below 8 MiB (protocol §1)."""


def query_page(
    files: LogFiles, reader: LogReader, spans: Mapping[int, Span], query: LogQuery, given_up: Callable[[], bool]
) -> LogQueryResult:
    """At most `query.limit` wanted entries from `query.cursor` on; `next_cursor` is where the next wanted one begins.

    `spans` are the times in the files: a file outside the query's is not read. Entries that come in meanwhile are left
    to the next query. Once `given_up` says so, it stops in the middle with Unavailable. Raises InvalidParams for a
    cursor that this log never gave.
    """
    end = files.end
    start = files.oldest if query.cursor is None else parse_cursor(query.cursor, files)
    wanted = predicate_of(query)
    entries: list[LogEntry] = []
    size = 0
    for line in reader.lines(start, end, skips=lambda number: is_outside(spans.get(number), query)):
        if given_up():
            raise Unavailable("the query was given up")
        if line.entry is None or not wanted(line.entry):
            continue
        size += line.size_bytes
        # Only another wanted line shows that there is more: so the last page carries no cursor.
        if len(entries) == query.limit or (entries and size > MAX_PAGE_BYTES):
            return LogQueryResult(entries=entries, next_cursor=line.start.cursor())
        entries.append(line.entry)
    return LogQueryResult(entries=entries)
