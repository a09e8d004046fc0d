"""What is stored where: an SQLite file beside the log, so that memory is bounded however long the log is.

It lives on the writer's thread, but for `spans`, which readers use too; below lie positions. The index only repeats
what the log says: it remembers how far it has got, is brought up to date at start, and is made anew when it is damaged
or deleted.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from animus_log_jsonl.files import Position
from animus_sdk import LogEntry

__all__ = ["Fact", "LogIndex", "Span", "fact_of", "microseconds"]

_DIGEST_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# NORMAL is enough: what a power cut takes from the end of the index is read from the log again.
_SCHEMA: Final = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS ids (digest BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spans (number INTEGER PRIMARY KEY, earliest INTEGER NOT NULL, latest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reached (number INTEGER NOT NULL, offset INTEGER NOT NULL);
INSERT INTO reached SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM reached);
"""


class Span(NamedTuple):
    """The earliest and the latest time among the entries of a file, in microseconds since 1970."""

    earliest: int
    latest: int


class Fact(NamedTuple):
    """What the index keeps of an entry: its id in 16 bytes, and its time in microseconds since 1970.

    Two ids that share their 16 bytes are not to be expected in the lifetime of any log.
    """

    digest: bytes
    at: int


def microseconds(moment: datetime) -> int:
    """A point in time as a whole number of microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def fact_of(entry: LogEntry) -> Fact:
    """What the index keeps of `entry`."""
    digest = hashlib.blake2b(entry.id.encode(), digest_size=_DIGEST_BYTES).digest()
    return Fact(digest, microseconds(entry.ts))


class LogIndex:
    """Every id up to `reached`, with the number of the file that holds its entry. Methods raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spans: dict[int, Span] = {}
        self._connection = self._opened()
        try:
            self._prepare()
        # A subclass, so it comes first: it is about the disk or a lock, and the index itself may be whole.
        except sqlite3.OperationalError:
            self.close()
            raise
        except sqlite3.DatabaseError:  # no database, or a damaged one
            self.clear()

    @property
    def reached(self) -> Position:
        """How far into the log the index goes; file 0 stands for an index that is new."""
        row: tuple[int, int] = self._connection.execute("SELECT number, offset FROM reached").fetchone()
        return Position(*row)

    @property
    def spans(self) -> Mapping[int, Span]:
        """The times in each file up to `reached`, by number; it follows the log, and any thread may look."""
        return self._spans

    def holds(self, digest: bytes) -> bool:
        """Whether an entry with this id is stored."""
        return self._connection.execute("SELECT 1 FROM ids WHERE digest = ?", (digest,)).fetchone() is not None

    def add(self, facts: Iterable[Fact], reached: Position) -> None:
        """Take entries of the file in which `reached` lies, all or none."""
        facts = list(facts)
        number = reached.number
        times = [fact.at for fact in facts] + [*self._spans.get(number, ())]
        span = Span(min(times), max(times)) if times else None
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            rows = ((fact.digest, number) for fact in facts)
            self._connection.executemany("INSERT OR REPLACE INTO ids VALUES (?, ?)", rows)
            if span:
                self._connection.execute("INSERT OR REPLACE INTO spans VALUES (?, ?, ?)", (number, *span))
            self._connection.execute("UPDATE reached SET number = ?, offset = ?", reached)
            self._connection.execute("COMMIT")
        except BaseException:
            # Some errors, such as a full disk, make SQLite roll back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        if span:
            self._spans[number] = span

    def forget_all_but(self, numbers: Iterable[int]) -> None:
        """Drop what is known of every other file: their entries are not kept any more."""
        kept = ",".join(str(int(number)) for number in numbers)
        self._connection.execute(f"DELETE FROM ids WHERE number NOT IN ({kept})")  # noqa: S608 - whole numbers only
        self._connection.execute(f"DELETE FROM spans WHERE number NOT IN ({kept})")  # noqa: S608 - as above
        self._read_spans()

    def clear(self) -> None:
        """Begin anew with nothing."""
        self.close()
        # All of them: a write-ahead log that is left over would be read into the new database.
        for suffix in ("", "-wal", "-shm", "-journal"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._connection = self._opened()
        self._prepare()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        """Raises OSError, for a symbolic link too: the file is made here, because SQLite would follow it."""
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        return sqlite3.connect(self._path, isolation_level=None)

    def _prepare(self) -> None:
        self._connection.executescript(_SCHEMA)
        # Damage within a page shows only when it is read, which may be in the middle of a batch.
        (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        self._read_spans()

    def _read_spans(self) -> None:
        found = {number: Span(*times) for number, *times in self._connection.execute("SELECT * FROM spans")}
        for gone in self._spans.keys() - found.keys():
            del self._spans[gone]
        self._spans.update(found)
