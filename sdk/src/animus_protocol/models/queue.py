"""The queue protocol: what a queue plugin serves (protocol §4).

Below lie `base`, `common` and `dispatch`. Times are the plugin's own text (RFC 3339), as published.
"""

from __future__ import annotations

from pydantic import Field

from animus_protocol.models.base import Empty, Method, OrDefault, SparseList, WireModel
from animus_protocol.models.common import Uint32, Uint64
from animus_protocol.models.dispatch import SubjectDispatch
from animus_protocol.models.subject import SubjectId

__all__ = [
    "QUEUE_COMPLETION",
    "QUEUE_DROP",
    "QUEUE_ENQUEUE",
    "QUEUE_HOLD",
    "QUEUE_LEASE",
    "QUEUE_LIST",
    "QUEUE_MARK_ASSIGNED",
    "QUEUE_NEXT_DEADLINE",
    "QUEUE_RELEASE",
    "QUEUE_RELEASE_PENDING",
    "QUEUE_REORDER",
    "QUEUE_STATS",
    "QueueCapabilities",
    "QueueCompletionRequest",
    "QueueDropRequest",
    "QueueEnqueueRequest",
    "QueueEnqueueResponse",
    "QueueEntry",
    "QueueHoldRequest",
    "QueueLeaseRequest",
    "QueueLeaseResponse",
    "QueueListRequest",
    "QueueListResponse",
    "QueueMarkAssignedRequest",
    "QueueMutationResponse",
    "QueueNextDeadlineResponse",
    "QueueReleasePendingParams",
    "QueueReleasePendingResponse",
    "QueueReleaseRequest",
    "QueueReorderRequest",
    "QueueReorderResponse",
    "QueueStats",
]


class QueueCapabilities(WireModel):
    """What a queue can do; `max_lease_batch` counts entries."""

    max_lease_batch: OrDefault[Uint32] = 0
    priority_weighted: OrDefault[bool] = False


class QueueEnqueueRequest(WireModel):
    """Params of `queue/enqueue`; `run_at` defers the entry, `expire_after_secs` is in seconds."""

    subject_dispatch: SubjectDispatch
    run_at: str | None = None
    expire_after_secs: Uint64 | None = None


class QueueEnqueueResponse(WireModel):
    """Result of `queue/enqueue`; `enqueued` is False when the entry was there already."""

    enqueued: bool
    entry_id: str
    subject_id: str
    warning: str | None = None


class QueueEntry(WireModel):
    """One queued dispatch."""

    entry_id: str
    subject_id: str
    subject_dispatch: SubjectDispatch
    status: str
    enqueued_at: str
    assigned_at: str | None = None
    held_at: str | None = None
    run_at: str | None = None
    expire_after_secs: Uint64 | None = None
    task_id: str | None = None
    workflow_id: str | None = None


class QueueListRequest(WireModel):
    """Params of `queue/list`."""

    status: SparseList[str] = Field(default_factory=list)
    limit: Uint64 | None = None
    offset: Uint64 | None = None


class QueueStats(WireModel):
    """How many entries in which state; also the result of `queue/stats`."""

    total: Uint64
    pending: Uint64
    assigned: Uint64
    held: Uint64
    deferred: OrDefault[Uint64] = 0


class QueueListResponse(WireModel):
    """Result of `queue/list`; `total` counts before `limit` and `offset`."""

    entries: list[QueueEntry]
    total: Uint64
    stats: QueueStats


class QueueLeaseRequest(WireModel):
    """Params of `queue/lease`; `workflow_ids`, where given, has exactly `max` items (protocol §4)."""

    max: Uint64
    workflow_ids: list[str] | None = None
    exclude_subjects: list[SubjectId] | None = None


class QueueLeaseResponse(WireModel):
    """Result of `queue/lease`: at most `max` entries, now assigned."""

    leased: list[QueueEntry]


class QueueHoldRequest(WireModel):
    """Params of `queue/hold`."""

    entry_id: str
    reason: str | None = None


class QueueReleaseRequest(WireModel):
    """Params of `queue/release`: held becomes pending."""

    entry_id: str


class QueueDropRequest(WireModel):
    """Params of `queue/drop`."""

    entry_id: str


class QueueMutationResponse(WireModel):
    """Result of the methods that move one entry."""

    changed: bool
    not_found: OrDefault[bool] = False


class QueueReleasePendingParams(WireModel):
    """Params of `queue/release_pending`: assigned becomes pending again."""

    entry_id: str
    reason: str


class QueueReleasePendingResponse(WireModel):
    """Result of `queue/release_pending`."""

    entry_id: str
    status: str


class QueueReorderRequest(WireModel):
    """Params of `queue/reorder`: these entries first, in this order."""

    entry_ids: list[str]


class QueueReorderResponse(WireModel):
    """Result of `queue/reorder`."""

    reordered_count: Uint64


class QueueMarkAssignedRequest(WireModel):
    """Params of `queue/mark_assigned`."""

    entry_id: str
    workflow_id: str | None = None


class QueueCompletionRequest(WireModel):
    """Params of `queue/completion`: the run of this entry ended with `status`."""

    entry_id: str
    status: str
    workflow_ref: str | None = None
    workflow_id: str | None = None


class QueueNextDeadlineResponse(WireModel):
    """Result of `queue/next_deadline`: when the next deferred entry is due."""

    next_run_at: str | None = None


QUEUE_ENQUEUE = Method("queue/enqueue", QueueEnqueueRequest, QueueEnqueueResponse, "protocol §4")
QUEUE_LIST = Method("queue/list", QueueListRequest, QueueListResponse, "protocol §4")
QUEUE_LEASE = Method("queue/lease", QueueLeaseRequest, QueueLeaseResponse, "protocol §4")
QUEUE_HOLD = Method("queue/hold", QueueHoldRequest, QueueMutationResponse, "protocol §4")
QUEUE_RELEASE = Method("queue/release", QueueReleaseRequest, QueueMutationResponse, "protocol §4")
QUEUE_DROP = Method("queue/drop", QueueDropRequest, QueueMutationResponse, "protocol §4")
QUEUE_RELEASE_PENDING = Method(
    "queue/release_pending", QueueReleasePendingParams, QueueReleasePendingResponse, "protocol §4"
)
QUEUE_REORDER = Method("queue/reorder", QueueReorderRequest, QueueReorderResponse, "protocol §4")
QUEUE_MARK_ASSIGNED = Method("queue/mark_assigned", QueueMarkAssignedRequest, QueueMutationResponse, "protocol §4")
QUEUE_COMPLETION = Method("queue/completion", QueueCompletionRequest, QueueMutationResponse, "protocol §4")
QUEUE_STATS = Method("queue/stats", Empty, QueueStats, "protocol §4")
QUEUE_NEXT_DEADLINE = Method("queue/next_deadline", Empty, QueueNextDeadlineResponse, "protocol §4")
