"""A planted fault: the database tells its callers before it commits. Loaded by every core process of one test."""

import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

from animus_core.store import database
from animus_core.store.statements import Tx
from animus_protocol.crash_points import reach


def _run_writes(self: Any, connection: sqlite3.Connection, tx: Tx, jobs: Sequence[Any]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for job in jobs:
        self._run_write(connection, tx, job)
    self._on_loop(self._resolve, list(jobs))
    threading.Event().wait(0.5)  # long enough for the acknowledgement to arrive before the crash does
    reach(database.BEFORE_COMMIT)
    connection.execute("COMMIT")
    for _ in jobs:
        self._on_loop(_take_back, self._room)  # the real code resolves them once more, and gives the room back again


def _take_back(room: Any) -> None:
    room._value -= 1


database.Database._run_writes = _run_writes
