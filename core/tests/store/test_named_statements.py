"""Every named statement fits the schema, and taking the next entry costs the same however many are queued."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from statistics import median

import pytest

from animus_core.errors import Internal
from animus_core.store.statements import SqlValue, Tx, parse_statements, statements

NOW = "2026-03-01T00:00:00.000Z"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.row_factory = sqlite3.Row
        opened.execute("PRAGMA foreign_keys=ON")
        opened.executescript(resources.files("animus_core.store").joinpath("schema.sql").read_text(encoding="utf-8"))
        opened.execute("BEGIN")
        yield opened


@pytest.fixture
def tx(connection: sqlite3.Connection) -> Tx:
    return Tx(connection, statements())


# One statement for all of them: what Python would say row by row takes twice as long.
FILL = """
WITH RECURSIVE entry (number) AS (
    SELECT count(*) FROM queue_entry UNION ALL SELECT number + 1 FROM entry LIMIT :count
)
INSERT INTO queue_entry (entry_id, subject_kind, subject_id, workflow_ref, status, priority, requested_at,
    enqueued_at, run_at, dispatch)
SELECT 'e' || number, 'task', 's' || number, 'w', :status, number % 4 + 1,
    printf('2026-01-%02d', number % 28 + 1), 't', :run_at, '{}'
FROM entry
"""


def fill(connection: sqlite3.Connection, count: int, *, status: str = "pending", run_at: str | None = None) -> None:
    connection.execute(FILL, {"count": count, "status": status, "run_at": run_at})


def plan(connection: sqlite3.Connection, name: str) -> str:
    sql = statements()[name]
    parameters = dict.fromkeys(re.findall(r":([a-z_]+)", sql), 1)
    return "\n".join(row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters))


@pytest.mark.parametrize("name", sorted(statements()))
def test_each_statement_can_be_prepared(connection: sqlite3.Connection, name: str) -> None:
    sql = statements()[name]
    connection.execute(f"EXPLAIN {sql}", dict.fromkeys(re.findall(r":([a-z_]+)", sql)))


def test_the_parser_takes_names_and_leaves_comments_between_them() -> None:
    text = """-- A file.
-- == one ==

-- name: first
SELECT 1; -- with a remark

-- == two ==

-- Why there is a second.
-- name: second
-- Inside.
SELECT
    2;
"""
    assert parse_statements(text) == {
        "first": "SELECT 1; -- with a remark",
        "second": "-- Inside.\nSELECT\n    2;",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "two statements are named 'a'"),
        ("-- name: a\n\n-- nothing\n-- name: b\nSELECT 1;", "'a' has no statement"),
        ("-- name: a", "'a' has no statement"),
    ],
)
def test_a_double_or_empty_statement_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Internal, match=reason):
        parse_statements(text)


def test_the_next_entry_is_read_off_an_index_without_sorting(connection: sqlite3.Connection) -> None:
    for name, index in (
        ("queue_next", "queue_ready"),
        ("queue_promote_due", "queue_deferred"),
        ("queue_next_due_at", "queue_deferred"),
        ("queue_active_of_subject", "queue_active"),
    ):
        steps = plan(connection, name)
        assert f"USING INDEX {index}" in steps or f"USING COVERING INDEX {index}" in steps, (name, steps)
        assert "TEMP B-TREE" not in steps


def test_the_next_entries_come_by_priority_then_age_then_id(connection: sqlite3.Connection, tx: Tx) -> None:
    fill(connection, 200)
    fill(connection, 20, status="held")
    fill(connection, 20, run_at=NOW)
    rows = tx.all("queue_next", lowest_priority=4, limit=1000)
    keys = [(row["priority"], row["requested_at"], row["entry_id"]) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == 200
    assert {row["priority"] for row in tx.all("queue_next", lowest_priority=2, limit=1000)} == {1, 2}


def test_a_deferred_entry_is_next_once_its_moment_has_come(connection: sqlite3.Connection, tx: Tx) -> None:
    fill(connection, 1, run_at="2026-03-01T00:00:00.000Z")
    fill(connection, 1, run_at="2026-03-01T00:00:00.001Z")
    assert tx.scalar("queue_next_due_at") == NOW
    assert tx.all("queue_next", lowest_priority=4, limit=10) == []
    assert tx.execute("queue_promote_due", now=NOW) == 1
    assert [row["entry_id"] for row in tx.all("queue_next", lowest_priority=4, limit=10)] == ["e0"]
    assert tx.scalar("queue_next_due_at") == "2026-03-01T00:00:00.001Z"


def test_the_next_entry_costs_the_same_among_a_hundred_thousand(connection: sqlite3.Connection, tx: Tx) -> None:
    def steps() -> int:
        # Instructions of SQLite's machine: what it costs, whatever else the computer does meanwhile.
        count = 0

        def tick() -> None:
            nonlocal count
            count += 1

        connection.set_progress_handler(tick, 1)
        tx.execute("queue_promote_due", now=NOW)
        tx.all("queue_next", lowest_priority=4, limit=10)
        connection.set_progress_handler(None, 1)
        return count

    fill(connection, 100)
    few = steps()
    fill(connection, 100_000)
    fill(connection, 50_000, run_at="2027-01-01")
    fill(connection, 1_000, status="held")
    assert steps() <= few * 1.5

    def elapsed() -> float:
        began = time.perf_counter()
        tx.all("queue_next", lowest_priority=4, limit=10)
        return time.perf_counter() - began

    assert median(elapsed() for _ in range(50)) < 0.01


def test_a_subject_has_one_active_entry(connection: sqlite3.Connection) -> None:
    fill(connection, 1)
    insert = (
        "INSERT INTO queue_entry (entry_id, subject_kind, subject_id, workflow_ref, status, priority, requested_at,"
        " enqueued_at, dispatch) VALUES (?, 'task', 's0', 'w', ?, 3, 't', 't', '{}')"
    )
    for status in ("pending", "held", "assigned"):
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(insert, ("again", status))
    for number, status in enumerate(["done", "dropped", "done"]):
        connection.execute(insert, (f"old-{number}", status))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE queue_entry SET status = 'lost'",
        "UPDATE queue_entry SET priority = 5",
        "UPDATE queue_entry SET dispatch = '{'",
        "UPDATE queue_entry SET priority = 'high'",
        "INSERT INTO run VALUES ('r', NULL, 'k', 's', 'w', 'lost', 1, 't', NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL)",  # noqa: E501 - one row of all columns
        "INSERT INTO phase VALUES ('nobody', 1, 'p', 1, 'running', NULL, NULL, 't', NULL)",
        "INSERT INTO event (kind, at, data) VALUES ('k', 't', 'not json')",
    ],
)
def test_a_row_that_makes_no_sense_is_refused(connection: sqlite3.Connection, statement: str) -> None:
    fill(connection, 1)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)


def test_an_event_of_a_run_is_stored_once_and_those_of_the_daemon_freely(tx: Tx) -> None:
    event: dict[str, SqlValue] = {"run_id": "r", "seq": 1, "kind": "k", "at": "t", "data": "{}"}
    tx.execute("event_insert", **event)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        tx.execute("event_insert", **event)
    for _ in range(2):
        tx.execute("event_insert", **(event | {"run_id": None, "seq": None}))
        tx.execute("event_insert", **(event | {"seq": None}))
    assert [row["event_id"] for row in tx.all("event_after", event_id=0, limit=10)] == sorted(
        row["event_id"] for row in tx.all("event_after", event_id=0, limit=10)
    )


def test_the_cursor_of_a_journal_never_goes_back(connection: sqlite3.Connection, tx: Tx) -> None:
    run: dict[str, SqlValue] = {
        "run_id": "r",
        "entry_id": None,
        "subject_kind": "k",
        "subject_id": "s",
        "workflow_ref": "w",
    }
    assert tx.execute("run_insert", **run, status="pending", epoch=1, created_at=NOW) == 1
    assert tx.execute("run_advance_journal", run_id="r", journal_offset=100, journal_seq=3) == 1
    assert tx.execute("run_advance_journal", run_id="r", journal_offset=99, journal_seq=2) == 0
