"""Which entries a query wants: the protocol's filters as one pure predicate.

Below lie the wire models. All filters that are set must be met.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from typing import Final

from animus_log_jsonl.index import Span, microseconds
from animus_sdk import LogEntry, LogLevel, LogQuery

__all__ = ["Predicate", "is_outside", "predicate_of"]

Predicate = Callable[[LogEntry], bool]

_RANK: Final = {level: rank for rank, level in enumerate(LogLevel)}


def predicate_of(query: LogQuery) -> Predicate:
    """What tells whether an entry is wanted; `since` is inclusive, `until` exclusive, and so intervals join."""
    tests: list[Predicate] = []
    since, until, source, source_name = query.since, query.until, query.source, query.source_name
    if query.min_level is not None:
        wanted = {level for level in LogLevel if _RANK[level] >= _RANK[query.min_level]}
        tests.append(lambda entry: entry.level in wanted)
    if since is not None:
        tests.append(lambda entry: entry.ts >= since)
    if until is not None:
        tests.append(lambda entry: entry.ts < until)
    if source is not None:
        tests.append(lambda entry: entry.source is source)
    if source_name is not None:
        tests.append(lambda entry: entry.source_name == source_name)
    if query.target_glob is not None:
        glob = re.compile(fnmatch.translate(query.target_glob))
        tests.append(lambda entry: glob.match(entry.target) is not None)
    return lambda entry: all(test(entry) for test in tests)


def is_outside(span: Span | None, query: LogQuery) -> bool:
    """Whether no entry of a file with these times can be wanted; of a file without known times any may be."""
    if span is None:
        return False
    return (query.since is not None and span.latest < microseconds(query.since)) or (
        query.until is not None and span.earliest >= microseconds(query.until)
    )
