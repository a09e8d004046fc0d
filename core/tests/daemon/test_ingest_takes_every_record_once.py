"""From journals to rows: each record once, whatever dies in between, with a fact for each that people care about."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from animus_core.daemon.events import RunIdentity
from animus_core.daemon.ingest import block_run, ingest, note_crash
from animus_core.journal.reader import Batch, read_from
from animus_core.journal.writer import JournalWriter
from animus_core.store.database import Database
from animus_core.store.locks import acquire
from animus_core.store.statements import Tx

ROW = RunIdentity("run-1", "task", "A")
ABOUT = {"phase": "build", "attempt": 1}
RECORDS: list[tuple[str, dict[str, Any]]] = [
    ("runner_started", {"pid": 7, "starttime": "99", "boot_id": "b", "version": "0"}),
    ("workflow_started", {"workflow_ref": "w", "phases": ["build"]}),
    ("phase_started", {**ABOUT, "ordinal": 0, "cause": "first"}),
    ("phase_intent", {**ABOUT, "effect": "agent"}),
    ("agent_record", {**ABOUT, "session_seq": 1, "kind": "output", "data": {"text": "hi"}}),
    ("phase_dreamed", {"of": "a newer version"}),
    ("phase_outcome", {**ABOUT, "result": "finished", "exit_code": 0}),
    ("phase_decision", {**ABOUT, "verdict": "advance", "reason": "good"}),
    ("workflow_completed", {}),
]


def journal(path: Path, records: list[tuple[str, dict[str, Any]]]) -> Path:
    lock = acquire(path.with_suffix(".lock"))
    assert lock is not None
    with lock:
        writer = JournalWriter.open(path, "run-1", 1, held=lock)
        writer.append_many(records, sync=True)
        writer.close()
    return path


def add_run(tx: Tx) -> None:
    facts = {"entry_id": None, "subject_kind": "task", "subject_id": "A", "workflow_ref": "w", "status": "pending"}
    tx.execute("run_insert", run_id="run-1", epoch=1, created_at="2026-01-01T00:00:00.000Z", **facts)


def rows(tx: Tx, name: str, **parameters: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.all(name, **parameters)]


@pytest.fixture
async def database(database: Database) -> Database:
    """The database with the run in it."""
    await database.write(add_run)
    return database


async def test_a_journal_becomes_events_a_run_its_phases_and_facts(tmp_path: Path, database: Database) -> None:
    batch = read_from(journal(tmp_path / "j", RECORDS), 0)

    await database.write(lambda tx: ingest(tx, ROW, batch))
    events = await database.read(lambda tx: rows(tx, "event_after", event_id=0, limit=99))
    assert [event["kind"] for event in events] == [kind for kind, _ in RECORDS]
    facts = await database.read(lambda tx: rows(tx, "fact_after", fact_seq=0, limit=99))
    assert [(fact["fact_id"], fact["kind"]) for fact in facts] == [
        ("run-1:2", "started"),
        ("run-1:9", "completed"),
    ]
    run = await database.read(lambda tx: dict(tx.one("run_get", run_id="run-1") or {}))
    assert (run["status"], run["current_phase"], run["attempt"], run["pid"]) == ("completed", "build", 1, 7)
    assert (run["journal_offset"], run["journal_seq"]) == (batch.next_offset, len(RECORDS))
    (phase,) = await database.read(lambda tx: rows(tx, "phases_of_run", run_id="run-1"))
    assert (phase["status"], phase["verdict"], phase["reason"]) == ("success", "advance", "good")


async def test_the_same_batch_cannot_be_taken_twice(tmp_path: Path, database: Database) -> None:
    batch = read_from(journal(tmp_path / "j", RECORDS), 0)

    await database.write(lambda tx: ingest(tx, ROW, batch))
    with pytest.raises(sqlite3.IntegrityError):
        await database.write(lambda tx: ingest(tx, ROW, batch))
    assert await database.read(lambda tx: tx.scalar("fact_count")) == 2
    assert await database.read(lambda tx: tx.scalar("event_last_id")) == len(RECORDS)


async def test_a_journal_taken_in_any_pieces_is_the_same(tmp_path: Path, database: Database) -> None:
    path = journal(tmp_path / "j", RECORDS)

    offset = 0
    for record in read_from(path, 0).records:
        one = read_from(path, offset, max_bytes=1)
        assert one.records == [record]
        await database.write(lambda tx, one=one: ingest(tx, ROW, one))  # type: ignore[misc]  # binds the batch
        offset = one.next_offset
    assert await database.read(lambda tx: tx.scalar("fact_count")) == 2
    assert offset == path.stat().st_size


async def test_a_transaction_that_fails_takes_nothing(tmp_path: Path, database: Database) -> None:
    batch = read_from(journal(tmp_path / "j", RECORDS), 0)

    def fail(tx: Tx) -> None:
        ingest(tx, ROW, batch)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await database.write(fail)
    run = await database.read(lambda tx: dict(tx.one("run_get", run_id="run-1") or {}))
    assert (run["journal_offset"], run["status"]) == (0, "pending")
    assert await database.read(lambda tx: tx.scalar("event_last_id")) == 0


async def test_a_crash_and_a_block_are_told_once_an_epoch(database: Database) -> None:
    for _ in range(3):
        await database.write(lambda tx: note_crash(tx, ROW, 1, "killed"))
        await database.write(lambda tx: block_run(tx, ROW, 2, "gone", "fix it"))
    facts = await database.read(lambda tx: rows(tx, "fact_after", fact_seq=0, limit=99))
    assert [(fact["fact_id"], fact["kind"]) for fact in facts] == [
        ("run-1:1:exit", "runner-crashed"),
        ("run-1:2:blocked", "blocked"),
    ]


@pytest.mark.parametrize(("until", "status"), [(3, "cancelled"), (4, "cancelled"), (7, "cancelled"), (8, "success")])
async def test_no_phase_of_a_run_that_was_cancelled_is_shown_as_running(
    until: int, status: str, tmp_path: Path, database: Database
) -> None:
    records = [*RECORDS[:until], ("workflow_cancelled", {"reason": "enough"})]
    batch: Batch = read_from(journal(tmp_path / "j", records), 0)

    await database.write(lambda tx: ingest(tx, ROW, batch))
    (phase,) = await database.read(lambda tx: rows(tx, "phases_of_run", run_id="run-1"))
    assert (phase["status"], phase["finished_at"] is None) == (status, False)
