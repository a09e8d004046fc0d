"""A database is made, brought up to date or refused; what is refused stays as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from animus_core.errors import AnimusError, Conflict, Internal, RetryLater, UnknownName
from animus_core.store.database import Database, open_readonly
from animus_core.store.schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    bring_up_to_date,
    connect_writer,
    packaged_migrations,
    parse_migrations,
)


async def open_and_close(path: Path) -> None:
    await (await Database.open(path)).close()


def pragma(path: Path, name: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def schema_of(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall()


async def test_a_new_database_is_private_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a b?c#d%41.db"
    await open_and_close(path)
    await open_and_close(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert pragma(path, "user_version") == SCHEMA_VERSION
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "journal_mode") == "wal"
    assert [name for kind, name, _ in schema_of(path) if kind == "table" and not name.startswith("sqlite_")] == [
        "event",
        "fact",
        "parked",
        "phase",
        "projector_cursor",
        "queue_entry",
        "run",
    ]


def test_a_commit_is_flushed_to_the_disk(tmp_path: Path) -> None:
    with closing(connect_writer(tmp_path / "workflow.db", busy_timeout_s=1)) as connection:
        full = 2
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == full
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


async def test_the_side_files_of_an_open_database_are_private_too(tmp_path: Path) -> None:
    def modes() -> dict[str, int]:
        return {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}

    async with await Database.open(tmp_path / "workflow.db"):
        assert modes() == dict.fromkeys(("workflow.db", "workflow.db-wal", "workflow.db-shm"), 0o600)


async def test_a_file_whose_making_was_interrupted_is_finished(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "wal.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    for name in ("empty.db", "wal.db"):
        await open_and_close(tmp_path / name)
        assert pragma(tmp_path / name, "user_version") == SCHEMA_VERSION


async def refused(path: Path, *, error: type[AnimusError], because: str) -> None:
    before = path.read_bytes()
    with pytest.raises(error, match=because) as caught:
        await open_and_close(path)
    assert str(path) in caught.value.message
    assert caught.value.hint is not None
    with pytest.raises(error, match=because):
        open_readonly(path)
    assert path.read_bytes() == before


async def test_a_database_of_a_newer_animus_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    await open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    await refused(path, error=Conflict, because="made by a newer Animus")


@pytest.mark.parametrize("statement", ["CREATE TABLE other (x)", "PRAGMA user_version = 1", "PRAGMA application_id=7"])
async def test_a_database_of_another_program_is_refused_and_untouched(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "workflow.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    await refused(path, error=Conflict, because="was not made by Animus")


async def test_what_is_no_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    path.write_bytes(b"these are notes of a person " * 200)
    await refused(path, error=RetryLater, because="file is not a database\nMove the file away or restore a backup")


async def test_a_damaged_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    await open_and_close(path)
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    await refused(path, error=RetryLater, because="malformed\nKeep a copy for a report")


async def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match=r"missing/workflow.db: the database cannot be made"):
        await open_and_close(tmp_path / "missing" / "workflow.db")
    with pytest.raises(RetryLater, match=str(tmp_path)):
        await open_and_close(tmp_path)


def test_reading_needs_a_database_of_this_version(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    with pytest.raises(UnknownName, match="there is no database yet\nStart the daemon"):
        open_readonly(path)
    assert not path.exists()
    path.touch()
    with pytest.raises(Conflict, match="schema version 0, this Animus reads 1\nStart the daemon once"):
        open_readonly(path)
    assert path.read_bytes() == b""


async def test_a_second_writer_is_refused_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    await open_and_close(path)

    async with await Database.open(path, busy_timeout_s=0.01) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            with pytest.raises(RetryLater, match="Another process writes to it, and only the daemon may"):
                await database.write(lambda tx: None)
            intruder.execute("ROLLBACK")
        await database.write(lambda tx: None)


MIGRATIONS = {2: "ALTER TABLE fact ADD COLUMN extra TEXT;", 3: "CREATE TABLE more (x INTEGER) STRICT;"}


async def test_an_older_database_goes_through_each_step_once(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    await open_and_close(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for target in (2, 3, 3):
            bring_up_to_date(path, connection, target, MIGRATIONS)
            assert pragma(path, "user_version") == target
        connection.execute("SELECT extra FROM fact, more").fetchall()


async def test_a_step_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    path = tmp_path / "workflow.db"
    await open_and_close(path)
    broken = {2: MIGRATIONS[2], 3: "CREATE TABLE half (x); CREATE TABLE half (x);"}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            bring_up_to_date(path, connection, 3, broken)
        assert not connection.in_transaction
    assert pragma(path, "user_version") == 2
    assert not [name for _, name, _ in schema_of(path) if name == "half"]


def test_every_version_since_the_first_has_its_step() -> None:
    assert sorted(packaged_migrations()) == list(range(2, SCHEMA_VERSION + 1))
    assert parse_migrations({"0003_b.sql": "B", "0002_a.sql": "A"}) == {2: "A", 3: "B"}
    for wrong in ("2_a.sql", "0003_a.sql", "0001_a.sql", "0002_A.sql"):
        with pytest.raises(Internal, match=f"migrations/{wrong}"):
            parse_migrations({wrong: ""})
