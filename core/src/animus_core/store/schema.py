"""Opening `workflow.db`: made from nothing, brought up to date, or refused without touching it.

Below lie sqlite3 and the `.sql` files beside this module.
"""

from __future__ import annotations

import functools
import os
import re
import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, closing
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import quote

from animus_core.errors import AnimusError, Conflict, Internal, RetryLater, UnknownName
from animus_core.store.durability import sync_directory

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "bring_up_to_date",
    "connect_reader",
    "connect_writer",
    "failure",
    "packaged_migrations",
    "parse_migrations",
    "storage_hint",
]

SCHEMA_VERSION: Final = 1
"""What `schema.sql` is; stored as `PRAGMA user_version`."""

APPLICATION_ID: Final = 0x414E494D
"""Marks the file as ours (`PRAGMA application_id`, "ANIM")."""

_MIGRATION: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_STATEMENTS_KEPT: Final = 256  # more statements than there are, so that each is compiled once

_STORAGE_ERRORS: Final = {
    sqlite3.SQLITE_BUSY: "Another process writes to it, and only the daemon may: find it (lsof, fuser) and end it.",
    sqlite3.SQLITE_CANTOPEN: "Check that its directory exists, is yours and has room.",
    sqlite3.SQLITE_CORRUPT: "Keep a copy for a report, then move the file away or restore a backup.",
    sqlite3.SQLITE_FULL: "Make room on that file system (or raise the quota), then try again.",
    sqlite3.SQLITE_IOERR: "Check the disk and its free space (or the quota and file size limit), then try again.",
    sqlite3.SQLITE_NOMEM: "Give the process more memory, then try again.",
    sqlite3.SQLITE_NOTADB: "Move the file away or restore a backup; nothing was changed in it.",
    sqlite3.SQLITE_READONLY: "Make the file and its directory writable for this user.",
}


def connect_writer(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """The writing connection, in autocommit mode; the file is made (0600) or brought up to date as needed.

    Raises Conflict for a file of a newer version or of another program, RetryLater for one that cannot be used; in
    both cases its content stays as it is.
    """
    try:
        if not _make_file(path):
            # A read that changes nothing comes first: switching to WAL already writes into the file.
            with closing(_connect(path, "ro", busy_timeout_s)) as looking:
                _version(path, looking)
        with ExitStack() as undo:
            connection = undo.enter_context(closing(_connect(path, "rw", busy_timeout_s)))
            # FULL: an acknowledged transaction survives a power loss. fullfsync is what that takes on macOS.
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "fullfsync=ON", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            bring_up_to_date(path, connection, SCHEMA_VERSION, packaged_migrations())
            undo.pop_all()
    except sqlite3.Error as error:
        raise failure(path, error) from error
    return connection


def connect_reader(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """A reading connection (`mode=ro`) for a process that is not the daemon.

    Raises UnknownName if there is no database, Conflict if it is of another version, RetryLater if it cannot be read.
    """
    # Asked here because mode=ro says CANTOPEN for an absent file as for one that may not be read.
    if not path.exists():
        raise UnknownName(f"{path}: there is no database yet", hint="Start the daemon once: it makes the database.")
    try:
        with ExitStack() as undo:
            connection = undo.enter_context(closing(_connect(path, "ro", busy_timeout_s)))
            version = _version(path, connection)
            if version < SCHEMA_VERSION:
                raise Conflict(
                    f"{path}: schema version {version}, this Animus reads {SCHEMA_VERSION}",
                    hint="Start the daemon once: it brings the database up to date.",
                )
            undo.pop_all()
    except sqlite3.Error as error:
        raise failure(path, error) from error
    return connection


def failure(path: Path, error: sqlite3.Error) -> AnimusError:
    """What a caller gets for an error of SQLite: RetryLater with what to do, if the file or the machine is its cause.

    Any other one is Internal.
    """
    hint = storage_hint(error)
    if hint is None:
        return Internal(f"{path}: {error}", hint="Report this: it is a fault of Animus.")
    return RetryLater(f"{path}: {error}", hint=hint, details={"path": str(path), "sqlite": error.sqlite_errorname})


def storage_hint(error: sqlite3.Error) -> str | None:
    """What to do, if the file or the machine is the cause; None for a mistake in the statement or of its caller."""
    # Errors that the module raises by itself carry no code.
    # The low byte is the primary code; extended codes (IOERR_FSYNC, BUSY_SNAPSHOT) keep it there.
    return _STORAGE_ERRORS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def parse_migrations(files: Mapping[str, str]) -> dict[int, str]:
    """Version -> SQL that leads to it, from file names and contents; raises Internal for a gap or a strange name."""
    found: dict[int, str] = {}
    for name, content in sorted(files.items()):
        match = _MIGRATION.fullmatch(name)
        if match is None:
            raise Internal(f"migrations/{name}: not named NNNN_what_it_does.sql")
        version = int(match[1])
        # schema.sql is version 1, so the first migration leads to 2.
        if version != len(found) + 2:
            raise Internal(f"migrations/{name}: {len(found) + 2:04} must come next")
        found[version] = content
    return found


def bring_up_to_date(path: Path, connection: sqlite3.Connection, target: int, migrations: Mapping[int, str]) -> None:
    """Take the database to version `target`, from nothing or step by step, each step in a transaction of its own."""
    version = _version(path, connection, target)
    # A new database gets the newest schema at once; the migrations are for those that exist.
    if version == 0:
        schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
        _apply(connection, schema, target)
        return
    for step in range(version + 1, target + 1):
        _apply(connection, migrations[step], step)


def _apply(connection: sqlite3.Connection, script: str, version: int) -> None:
    """Run a script and set the version, all or nothing."""
    try:
        # executescript commits whatever is open before it begins, so the transaction has to be inside the script.
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {version};\nCOMMIT;"
        )
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(path: Path, connection: sqlite3.Connection, newest: int = SCHEMA_VERSION) -> int:
    """The file's schema version, 0 if it is empty; raises Conflict for a newer one and for a file not ours."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    # An empty file passes: `_make_file` makes one, and a crash may leave it so before the schema is in it.
    if owner != APPLICATION_ID and (owner or version or tables):
        raise Conflict(
            f"{path}: this database was not made by Animus",
            hint="Move it away; Animus makes a database of its own there.",
        )
    if version > newest:
        raise Conflict(
            f"{path}: made by a newer Animus (schema version {version}, this one knows {newest})",
            hint="Use that version of Animus; nothing was changed in the file.",
            details={"found": version, "known": newest},
        )
    return version


@functools.cache
def packaged_migrations() -> Mapping[int, str]:
    """The steps in `migrations/`, by the version that each leads to."""
    folder = resources.files(__package__).joinpath("migrations")
    return parse_migrations(
        {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}
    )


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        # Quoted as bytes: `?` and `#` in a folder's name would end the path of a URI.
        f"file:{quote(os.fsencode(path))}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        # Autocommit: with its own transactions the module would commit where it likes, and not where we acknowledge.
        isolation_level=None,
        cached_statements=_STATEMENTS_KEPT,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _make_file(path: Path) -> bool:
    """Make an empty file of ours where there is none (SQLite gives its side files the same mode)."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise RetryLater(
            f"{path}: the database cannot be made: {error.strerror}",
            hint="Check that its directory exists, is yours and has room.",
        ) from error
    return True
