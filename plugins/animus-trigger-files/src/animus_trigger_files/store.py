"""The memory of what was seen and told: one SQLite file, so that each step is on the disk as a whole or not at all.

Several threads use it; below it lies SQLite. A change is forgotten as a difference and remembered as an event in one
transaction, so it is told at least once and found only once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_sdk import Unavailable
from animus_sdk.crash_points import declare, reach
from animus_trigger_files.changes import Difference
from animus_trigger_files.fingerprint import Fingerprint
from animus_trigger_files.state_folder import own

__all__ = ["RecordedEvent", "Store", "WatchedPaths"]

_RECORDING: Final = declare("trigger-files.recording", "an event is written, its transaction is still open")
_RECORDED: Final = declare("trigger-files.recorded", "an event is on the disk, the host has not heard of it")
_ACKNOWLEDGED: Final = declare("trigger-files.acknowledged", "an acknowledgement is on the disk, not answered")

_VERSION: Final = 1
# AUTOINCREMENT never gives a number again, also when the newest event was acknowledged and deleted. Paths are bytes,
# since a name need not be UTF-8.
_SCHEMA: Final = """
BEGIN;
CREATE TABLE identity (id TEXT NOT NULL);
CREATE TABLE triggers (id TEXT PRIMARY KEY, paths TEXT NOT NULL, ignore TEXT NOT NULL);
CREATE TABLE files (
    trigger_id TEXT NOT NULL REFERENCES triggers ON DELETE CASCADE,
    path BLOB NOT NULL,
    stamp TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (trigger_id, path)
) WITHOUT ROWID;
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    trigger_id TEXT NOT NULL REFERENCES triggers ON DELETE CASCADE,
    payload TEXT NOT NULL
);
CREATE INDEX events_by_trigger ON events (trigger_id);
"""


class WatchedPaths(NamedTuple):
    """What a trigger's files were selected by when they were last looked at."""

    paths: tuple[str, ...]
    ignore: tuple[str, ...]


class RecordedEvent(NamedTuple):
    """An event that is on the disk; `sequence` grows with each one, whatever its trigger."""

    sequence: int
    event_id: str
    trigger_id: str
    payload: Any


class Store:
    """The state in `folder`, which belongs to this process until `close`.

    Every method raises Unavailable when the disk fails; so does making it when another process has the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.sqlite"
        self._lock = threading.Lock()
        with contextlib.ExitStack() as undo:
            self._folder_lock = own(folder)
            undo.callback(self._folder_lock.release)
            with self._explained():
                # The lock of this object keeps its threads apart.
                self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
                undo.callback(self._db.close)
                self._id = self._open()
            undo.pop_all()

    def close(self) -> None:
        """Let another process have the folder; what is called afterwards raises Unavailable."""
        with self._lock:
            self._db.close()
            self._folder_lock.release()

    def watched(self, trigger_id: str) -> WatchedPaths | None:
        """What the trigger was watched with; None for a new one."""
        rows = self._all("SELECT paths, ignore FROM triggers WHERE id = ?", trigger_id)
        return WatchedPaths(tuple(json.loads(rows[0][0])), tuple(json.loads(rows[0][1]))) if rows else None

    def files(self, trigger_id: str) -> dict[str, Fingerprint]:
        """The files of the trigger as they are remembered."""
        rows = self._all("SELECT path, stamp, digest FROM files WHERE trigger_id = ?", trigger_id)
        return {os.fsdecode(path): Fingerprint(stamp, digest) for path, stamp, digest in rows}

    def begin(self, trigger_id: str, watched: WatchedPaths, difference: Difference) -> None:
        """Watch the trigger with these paths from now on; the difference is remembered and not told."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO triggers VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET paths = excluded.paths, ignore = excluded.ignore",
                (trigger_id, json.dumps(watched.paths), json.dumps(watched.ignore)),
            )
            self._remember(trigger_id, difference)

    def forget_others(self, trigger_ids: Sequence[str]) -> None:
        """Forget every trigger but these, with what was not told of it."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM triggers WHERE id NOT IN (SELECT value FROM json_each(?))", (json.dumps(trigger_ids),)
            )

    def record(self, trigger_id: str, difference: Difference, payload: Mapping[str, Any] | None) -> None:
        """Remember the difference; with a payload, it is an event from now on until it is acknowledged."""
        with self._transaction():
            self._remember(trigger_id, difference)
            if payload is not None:
                self._db.execute(
                    "INSERT INTO events (trigger_id, payload) VALUES (?, ?)", (trigger_id, json.dumps(payload))
                )
                reach(_RECORDING)
        if payload is not None:
            reach(_RECORDED)

    def unacknowledged(self, trigger_id: str) -> int:
        """How many events of the trigger the host has not acknowledged."""
        return int(self._all("SELECT count(*) FROM events WHERE trigger_id = ?", trigger_id)[0][0])

    def next_event(self, after: int) -> RecordedEvent | None:
        """The first event behind the sequence number `after` that is not acknowledged."""
        rows = self._all(
            "SELECT sequence, trigger_id, payload FROM events WHERE sequence > ? ORDER BY sequence LIMIT 1", after
        )
        if not rows:
            return None
        sequence, trigger_id, payload = rows[0]
        return RecordedEvent(sequence, f"{self._id}-{sequence}", trigger_id, json.loads(payload))

    def acknowledge(self, event_id: str) -> bool:
        """Never tell this event again; whether it was one of ours that was not acknowledged before."""
        identity, _, number = event_id.rpartition("-")
        # An id out of an earlier file must not delete the event that has the same number here.
        if identity != self._id or not (number.isascii() and number.isdecimal() and len(number) <= 18):
            return False
        with self._transaction():
            found = self._db.execute("DELETE FROM events WHERE sequence = ?", (int(number),)).rowcount == 1
        reach(_ACKNOWLEDGED)
        return found

    def _remember(self, trigger_id: str, difference: Difference) -> None:
        gone: Iterable[tuple[str, bytes]] = ((trigger_id, os.fsencode(path)) for path in difference.gone)
        self._db.executemany("DELETE FROM files WHERE trigger_id = ? AND path = ?", gone)
        kept = ((trigger_id, os.fsencode(path), *fingerprint) for path, fingerprint in difference.kept.items())
        self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", kept)

    def _open(self) -> str:
        """Make the file ours, with its tables; the identity that its events carry, another one in each new file."""
        # FULL: an acknowledgement was answered, so not even a power cut may bring the event back.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            insert = f"INSERT INTO identity VALUES ('{secrets.token_hex(8)}');"  # noqa: S608 - our own hex digits
            self._db.executescript(f"{_SCHEMA}{insert}PRAGMA user_version = {_VERSION};COMMIT;")
        elif version != _VERSION:
            raise Unavailable(
                f"{self._path}: written by another version of this plugin - update it, or delete the file"
            )
        return str(self._db.execute("SELECT id FROM identity").fetchone()[0])

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._lock, self._explained():
            return self._db.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            damaged = type(error) is sqlite3.DatabaseError  # its subclasses are about the disk and the statement
            advice = "delete it to begin anew: what was not told yet is lost then" if damaged else "check the disk"
            raise Unavailable(f"{self._path}: {error} - {advice}") from error
