"""The operations on runs: list, get, resume, cancel.

Below lie the database and, inside a daemon, its runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from animus_core.daemon.registry import RunRegistry
from animus_core.errors import UnknownName, no_daemon
from animus_core.journal.kinds import OperatorOrder, Order
from animus_core.services.project import Project
from animus_core.store.paging import Page
from animus_core.store.statements import Tx
from animus_core.workflow.run_stages import RunStatus
from animus_protocol.models.control import workflow as wire

__all__ = ["WorkflowService"]

_PAGE: Final = 50
# The published protocol has no word for blocked; `paused` is its word for a run that waits (protocol §5).
_WIRE_STATUS: Final = {**{status.value: status.value for status in RunStatus}, "blocked": "paused"}


class WorkflowService:
    """Operations on one project's runs; without a daemon `runs` is None, and only reading works."""

    def __init__(self, project: Project, runs: RunRegistry | None) -> None:
        self._project = project
        self._runs = runs

    async def list(self, params: wire.WorkflowListParams) -> wire.WorkflowListResult:
        """A page of runs, the newest first."""
        page = Page.at(params.cursor, params.limit, _PAGE)
        status = None
        if params.status is not None:
            status = "blocked" if params.status is wire.WorkflowStatus.PAUSED else params.status.value
        rows, next_cursor = page.cut(await self._project.database.read(partial(_read, status=status, page=page)))
        return wire.WorkflowListResult(runs=[_to_summary(row) for row in rows], next_cursor=next_cursor)

    async def get(self, params: wire.WorkflowIdParams) -> wire.WorkflowDetail:
        """One run with its phases. Raises UnknownName."""
        row = await self._row(params.id)
        phases = await self._project.database.read(lambda tx: tx.all("phases_of_run", run_id=params.id))
        paths = self._project.scope.run_dir(params.id)
        detail = {
            "phases": [{key: value for key, value in dict(phase).items() if value is not None} for phase in phases],
            "hint": row["hint"],
            "journal": str(paths.journal),
            "log": str(paths.log),
        }
        return wire.WorkflowDetail(**_fields(row), detail={k: v for k, v in detail.items() if v is not None})

    async def resume(self, params: wire.WorkflowResumeParams) -> wire.WorkflowSummary:
        """Repeat the phase of a blocked run, as an operator decided. Raises UnknownName, Conflict, RetryLater."""
        order = OperatorOrder(order=Order.RESUME, feedback=params.feedback)
        await self._live().resume(params.id, order)
        return _to_summary(await self._row(params.id))

    async def cancel(self, params: wire.WorkflowCancelParams) -> wire.WorkflowSummary:
        """End a run as cancelled. Raises UnknownName, Conflict, RetryLater."""
        await self._live().cancel(params.id, params.reason or "cancelled by an operator")
        return _to_summary(await self._row(params.id))

    def _live(self) -> RunRegistry:
        if self._runs is None:
            raise no_daemon()
        return self._runs

    async def _row(self, run_id: str) -> Mapping[str, Any]:
        row = await self._project.database.read(lambda tx: tx.one("run_get", run_id=run_id))
        if row is None:
            raise UnknownName(f"no run {run_id!r}", hint="Look at what there is: animus workflow list")
        return dict(row)


def _read(tx: Tx, *, status: str | None, page: Page) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.all("run_list", status=status, limit=page.rows_to_read, offset=page.offset)]


def _to_summary(row: Mapping[str, Any]) -> wire.WorkflowSummary:
    return wire.WorkflowSummary(**_fields(row))


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    blocked = row["status"] == RunStatus.BLOCKED
    return {
        "id": row["run_id"],
        "definition": row["workflow_ref"],
        "status": wire.WorkflowStatus(_WIRE_STATUS[row["status"]]),
        "subject_id": row["subject_id"],
        "subject_kind": row["subject_kind"],
        # The protocol demands a time, and a run that waits for its runner has not started.
        "started_at": row["started_at"] or row["created_at"],
        "finished_at": row["finished_at"],
        "current_phase": row["current_phase"],
        "attempt": row["attempt"],
        "failure_reason": None if blocked else row["reason"],
        "blocked_reason": row["reason"] if blocked else None,
        "epoch": row["epoch"],
    }
