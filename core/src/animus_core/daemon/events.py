"""Events: what subscribers are sent. The only module that writes rows of the table `event`.

A change and its event are one transaction, so that neither can be on the disk without the other: callers hand in their
transaction. What each kind carries is described in `docs/reference/events.md`. Below lie the named statements.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from animus_core.daemon.queue_entry import QueueEntry
from animus_core.host.plugin_state import StateChange
from animus_core.journal.kinds import Kind
from animus_core.journal.record import JournalRecord
from animus_core.store.clock import utc_now_text
from animus_core.store.statements import Tx
from animus_core.supply.trust.trust import Trust
from animus_protocol.models.base import encode

__all__ = [
    "Event",
    "EventKind",
    "RunIdentity",
    "journal_event",
    "plugin_event",
    "queue_event",
    "record_event",
    "run_event",
    "trust_event",
]

_SHOWN_CHANGES: Final = 20
"""How many changed files an event names. A repository may have thousands; `animus trust` shows all of them."""


class EventKind(StrEnum):
    """The kinds of events that the daemon makes itself; an event from a run's journal has the kind of its record."""

    QUEUE_ENQUEUED = "queue_enqueued"
    QUEUE_HELD = "queue_held"
    QUEUE_RELEASED = "queue_released"
    QUEUE_DROPPED = "queue_dropped"
    RUNNER_CRASHED = "runner_crashed"
    # The same word as the runner's record: for a subscriber a run is blocked, whoever has blocked it.
    WORKFLOW_BLOCKED = Kind.WORKFLOW_BLOCKED.value
    PLUGIN_STATE = "plugin_state"
    TRUST_NEEDED = "trust_needed"
    TRUST_GIVEN = "trust_given"


class RunIdentity(NamedTuple):
    """What identifies a run in events and facts."""

    run_id: str
    subject_kind: str
    subject_id: str


class Event(NamedTuple):
    """One event before it is written; made by the functions below.

    `run_id` and `seq` name the journal record that it comes from: the table takes each record once.
    """

    kind: str
    at: str
    payload: dict[str, Any]
    # For events of a journal only. Events that the daemon makes have no record and are unique by themselves.
    run_id: str | None = None
    seq: int | None = None


def record_event(tx: Tx, event: Event) -> None:
    """Write `event` in the caller's transaction; the caller publishes it after the commit."""
    data = encode(event.payload).decode()
    tx.execute("event_insert", run_id=event.run_id, seq=event.seq, kind=event.kind, at=event.at, data=data)


def journal_event(run: RunIdentity, record: JournalRecord) -> Event:
    """The event of one journal record, also of a kind that this version does not know."""
    payload = {**_of_run(run), "epoch": record.epoch, **record.data}
    return Event(record.kind, record.at, payload, run.run_id, record.seq)


def run_event(kind: EventKind, run: RunIdentity, at: str, details: dict[str, Any]) -> Event:
    """An event about a run that is not in its journal, because its runner could not write it."""
    return Event(kind, at, {**_of_run(run), **details})


def queue_event(kind: EventKind, entry: QueueEntry) -> Event:
    """An operation on an entry; `entry` is as it is afterwards."""
    payload: dict[str, Any] = {
        "entry_id": entry.entry_id,
        "subject_kind": entry.subject_kind,
        "subject_id": entry.subject_id,
        "status": entry.status,
    }
    if entry.hold_reason is not None:
        payload["reason"] = entry.hold_reason
    return Event(kind, utc_now_text(), payload)


def plugin_event(change: StateChange) -> Event:
    """A supervised plugin went from one state to another."""
    payload: dict[str, Any] = {
        "plugin": change.plugin,
        "plugin_kind": change.kind,
        "was": change.was,
        "state": change.state,
        "reason": change.reason,
        "pid": change.pid,
    }
    present = {name: value for name, value in payload.items() if value is not None}
    return Event(EventKind.PLUGIN_STATE, utc_now_text(), present)


def trust_event(trust: Trust) -> Event:
    """Work stopped, or starts again, because of what the operator trusts."""
    payload: dict[str, Any] = {"reason": trust.reason, "digest": trust.digest}
    if trust.trusted:
        return Event(EventKind.TRUST_GIVEN, utc_now_text(), payload)
    payload["changes"] = [change._asdict() for change in trust.changes[:_SHOWN_CHANGES]]
    return Event(EventKind.TRUST_NEEDED, utc_now_text(), payload)


def _of_run(run: RunIdentity) -> dict[str, Any]:
    return {"workflow_id": run.run_id, "subject_kind": run.subject_kind, "subject_id": run.subject_id}
