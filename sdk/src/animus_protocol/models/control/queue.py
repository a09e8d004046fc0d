"""`queue/*` on the control socket: the daemon's queue (protocol §5).

Below lies `base`. These are not the queue plugin's types.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from animus_protocol.models.base import (
    Empty,
    Json,
    Method,
    SparseList,
    SparseMap,
    Timestamp,
    WireModel,
)
from animus_protocol.models.common import Acknowledged, Uint8, Uint32, Uint64
from animus_protocol.models.priority import PriorityName

__all__ = [
    "QUEUE_DROP",
    "QUEUE_ENQUEUE",
    "QUEUE_HOLD",
    "QUEUE_LIST",
    "QUEUE_RELEASE",
    "QUEUE_REORDER",
    "QUEUE_STATS",
    "ControlQueueEntry",
    "ControlQueueStats",
    "PriorityName",
    "QueueEnqueueParams",
    "QueueEntryStatus",
    "QueueHoldParams",
    "QueueIdParams",
    "QueueListParams",
    "QueueListResult",
    "QueuePosition",
    "QueueReorderParams",
]


class QueueEntryStatus(StrEnum):
    """The states of an entry that clients see."""

    READY = "ready"
    HELD = "held"
    IN_FLIGHT = "in-flight"
    DONE = "done"
    DROPPED = "dropped"


class ControlQueueEntry(WireModel):
    """An entry of the queue; `kind`, `workflow_ref`, `run_id`, `run_at` and `title` are this project's additions."""

    # The published title; the QueueEntry of this package is the queue plugin's.
    model_config = ConfigDict(title="QueueEntry")

    id: str
    subject_id: str
    status: QueueEntryStatus
    priority: Uint8
    enqueued_at: Timestamp
    hold_reason: str | None = None
    kind: str | None = None
    workflow_ref: str | None = None
    run_id: str | None = None
    run_at: Timestamp | None = None
    title: str | None = None


class QueueListParams(WireModel):
    """Params of `queue/list`."""

    status: QueueEntryStatus | None = None
    cursor: str | None = None
    limit: Uint32 | None = None


class QueueListResult(WireModel):
    """Result of `queue/list`."""

    entries: list[ControlQueueEntry]
    next_cursor: str | None = None


class QueueEnqueueParams(WireModel):
    """Params of `queue/enqueue`; all but `task_id` and a number as `priority` are this project's additions.

    `task_id` is the subject's id, of whatever `kind`; `run_at` defers the entry.
    """

    task_id: str
    priority: Uint8 | PriorityName | None = None
    kind: str | None = None
    workflow_ref: str | None = None
    vars: SparseMap[str] = Field(default_factory=dict)
    run_at: Timestamp | None = None
    input: Json = None


class QueueIdParams(WireModel):
    """Params of `queue/drop` and `queue/release`."""

    id: str


class QueueHoldParams(WireModel):
    """Params of `queue/hold`."""

    id: str
    reason: str | None = None


class QueuePosition(StrEnum):
    """Where to move entries; `before` and `after` need an anchor."""

    FRONT = "front"
    BACK = "back"
    BEFORE = "before"
    AFTER = "after"


class QueueReorderParams(WireModel):
    """Params of `queue/reorder`: one entry by `id`, or several by `subject_ids`."""

    id: str | None = None
    subject_ids: SparseList[str] = Field(default_factory=list)
    anchor_id: str | None = None
    position: QueuePosition


class ControlQueueStats(WireModel):
    """Result of `queue/stats`: how many entries in which state."""

    model_config = ConfigDict(title="QueueStats")

    ready: Uint64
    held: Uint64
    in_flight: Uint64
    done_recent: Uint64
    dropped_recent: Uint64


QUEUE_LIST = Method("queue/list", QueueListParams, QueueListResult, "protocol §5")
QUEUE_ENQUEUE = Method("queue/enqueue", QueueEnqueueParams, ControlQueueEntry, "protocol §5")
QUEUE_DROP = Method("queue/drop", QueueIdParams, ControlQueueEntry, "protocol §5")
QUEUE_RELEASE = Method("queue/release", QueueIdParams, ControlQueueEntry, "protocol §5")
QUEUE_HOLD = Method("queue/hold", QueueHoldParams, ControlQueueEntry, "protocol §5")
QUEUE_REORDER = Method("queue/reorder", QueueReorderParams, Acknowledged, "protocol §5")
QUEUE_STATS = Method("queue/stats", Empty, ControlQueueStats, "protocol §5")
