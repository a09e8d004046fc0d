"""From journal records to rows: events, the projection of runs and phases, and facts, in one transaction.

The cursor moves in the same transaction, so a record is taken exactly once, whenever the daemon dies. Below lie events
and named statements.
"""

from __future__ import annotations

from typing import Any, Final

from animus_core.daemon.events import EventKind, RunIdentity, journal_event, record_event, run_event
from animus_core.daemon.facts import FactKind, fact_id, fact_kind
from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, OutcomeKind, read_data
from animus_core.journal.reader import Batch
from animus_core.journal.record import JournalRecord
from animus_core.store.clock import utc_now_text
from animus_core.store.statements import Tx
from animus_protocol.models.base import encode

__all__ = ["block_run", "ingest", "note_crash"]

_PHASE_STATUS: Final = {"advance": "success", "skip": "skipped", "rework": "rework", "fail": "failed"}
_ENDS: Final = {
    Kind.WORKFLOW_COMPLETED: "completed",
    Kind.WORKFLOW_FAILED: "failed",
    Kind.WORKFLOW_CANCELLED: "cancelled",
}


def ingest(tx: Tx, run: RunIdentity, batch: Batch) -> None:
    """Take every record of `batch` and move the cursor behind it."""
    for record in batch.records:
        record_event(tx, journal_event(run, record))
        data = read_data(record.kind, record.data)
        if data is not None:
            _project(tx, run, record, data)
        # In the transaction of the state that it is about: neither is ever on the disk without the other.
        kind = fact_kind(record.kind)
        if kind is not None:
            _fact(tx, run, kind, fact_id(run.run_id, record.seq), record.at, record.data)
    tx.execute(
        "run_advance_journal",
        run_id=run.run_id,
        journal_offset=batch.next_offset,
        journal_seq=batch.records[-1].seq,
    )


def note_crash(tx: Tx, run: RunIdentity, epoch: int, reason: str) -> None:
    """A runner ended without ending its run: a fact at once, under an id that a replay repeats."""
    at = utc_now_text()
    data = {"epoch": epoch, "reason": reason}
    record_event(tx, run_event(EventKind.RUNNER_CRASHED, run, at, data))
    _fact(tx, run, FactKind.RUNNER_CRASHED, fact_id(run.run_id, f"{epoch}:exit"), at, data)


def block_run(tx: Tx, run: RunIdentity, epoch: int, reason: str, hint: str) -> None:
    """The run cannot go on by itself, and its journal cannot say so: an operator has to look."""
    at = utc_now_text()
    data = {"epoch": epoch, "reason": reason, "hint": hint}
    tx.execute("run_blocked", run_id=run.run_id, reason=reason, hint=hint)
    record_event(tx, run_event(EventKind.WORKFLOW_BLOCKED, run, at, data))
    _fact(tx, run, FactKind.BLOCKED, fact_id(run.run_id, f"{epoch}:blocked"), at, data)


def _project(tx: Tx, run: RunIdentity, record: JournalRecord, data: kinds.RecordData) -> None:
    run_id, at = run.run_id, record.at
    match data:
        case kinds.RunnerStarted():
            tx.execute("run_set_process", run_id=run_id, pid=data.pid, starttime=data.starttime, boot_id=data.boot_id)
        case kinds.WorkflowStarted() | kinds.OperatorOrder():
            tx.execute("run_started", run_id=run_id, at=at)
        case kinds.PhaseStarted():
            tx.execute("run_phase", run_id=run_id, phase_id=data.phase, attempt=data.attempt)
            tx.execute(
                "phase_started", run_id=run_id, ordinal=data.ordinal, phase_id=data.phase, attempt=data.attempt, at=at
            )
        case kinds.PhaseOutcome():
            # A phase that finished has no status of its own yet: its verdict is the next record.
            if data.result is not OutcomeKind.FINISHED:
                _close_phase(tx, run_id, data, at)
        case kinds.PhaseDecision():
            tx.execute(
                "phase_decided",
                run_id=run_id,
                phase_id=data.phase,
                attempt=data.attempt,
                status=_PHASE_STATUS[data.verdict],
                verdict=data.verdict,
                reason=data.reason,
                at=at,
            )
        case kinds.WorkflowBlocked():
            tx.execute("run_blocked", run_id=run_id, reason=data.reason, hint=data.hint)
        case kinds.WorkflowEnded():
            tx.execute("run_ended", run_id=run_id, status=_ENDS[Kind(record.kind)], at=at, reason=data.reason or None)
            tx.execute("queue_run_ended", run_id=run_id, at=at)
            _close_open_phases(tx, run_id, at)
        case _:
            pass


def _close_phase(tx: Tx, run_id: str, outcome: kinds.PhaseOutcome, at: str) -> None:
    tx.execute(
        "phase_outcome",
        run_id=run_id,
        phase_id=outcome.phase,
        attempt=outcome.attempt,
        status=outcome.result,
        reason=outcome.text,
        at=at,
    )


def _close_open_phases(tx: Tx, run_id: str, at: str) -> None:
    """A run that is cancelled between two records of a phase leaves it without a decision."""
    for phase in tx.all("phases_of_run", run_id=run_id):
        if phase["status"] == "running":
            where = {"run_id": run_id, "phase_id": phase["phase_id"], "attempt": phase["attempt"]}
            tx.execute("phase_outcome", **where, status=OutcomeKind.CANCELLED, reason=None, at=at)


def _fact(tx: Tx, run: RunIdentity, kind: FactKind, name: str, at: str, data: dict[str, Any]) -> None:
    # A journal that is read again, after a cursor was lost, states the same facts: projectors must not see them twice.
    if tx.one("fact_exists", fact_id=name) is not None:
        return
    tx.execute(
        "fact_insert",
        fact_id=name,
        run_id=run.run_id,
        subject_kind=run.subject_kind,
        subject_id=run.subject_id,
        kind=kind,
        at=at,
        data=encode(data).decode(),
    )
