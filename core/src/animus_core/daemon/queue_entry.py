"""One entry of the queue: what was accepted, where it stands, how urgent it is.

Values only; `queue.py` moves entries. Below lies the dispatch that an entry carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from animus_protocol.models.dispatch import SubjectDispatch
from animus_protocol.models.priority import PriorityName

__all__ = ["EntryStatus", "QueueEntry", "priority_number"]


class EntryStatus(StrEnum):
    """Where an entry is; `done` and `dropped` are final."""

    PENDING = "pending"
    HELD = "held"
    ASSIGNED = "assigned"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True)
class QueueEntry:
    """One row of the queue. Times are RFC 3339 texts in UTC."""

    entry_id: str
    subject_kind: str
    subject_id: str
    workflow_ref: str
    title: str | None
    status: EntryStatus
    priority: int
    requested_at: str
    enqueued_at: str
    run_at: str | None
    hold_reason: str | None
    run_id: str | None
    dispatch: str
    ended_at: str | None

    @staticmethod
    def of(row: Any) -> QueueEntry:
        """From a row of `queue_entry`."""
        values = dict(row)
        return QueueEntry(**{**values, "status": EntryStatus(values["status"])})

    def read_dispatch(self) -> SubjectDispatch:
        """The dispatch that was accepted."""
        return SubjectDispatch.model_validate_json(self.dispatch)


def priority_number(priority: str | None) -> int:
    """The number of a priority: a name, a number from 1 to 4 as text, or None for medium. Raises ValueError."""
    return (PriorityName.MEDIUM if priority is None else PriorityName.read(priority)).number
