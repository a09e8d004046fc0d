"""The JSON of control methods as it lies on the wire, for code that reads it without the protocol's models.

Only names and types: what is valid is said by the models, on the daemon's side, and a test holds the two against each
other. The type checker alone imports this module. A field that is left out when it has no value is `NotRequired`.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

__all__ = [
    "DaemonCapabilities",
    "DaemonEventsParams",
    "DaemonStatus",
    "DaemonStopParams",
    "Empty",
    "IdParams",
    "Json",
    "PluginCallParams",
    "PluginNameParams",
    "PluginPing",
    "PluginStatus",
    "PluginStatusParams",
    "PluginStatuses",
    "QueueEnqueueParams",
    "QueueEntry",
    "QueueHoldParams",
    "QueueList",
    "QueueListParams",
    "QueueStats",
    "Subject",
    "SubjectAttachment",
    "SubjectCreateParams",
    "SubjectFilter",
    "SubjectList",
    "SubjectListParams",
    "SubjectStatusParams",
    "SubjectWatchParams",
    "Watching",
    "WorkflowCancelParams",
    "WorkflowDetail",
    "WorkflowList",
    "WorkflowListParams",
    "WorkflowResumeParams",
    "WorkflowSummary",
]

Json = Any
"""A value whose shape belongs to somebody else."""


class Empty(TypedDict):
    """`{}`."""


class Watching(TypedDict):
    """The answer that opens a stream."""

    watching: bool


class IdParams(TypedDict):
    """Of methods about one thing."""

    id: str


class DaemonCapabilities(TypedDict):
    """Which methods the daemon answers."""

    methods: list[str]


class DaemonStatus(TypedDict):
    """The answer to `daemon/status`."""

    running: bool
    pid: NotRequired[int]
    uptime_seconds: NotRequired[int]
    version: NotRequired[str]
    project_root: NotRequired[str]
    log_path: NotRequired[str]
    capabilities: DaemonCapabilities
    paused: NotRequired[bool]
    active_runs: NotRequired[int]
    queued: NotRequired[int]
    untrusted: NotRequired[str]


class DaemonStopParams(TypedDict):
    """Params of `daemon/stop`."""

    drain_secs: NotRequired[int | None]


class DaemonEventsParams(TypedDict):
    """Params of `daemon/events`."""

    since: NotRequired[str | None]


class QueueEntry(TypedDict):
    """An entry of the queue."""

    id: str
    subject_id: str
    status: str
    priority: int
    enqueued_at: str
    hold_reason: NotRequired[str]
    kind: NotRequired[str]
    workflow_ref: NotRequired[str]
    run_id: NotRequired[str]
    run_at: NotRequired[str]
    title: NotRequired[str]


class QueueListParams(TypedDict):
    """Params of `queue/list`."""

    status: NotRequired[str | None]
    cursor: NotRequired[str | None]
    limit: NotRequired[int | None]


class QueueList(TypedDict):
    """The answer to `queue/list`."""

    entries: list[QueueEntry]
    next_cursor: NotRequired[str]


class QueueEnqueueParams(TypedDict):
    """Params of `queue/enqueue`."""

    task_id: str
    priority: NotRequired[int | str | None]
    kind: NotRequired[str | None]
    workflow_ref: NotRequired[str | None]
    vars: NotRequired[dict[str, str]]
    run_at: NotRequired[str | None]
    input: NotRequired[Json]


class QueueHoldParams(TypedDict):
    """Params of `queue/hold`."""

    id: str
    reason: NotRequired[str | None]


class QueueStats(TypedDict):
    """The answer to `queue/stats`."""

    ready: int
    held: int
    in_flight: int
    done_recent: int
    dropped_recent: int


class WorkflowSummary(TypedDict):
    """A run."""

    id: str
    definition: str
    status: str
    subject_id: NotRequired[str]
    started_at: str
    finished_at: NotRequired[str]
    subject_kind: NotRequired[str]
    current_phase: NotRequired[str]
    attempt: NotRequired[int]
    failure_reason: NotRequired[str]
    blocked_reason: NotRequired[str]
    epoch: NotRequired[int]


class WorkflowDetail(WorkflowSummary):
    """The answer to `workflow/get`: the summary and whatever else the daemon tells."""

    detail: Json


class WorkflowListParams(TypedDict):
    """Params of `workflow/list`."""

    status: NotRequired[str | None]
    cursor: NotRequired[str | None]
    limit: NotRequired[int | None]


class WorkflowList(TypedDict):
    """The answer to `workflow/list`."""

    runs: list[WorkflowSummary]
    next_cursor: NotRequired[str]


class WorkflowResumeParams(TypedDict):
    """Params of `workflow/resume`."""

    id: str
    feedback: NotRequired[str | None]
    force: NotRequired[bool | None]


class WorkflowCancelParams(TypedDict):
    """Params of `workflow/cancel`."""

    id: str
    reason: NotRequired[str | None]


class SubjectAttachment(TypedDict):
    """Something that hangs on a subject."""

    id: str
    kind: str
    uri: str
    title: NotRequired[str]
    mime_type: NotRequired[str]
    metadata: NotRequired[Json]


class Subject(TypedDict):
    """A work item."""

    id: str
    kind: str
    title: str
    status: str
    created_at: str
    updated_at: str
    description: NotRequired[str]
    native_status: NotRequired[str]
    status_metadata: NotRequired[Json]
    priority: NotRequired[int]
    assignee: NotRequired[str]
    labels: NotRequired[list[str]]
    parent: NotRequired[str]
    children: NotRequired[list[str]]
    attachments: NotRequired[list[SubjectAttachment]]
    url: NotRequired[str]
    custom: NotRequired[dict[str, Json]]


class SubjectFilter(TypedDict):
    """Which subjects are meant."""

    kind: NotRequired[list[str]]
    status: NotRequired[list[str]]
    native_status: NotRequired[str | None]
    dispatch_label: NotRequired[str | None]
    has_attachment_kind: NotRequired[str | None]
    assignee: NotRequired[list[str]]
    labels_any: NotRequired[list[str]]
    labels_all: NotRequired[list[str]]
    updated_since: NotRequired[str | None]
    cursor: NotRequired[str | None]
    limit: NotRequired[int | None]


class SubjectListParams(TypedDict):
    """Params of `subject/list`."""

    filter: NotRequired[SubjectFilter | None]


class SubjectList(TypedDict):
    """The answer to `subject/list`."""

    subjects: list[Subject]
    fetched_at: str
    next_cursor: NotRequired[str]
    warnings: NotRequired[list[str]]


class SubjectStatusParams(TypedDict):
    """Params of `subject/status`."""

    id: str
    status: str


class SubjectCreateParams(TypedDict):
    """Params of `subject/create`."""

    kind: str
    title: str
    body: NotRequired[str | None]
    status: NotRequired[str | None]
    priority: NotRequired[int | None]
    labels: NotRequired[list[str]]
    assignee: NotRequired[str | None]
    custom: NotRequired[dict[str, Json]]


class SubjectWatchParams(TypedDict):
    """Params of `subject/watch`."""

    kind: NotRequired[str | None]
    filter: NotRequired[SubjectFilter | None]


class PluginNameParams(TypedDict):
    """Params of methods about one plugin."""

    name: str


class PluginStatusParams(TypedDict):
    """Params of `plugin/status`."""

    name: NotRequired[str | None]


class PluginStatus(TypedDict):
    """How a supervised plugin is."""

    name: str
    kind: str
    state: str
    hosted_by: str
    pid: NotRequired[int]
    uptime_ms: NotRequired[int]
    in_flight: int
    failures: int
    restarts: int
    retry_in_ms: NotRequired[int]
    memory_bytes: NotRequired[int]
    last_error: NotRequired[str]


class PluginStatuses(TypedDict):
    """The answer to `plugin/status`."""

    plugins: list[PluginStatus]


class PluginPing(TypedDict):
    """The answer to `plugin/ping`."""

    ok: bool
    latency_ms: NotRequired[int]
    error: NotRequired[str]


class PluginCallParams(TypedDict):
    """Params of `plugin/call`."""

    name: str
    method: str
    params: NotRequired[Json]
    timeout_secs: NotRequired[int | None]
