"""`workflow/*` on the control socket: runs of workflows (protocol §5).

Below lies `base`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from animus_protocol.models.base import Json, KeepsNull, Method, SparseList, Timestamp, WireModel
from animus_protocol.models.common import StreamItem, Uint32, Uint64, Watching

__all__ = [
    "WORKFLOW_CANCEL",
    "WORKFLOW_EVENT",
    "WORKFLOW_EVENTS",
    "WORKFLOW_EXECUTE",
    "WORKFLOW_GET",
    "WORKFLOW_LIST",
    "WORKFLOW_PAUSE",
    "WORKFLOW_RESUME",
    "WORKFLOW_RUN",
    "WorkflowCancelParams",
    "WorkflowDetail",
    "WorkflowEvent",
    "WorkflowEventsParams",
    "WorkflowExecuteParams",
    "WorkflowIdParams",
    "WorkflowListParams",
    "WorkflowListResult",
    "WorkflowResumeParams",
    "WorkflowRunParams",
    "WorkflowStarted",
    "WorkflowStatus",
    "WorkflowSummary",
]


class WorkflowStatus(StrEnum):
    """The states of a run that clients see."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WorkflowSummary(WireModel):
    """A run; the fields after `finished_at` are this project's additions."""

    id: str
    definition: str
    status: WorkflowStatus
    subject_id: str | None = None
    started_at: Timestamp
    finished_at: Timestamp | None = None
    subject_kind: str | None = None
    current_phase: str | None = None
    attempt: Uint32 | None = None
    failure_reason: str | None = None
    blocked_reason: str | None = None
    epoch: Uint64 | None = None


class WorkflowDetail(WorkflowSummary, KeepsNull):
    """Result of `workflow/get`: the summary and whatever else the daemon tells."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"detail"})

    detail: Json


class WorkflowListParams(WireModel):
    """Params of `workflow/list`."""

    status: WorkflowStatus | None = None
    cursor: str | None = None
    limit: Uint32 | None = None


class WorkflowListResult(WireModel):
    """Result of `workflow/list`."""

    runs: list[WorkflowSummary]
    next_cursor: str | None = None


class WorkflowIdParams(WireModel):
    """Params of the methods about one run."""

    id: str


class WorkflowRunParams(WireModel):
    """Params of `workflow/run`: start work on a task."""

    task_id: str
    definition: str | None = None
    params: Json = None
    actor: str | None = None


class WorkflowExecuteParams(WireModel):
    """Params of `workflow/execute`: start a definition, with or without a subject."""

    definition: str
    params: Json = None
    subject_id: str | None = None
    actor: str | None = None


class WorkflowStarted(WireModel):
    """Result of `workflow/run` and `workflow/execute`."""

    workflow_id: str
    status: WorkflowStatus
    started_at: Timestamp


class WorkflowCancelParams(WireModel):
    """Params of `workflow/cancel`."""

    id: str
    reason: str | None = None


class WorkflowResumeParams(WireModel):
    """Params of `workflow/resume`; `force`, this project's addition, resumes what was blocked for safety."""

    id: str
    feedback: str | None = None
    force: bool | None = None


class WorkflowEventsParams(WireModel):
    """Params of `workflow/events`; without a filter, everything."""

    workflow_id: str | None = None
    kinds: SparseList[str] = Field(default_factory=list)


class WorkflowEvent(KeepsNull):
    """What `workflow/event` carries."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"payload"})

    workflow_id: str
    kind: str
    payload: Json
    occurred_at: Timestamp


WORKFLOW_LIST = Method("workflow/list", WorkflowListParams, WorkflowListResult, "protocol §5")
WORKFLOW_GET = Method("workflow/get", WorkflowIdParams, WorkflowDetail, "protocol §5")
WORKFLOW_RUN = Method("workflow/run", WorkflowRunParams, WorkflowStarted, "protocol §5")
WORKFLOW_EXECUTE = Method("workflow/execute", WorkflowExecuteParams, WorkflowStarted, "protocol §5")
WORKFLOW_PAUSE = Method("workflow/pause", WorkflowIdParams, WorkflowSummary, "protocol §5")
WORKFLOW_CANCEL = Method("workflow/cancel", WorkflowCancelParams, WorkflowSummary, "protocol §5")
WORKFLOW_RESUME = Method("workflow/resume", WorkflowResumeParams, WorkflowSummary, "protocol §5")
WORKFLOW_EVENTS = Method("workflow/events", WorkflowEventsParams, Watching, "protocol §5")
WORKFLOW_EVENT: Method[StreamItem[WorkflowEvent], None] = Method(
    "workflow/event", StreamItem[WorkflowEvent], None, "protocol §5"
)
