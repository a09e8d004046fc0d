"""The queue's operations: enqueue, list, hold, release, drop, stats.

Below lie ingress, the plan (an entry that could never start is refused) and the queue.
"""

from __future__ import annotations

import asyncio
from typing import Final

from animus_core.daemon.queue import Queue
from animus_core.daemon.queue_entry import EntryStatus, QueueEntry, priority_number
from animus_core.errors import InvalidInput
from animus_core.ingress.dispatch import DispatchRequest, build_dispatch, resolve_workflow
from animus_core.services.project import Project
from animus_core.store.paging import Page
from animus_protocol.models.base import utc_text
from animus_protocol.models.control import queue as wire

__all__ = ["WAITS_FOR_TRUST", "QueueService"]

WAITS_FOR_TRUST: Final = "waits for trust: animus trust"
_PAGE: Final = 100
_WIRE_STATUS: Final = {
    EntryStatus.PENDING: wire.QueueEntryStatus.READY,
    EntryStatus.HELD: wire.QueueEntryStatus.HELD,
    EntryStatus.ASSIGNED: wire.QueueEntryStatus.IN_FLIGHT,
    EntryStatus.DONE: wire.QueueEntryStatus.DONE,
    EntryStatus.DROPPED: wire.QueueEntryStatus.DROPPED,
}
_STATUS: Final = {wire_status: status for status, wire_status in _WIRE_STATUS.items()}


class QueueService:
    """Operations on one project's queue, in the control protocol's types (protocol §5)."""

    def __init__(self, project: Project) -> None:
        self._project = project

    @property
    def _queue(self) -> Queue:
        return self._project.queue

    async def enqueue(self, params: wire.QueueEnqueueParams, trigger_source: str = "manual") -> wire.ControlQueueEntry:
        """Accept work on a subject; durable when this returns. The workflow must be able to start."""
        await self._project.refresh()
        # Trusted or not: accepting executes nothing, and at its start it is planned again from trusted bytes.
        workflows = await self._project.workflows()
        workflow_ref = resolve_workflow(workflows, params.workflow_ref)
        # Refused now, while somebody is there to read why: an entry that cannot start would only be held later.
        self._project.plan(workflows, workflow_ref, params.vars)
        request = DispatchRequest(
            kind=params.kind or self._project.default_subject_kind(),
            subject_id=params.task_id,
            workflow_ref=workflow_ref,
            trigger_source=trigger_source,
            priority=_priority(params.priority),
            variables=params.vars,
            input=params.input,
        )
        dispatch = await build_dispatch(request, workflow_ref, self._project.router)
        run_at = utc_text(params.run_at) if params.run_at else None
        enqueued = await self._queue.enqueue(dispatch, run_at=run_at)
        self._published()
        return _to_wire(enqueued.entry, await self._waiting())

    async def list(self, params: wire.QueueListParams) -> wire.QueueListResult:
        """A page of entries in the order of dispatch: the active ones, or those of one status."""
        status = _STATUS[params.status] if params.status else None
        page = await self._queue.page(status, Page.at(params.cursor, params.limit, _PAGE))
        waiting = await self._waiting()
        return wire.QueueListResult(
            entries=[_to_wire(entry, waiting) for entry in page.entries], next_cursor=page.next_cursor
        )

    async def change(self, verb: str, name: str, reason: str | None = None) -> wire.ControlQueueEntry:
        """`hold`, `release` or `drop` an entry by its id or its subject's."""
        entry = await self._queue.change(verb, name, reason)
        self._published()
        return _to_wire(entry, await self._waiting())

    async def stats(self) -> wire.ControlQueueStats:
        """How many entries in each status."""
        counts = await self._queue.counts()
        return wire.ControlQueueStats(
            ready=counts[EntryStatus.PENDING],
            held=counts[EntryStatus.HELD],
            in_flight=counts[EntryStatus.ASSIGNED],
            done_recent=counts[EntryStatus.DONE],
            dropped_recent=counts[EntryStatus.DROPPED],
        )

    async def _waiting(self) -> str | None:
        """Why entries that are ready do not start, if so. Never stored: it says how things are now."""
        trust = await asyncio.to_thread(self._project.trust.check)
        return None if trust.trusted else WAITS_FOR_TRUST

    def _published(self) -> None:
        # After the commit: subscribers read the table, and the loop looks for what may start.
        self._project.commit_signal.publish()
        self._project.commit_signal.nudge()


def _priority(priority: int | str | None) -> str | None:
    text = None if priority is None else str(priority)
    try:
        priority_number(text)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    return text


def _to_wire(entry: QueueEntry, waiting: str | None) -> wire.ControlQueueEntry:
    return wire.ControlQueueEntry.model_validate(
        {
            "id": entry.entry_id,
            "subject_id": entry.subject_id,
            "status": _WIRE_STATUS[entry.status],
            "priority": entry.priority,
            "enqueued_at": entry.enqueued_at,
            "hold_reason": waiting if entry.status is EntryStatus.PENDING else entry.hold_reason,
            "kind": entry.subject_kind,
            "workflow_ref": entry.workflow_ref,
            "run_id": entry.run_id,
            "run_at": entry.run_at,
            "title": entry.title,
        }
    )
