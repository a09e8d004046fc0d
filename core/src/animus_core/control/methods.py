"""The control methods that commands ask, with the shapes of their JSON (`shapes.py`, read by the type checker alone).

The protocol's own table has the same methods with models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from animus_core.errors import InvalidInput

if TYPE_CHECKING:
    from animus_core.control import shapes

__all__ = [
    "DAEMON_EVENT",
    "DAEMON_EVENTS",
    "DAEMON_NUDGE",
    "DAEMON_PAUSE",
    "DAEMON_RESUME",
    "DAEMON_STATUS",
    "DAEMON_STOP",
    "PLUGIN_CALL",
    "PLUGIN_PING",
    "PLUGIN_RESTART",
    "PLUGIN_STATUS",
    "QUEUE_DROP",
    "QUEUE_ENQUEUE",
    "QUEUE_HOLD",
    "QUEUE_LIST",
    "QUEUE_RELEASE",
    "QUEUE_STATS",
    "SUBJECT_CHANGED",
    "SUBJECT_CREATE",
    "SUBJECT_GET",
    "SUBJECT_LIST",
    "SUBJECT_STATUS",
    "SUBJECT_WATCH",
    "SUBSCRIPTION_CLOSED",
    "WORKFLOW_CANCEL",
    "WORKFLOW_GET",
    "WORKFLOW_LIST",
    "WORKFLOW_RESUME",
    "Answer",
    "ControlMethod",
    "Params",
    "Question",
]

Params = TypeVar("Params", bound=Mapping[str, object])
Answer = TypeVar("Answer")


class Question(Generic[Answer]):
    """A method and its params: what is asked; the type checker knows the shape of the answer."""

    __slots__ = ("always", "method", "params")

    def __init__(self, method: str, params: Mapping[str, object], always: Sequence[str]) -> None:
        self.method: Final = method
        self.params: Final = params
        self.always: Final = always


class ControlMethod(Generic[Params, Answer]):
    """A method's name on the wire; the type checker knows the shapes of its params and of its answer.

    `always` names the fields that every answer has: a command takes them without looking, so whoever asks looks once.
    Called with params it is a question: `QUEUE_LIST({"limit": 3})`.
    """

    __slots__ = ("always", "name")

    def __init__(self, name: str, *always: str) -> None:
        self.name: Final = name
        self.always: Final = always

    def __call__(self, params: Params) -> Question[Answer]:
        """The question. What has no value is left out: no peer has to read a null that means nothing.

        Raises InvalidInput for a text that is not Unicode, as the shell may give it.
        """
        given = {name: value for name, value in params.items() if value is not None}
        for name, value in given.items():
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                raise InvalidInput(f"{name} is {value!r}: it is not UTF-8", hint="Give it another value.") from error
        return Question(self.name, given, self.always)


_ENTRY: Final = ("id", "subject_id", "status", "priority", "enqueued_at")
_RUN: Final = ("id", "definition", "status", "started_at")

DAEMON_STATUS: Final[ControlMethod[shapes.Empty, shapes.DaemonStatus]] = ControlMethod(
    "daemon/status", "running", "capabilities"
)
DAEMON_STOP: Final[ControlMethod[shapes.DaemonStopParams, shapes.Empty]] = ControlMethod("daemon/stop")
DAEMON_PAUSE: Final[ControlMethod[shapes.Empty, shapes.Empty]] = ControlMethod("daemon/pause")
DAEMON_RESUME: Final[ControlMethod[shapes.Empty, shapes.Empty]] = ControlMethod("daemon/resume")
DAEMON_NUDGE: Final[ControlMethod[shapes.Empty, shapes.Empty]] = ControlMethod("daemon/nudge")
DAEMON_EVENTS: Final[ControlMethod[shapes.DaemonEventsParams, shapes.Watching]] = ControlMethod(
    "daemon/events", "watching"
)

QUEUE_LIST: Final[ControlMethod[shapes.QueueListParams, shapes.QueueList]] = ControlMethod("queue/list", "entries")
QUEUE_ENQUEUE: Final[ControlMethod[shapes.QueueEnqueueParams, shapes.QueueEntry]] = ControlMethod(
    "queue/enqueue", *_ENTRY
)
QUEUE_HOLD: Final[ControlMethod[shapes.QueueHoldParams, shapes.QueueEntry]] = ControlMethod("queue/hold", *_ENTRY)
QUEUE_RELEASE: Final[ControlMethod[shapes.IdParams, shapes.QueueEntry]] = ControlMethod("queue/release", *_ENTRY)
QUEUE_DROP: Final[ControlMethod[shapes.IdParams, shapes.QueueEntry]] = ControlMethod("queue/drop", *_ENTRY)
QUEUE_STATS: Final[ControlMethod[shapes.Empty, shapes.QueueStats]] = ControlMethod(
    "queue/stats", "ready", "held", "in_flight", "done_recent", "dropped_recent"
)

WORKFLOW_LIST: Final[ControlMethod[shapes.WorkflowListParams, shapes.WorkflowList]] = ControlMethod(
    "workflow/list", "runs"
)
WORKFLOW_GET: Final[ControlMethod[shapes.IdParams, shapes.WorkflowDetail]] = ControlMethod(
    "workflow/get", *_RUN, "detail"
)
WORKFLOW_RESUME: Final[ControlMethod[shapes.WorkflowResumeParams, shapes.WorkflowSummary]] = ControlMethod(
    "workflow/resume", *_RUN
)
WORKFLOW_CANCEL: Final[ControlMethod[shapes.WorkflowCancelParams, shapes.WorkflowSummary]] = ControlMethod(
    "workflow/cancel", *_RUN
)

# A subject may come wrapped from another daemon (protocol §4): whoever has unwrapped it looks for its fields.
SUBJECT_LIST: Final[ControlMethod[shapes.SubjectListParams, shapes.SubjectList]] = ControlMethod(
    "subject/list", "subjects", "fetched_at"
)
SUBJECT_GET: Final[ControlMethod[shapes.IdParams, shapes.Subject]] = ControlMethod("subject/get")
SUBJECT_STATUS: Final[ControlMethod[shapes.SubjectStatusParams, shapes.Subject]] = ControlMethod("subject/status")
SUBJECT_CREATE: Final[ControlMethod[shapes.SubjectCreateParams, shapes.Subject]] = ControlMethod("subject/create")
SUBJECT_WATCH: Final[ControlMethod[shapes.SubjectWatchParams, shapes.Watching]] = ControlMethod(
    "subject/watch", "watching"
)

PLUGIN_STATUS: Final[ControlMethod[shapes.PluginStatusParams, shapes.PluginStatuses]] = ControlMethod(
    "plugin/status", "plugins"
)
PLUGIN_PING: Final[ControlMethod[shapes.PluginNameParams, shapes.PluginPing]] = ControlMethod("plugin/ping", "ok")
PLUGIN_CALL: Final[ControlMethod[shapes.PluginCallParams, shapes.Json]] = ControlMethod("plugin/call")
PLUGIN_RESTART: Final[ControlMethod[shapes.PluginNameParams, shapes.PluginStatus]] = ControlMethod(
    "plugin/restart", "name", "kind", "state", "hosted_by", "in_flight", "failures", "restarts"
)

# Notifications of streams, by name: what they carry is printed as it comes.
DAEMON_EVENT: Final = "daemon/event"
SUBJECT_CHANGED: Final = "subject/changed"
SUBSCRIPTION_CLOSED: Final = "subscription/closed"
