"""Whether a query wants an entry, as a pure function.

Nothing of ours lies below.
"""

from __future__ import annotations

from typing import Final

from animus_sdk import LogEntry, LogLevel, LogQuery

__all__ = ["wants"]

_GRAVITY: Final = {level: number for number, level in enumerate(LogLevel)}


def wants(query: LogQuery, entry: LogEntry) -> bool:
    """Whether `entry` passes every filter that is set; in `target_glob`, `*` stands for any letters."""
    return (
        (query.min_level is None or _GRAVITY[entry.level] >= _GRAVITY[query.min_level])
        and (query.source is None or entry.source == query.source)
        and (query.source_name is None or entry.source_name == query.source_name)
        and (query.target_glob is None or _fits(query.target_glob, entry.target))
        and (query.since is None or entry.ts >= query.since)
        and (query.until is None or entry.ts <= query.until)
    )


def _fits(glob: str, target: str) -> bool:
    """Each piece is looked for once, from the left: no pattern makes this slow, as a regular expression could be."""
    first, *rest = glob.split("*")
    if not rest:
        return target == glob
    *middle, last = rest
    at = len(first)
    for piece in middle:
        found = target.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return target.startswith(first) and target.endswith(last) and at + len(last) <= len(target)
