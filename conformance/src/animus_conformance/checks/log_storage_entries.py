"""Entries that the checks of log storages store, and what is the same when it comes back (protocol §4).

Nothing lies below.
"""

from __future__ import annotations

import secrets
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from animus_conformance import oracle

__all__ = ["LEVELS", "Entry", "Journal", "difference", "ids_of", "instant", "missing_and_repeated"]

Entry = dict[str, Any]

LEVELS: Final = ("trace", "debug", "info", "warn", "error")
"""Least grave first."""

# A thousand entries, one every 10 ms, must not run ahead of the clock.
_BEGAN_AGO: Final = timedelta(minutes=1)
_STEP: Final = timedelta(milliseconds=10)
_OPTIONAL: Final = ("source_name", "fields")


class Journal:
    """The entries of one check: each is later than the one before, and all are known again by their ids.

    They look like what a daemon writes; `target` is theirs alone. A storage may hold other entries, too.
    """

    def __init__(self) -> None:
        self.target = f"conformance.{secrets.token_hex(4)}"
        self._now = datetime.now(UTC) - _BEGAN_AGO
        self._ids: set[str] = set()

    def entry(self, message: str = "phase finished", *, after_s: float = 0.0, **members: Any) -> Entry:
        """A new entry, `after_s` seconds after the last one and a little; `members` replace or add some."""
        self._now += _STEP + timedelta(seconds=after_s)
        made = {
            "id": str(uuid.uuid4()),
            "ts": self._now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": "info",
            "source": "daemon",
            "target": self.target,
            "message": message,
            **members,
        }
        self._ids.add(made["id"])
        return made

    def entries(self, count: int, message: str = "phase finished") -> list[Entry]:
        """`count` new entries, numbered in their messages."""
        return [self.entry(f"{message}: step {number} of {count}") for number in range(1, count + 1)]

    def own(self, entries: Iterable[Any]) -> list[Entry]:
        """Those that were made here, in the order they come in."""
        return [entry for entry in entries if isinstance(entry, dict) and entry.get("id") in self._ids]


def ids_of(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Their ids, in their order."""
    return [str(entry["id"]) for entry in entries]


def instant(ts: str) -> datetime:
    """The point in time that an RFC 3339 text means, whatever offset it is written with."""
    return oracle.moment(ts).astimezone(UTC)


def difference(stored: Mapping[str, Any], given_back: Mapping[str, Any]) -> str | None:
    """The first member that came back as something else; None when the entry is the same.

    An optional member that is null is absent, a time is an instant, and members that nobody stored are free.
    """
    names: Sequence[str] = (*stored, *(name for name in _OPTIONAL if name not in stored))
    for name in names:
        was, now = stored.get(name), given_back.get(name)
        same = instant(was) == instant(now) if name == "ts" and was and now else _same(was, now)
        if not same:
            return f"{name} was {was!r:.300} and came back as {now!r:.300}"
    return None


def _same(was: Any, now: Any) -> bool:
    """Equal as JSON: true is not a number, whole or not, and an object's order is free."""
    if isinstance(was, bool) or isinstance(now, bool):
        return was is now
    if isinstance(was, dict) and isinstance(now, dict):
        return was.keys() == now.keys() and all(_same(was[name], now[name]) for name in was)
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(_same(one, other) for one, other in zip(was, now, strict=True))
    return bool(was == now)


def missing_and_repeated(owed: Sequence[str], found: Sequence[str]) -> tuple[list[str], list[str]]:
    """The ids of `owed` that are not among those found, and the ids that were found more than once."""
    counts = Counter(found)
    return [entry_id for entry_id in owed if not counts[entry_id]], [
        found_id for found_id in counts if counts[found_id] > 1
    ]
