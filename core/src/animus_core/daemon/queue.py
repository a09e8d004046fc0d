"""The queue: accepted dispatches in order, one active entry a subject; every change is one transaction.

The daemon's loop starts what is next, operators move entries by a table: a move that it does not list is refused and
changes nothing. Below lies the database.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

from animus_core.daemon.events import EventKind, queue_event, record_event
from animus_core.daemon.queue_entry import EntryStatus, QueueEntry, priority_number
from animus_core.errors import Conflict, UnknownName
from animus_core.store.clock import utc_now_text
from animus_core.store.database import Database
from animus_core.store.paging import Page
from animus_core.store.statements import Tx
from animus_protocol.models.base import encode, utc_text
from animus_protocol.models.dispatch import SubjectDispatch

__all__ = ["OPERATIONS", "Enqueued", "Queue", "QueuePage"]


class _Operation(NamedTuple):
    """What an operator may do with an entry: from which statuses, to which, and the event that reports it."""

    allowed: frozenset[EntryStatus]
    to: EntryStatus
    event: EventKind


OPERATIONS: Final = {
    "hold": _Operation(frozenset({EntryStatus.PENDING}), EntryStatus.HELD, EventKind.QUEUE_HELD),
    "release": _Operation(frozenset({EntryStatus.HELD}), EntryStatus.PENDING, EventKind.QUEUE_RELEASED),
    "drop": _Operation(
        frozenset({EntryStatus.PENDING, EntryStatus.HELD}), EntryStatus.DROPPED, EventKind.QUEUE_DROPPED
    ),
}


class Enqueued(NamedTuple):
    """The entry, and whether this call made it."""

    entry: QueueEntry
    created: bool


class QueuePage(NamedTuple):
    """Entries in the order of dispatch, and the cursor of the next page if there is one."""

    entries: list[QueueEntry]
    next_cursor: str | None


class Queue:
    """The durable queue of one project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(self, dispatch: SubjectDispatch, *, run_at: str | None = None) -> Enqueued:
        """Accept a dispatch; it is on the disk when this returns.

        The same subject with the same workflow returns the active entry; with another one raises Conflict.
        """
        entry_id = f"q-{secrets.token_hex(6)}"
        row = {
            "entry_id": entry_id,
            "subject_kind": dispatch.subject.kind,
            "subject_id": dispatch.subject.id,
            "workflow_ref": dispatch.workflow_ref,
            "title": dispatch.subject.title,
            "status": EntryStatus.PENDING,
            "priority": priority_number(dispatch.priority),
            "requested_at": utc_text(dispatch.requested_at),
            "enqueued_at": utc_now_text(),
            "run_at": run_at,
            "hold_reason": None,
            "dispatch": encode(dispatch).decode(),
        }

        def insert(tx: Tx) -> Enqueued:
            # In the transaction of the insert: of two that enqueue at once the second sees the first.
            active = tx.one(
                "queue_active_of_subject", subject_kind=dispatch.subject.kind, subject_id=dispatch.subject.id
            )
            if active is not None:
                existing = QueueEntry.of(active)
                if existing.workflow_ref.lower() == dispatch.workflow_ref.lower():
                    return Enqueued(existing, created=False)
                raise Conflict(
                    f"{existing.subject_id} is active already: entry {existing.entry_id} ({existing.status}) "
                    f"runs workflow {existing.workflow_ref!r}, not {dispatch.workflow_ref!r}",
                    hint=f"Wait for it to end, or drop it: animus queue drop {existing.entry_id}",
                    details={"entry_id": existing.entry_id, "workflow_ref": existing.workflow_ref},
                )
            tx.execute("queue_insert", **row)
            return Enqueued(_record_change(tx, EventKind.QUEUE_ENQUEUED, entry_id), created=True)

        return await self._database.write(insert)

    async def page(self, status: EntryStatus | None, page: Page) -> QueuePage:
        """Entries in the order of dispatch; only active entries, unless `status` names another status."""

        def read(tx: Tx) -> QueuePage:
            rows = tx.all("queue_list", status=status, limit=page.rows_to_read, offset=page.offset)
            found, next_cursor = page.cut(rows)
            return QueuePage([QueueEntry.of(row) for row in found], next_cursor)

        return await self._database.read(read)

    async def change(self, operation: str, name: str, reason: str | None = None) -> QueueEntry:
        """`hold`, `release` or `drop` the entry `name` (an entry's id, or the id of a subject with an active entry).

        Raises UnknownName, or Conflict when the entry's status does not allow it.
        """
        allowed, to, event = OPERATIONS[operation]

        def move(tx: Tx) -> QueueEntry:
            entry = _find(tx, name)
            if entry.status not in allowed:
                hint = "Look at it with: animus queue list"
                if entry.status is EntryStatus.ASSIGNED:
                    hint = f"It is being worked on; to end that run: animus workflow cancel {entry.run_id}"
                raise Conflict(
                    f"entry {entry.entry_id} ({entry.subject_id}) is {entry.status}: cannot {operation} it", hint=hint
                )
            ended_at = utc_now_text() if to is EntryStatus.DROPPED else None
            tx.execute("queue_move", entry_id=entry.entry_id, status=to, hold_reason=reason, ended_at=ended_at)
            return _record_change(tx, event, entry.entry_id)

        return await self._database.write(move)

    async def counts(self) -> dict[EntryStatus, int]:
        """How many entries in each status."""
        rows = await self._database.read(lambda tx: tx.all("queue_counts"))
        found = {EntryStatus(row["status"]): int(row["entries"]) for row in rows}
        return {status: found.get(status, 0) for status in EntryStatus}

    async def next_ready(self, limit: int, lowest_priority: int) -> list[QueueEntry]:
        """The entries to start first; a deferred entry whose time has come counts as ready."""
        now = utc_now_text()
        # A read first: most ticks have nothing to promote, and a write costs a flush of the disk.
        due = await self._database.read(lambda tx: tx.scalar("queue_next_due_at"))
        if due is not None and str(due) <= now:
            await self._database.write(lambda tx: tx.execute("queue_promote_due", now=now))
        rows = await self._database.read(lambda tx: tx.all("queue_next", lowest_priority=lowest_priority, limit=limit))
        return [QueueEntry.of(row) for row in rows]

    async def next_due_at(self) -> str | None:
        """When the next deferred entry becomes ready (RFC 3339), if there is one."""
        due = await self._database.read(lambda tx: tx.scalar("queue_next_due_at"))
        return None if due is None else str(due)

    async def hold_broken(self, entry: QueueEntry, reason: str) -> None:
        """Hold an entry that cannot start, with the reason. An entry that has moved meanwhile stays as it is."""

        def hold(tx: Tx) -> None:
            if _find(tx, entry.entry_id).status is not EntryStatus.PENDING:
                return
            tx.execute(
                "queue_move", entry_id=entry.entry_id, status=EntryStatus.HELD, hold_reason=reason, ended_at=None
            )
            _record_change(tx, EventKind.QUEUE_HELD, entry.entry_id)

        await self._database.write(hold)


def _find(tx: Tx, name: str) -> QueueEntry:
    row = tx.one("queue_get", entry_id=name)
    if row is not None:
        return QueueEntry.of(row)
    rows = tx.all("queue_active_by_subject_id", subject_id=name)
    if not rows:
        raise UnknownName(
            f"no queue entry {name!r}, and no active one of a subject {name!r}",
            hint="Look at what waits: animus queue list",
        )
    if len(rows) > 1:
        kinds = ", ".join(sorted(row["subject_kind"] for row in rows))
        raise Conflict(f"{name!r} is active in several kinds ({kinds})", hint="Name the entry's own id.")
    return QueueEntry.of(rows[0])


def _record_change(tx: Tx, kind: EventKind, entry_id: str) -> QueueEntry:
    """Record what became of an entry, as it is now; that entry."""
    entry = QueueEntry.of(tx.one("queue_get", entry_id=entry_id))
    record_event(tx, queue_event(kind, entry))
    return entry
