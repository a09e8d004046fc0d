"""What projectors are shown of runs: facts, append-only, each with an id that a replay repeats.

A fact is written in the transaction of the state change that it states. Values only; below lie the kinds of records.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from animus_core.journal.kinds import Kind

__all__ = ["Fact", "FactKind", "fact_id", "fact_kind"]


class FactKind(StrEnum):
    """The kinds of facts that projectors read."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    RUNNER_CRASHED = "runner-crashed"


_BY_RECORD: Final = {
    Kind.WORKFLOW_STARTED: FactKind.STARTED,
    Kind.OPERATOR_ORDER: FactKind.STARTED,
    Kind.WORKFLOW_COMPLETED: FactKind.COMPLETED,
    Kind.WORKFLOW_FAILED: FactKind.FAILED,
    Kind.WORKFLOW_BLOCKED: FactKind.BLOCKED,
    Kind.WORKFLOW_CANCELLED: FactKind.CANCELLED,
}


class Fact(NamedTuple):
    """One fact as projectors get it. `fact_seq` orders all facts of a project; `fact_id` is the same in a replay."""

    fact_seq: int
    fact_id: str
    run_id: str
    subject_kind: str
    subject_id: str
    kind: FactKind
    at: str
    data: dict[str, Any]


def fact_kind(record_kind: str) -> FactKind | None:
    """Which fact a journal record is; None for the many that are none."""
    return _BY_RECORD.get(Kind(record_kind)) if record_kind in Kind.__members__.values() else None


def fact_id(run_id: str, seq: int | str) -> str:
    """The id of the fact that record `seq` of a run's journal states."""
    return f"{run_id}:{seq}"
