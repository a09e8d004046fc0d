"""The control methods that commands ask, with the shapes of their JSON (`shapes.py`, read by the type checker alone).

The protocol's own table has the same methods with models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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

    __slots__ = ("method", "params")

    def __init__(self, method: str, params: Mapping[str, object]) -> None:
        self.method: Final = method
        self.params: Final = params


class ControlMethod(Generic[Params, Answer]):
    """A method's name on the wire; the type checker knows the shapes of its params and of its answer.

    Called with params it is a question: `QUEUE_LIST({"limit": 3})`.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name: Final = name

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
        return Question(self.name, given)


DAEMON_STATUS: Final[ControlMethod[shapes.Empty, shapes.DaemonStatus]] = ControlMethod("daemon/status")
DAEMON_STOP: Final[ControlMethod[shapes.DaemonStopParams, shapes.Empty]] = ControlMethod("daemon/stop")
DAEMON_PAUSE: Final[ControlMethod[shapes.Empty, shapes.Empty]] = ControlMethod("daemon/pause")
DAEMON_RESUME: Final[ControlMethod[shapes.Empty, shapes.Empty]] = ControlMethod("daemon/resume")
DAEMON_NUDGE: Final[ControlMethod[shapes.Empty, shapes.Empty]] = ControlMethod("daemon/nudge")
DAEMON_EVENTS: Final[ControlMethod[shapes.DaemonEventsParams, shapes.Watching]] = ControlMethod("daemon/events")

QUEUE_LIST: Final[ControlMethod[shapes.QueueListParams, shapes.QueueList]] = ControlMethod("queue/list")
QUEUE_ENQUEUE: Final[ControlMethod[shapes.QueueEnqueueParams, shapes.QueueEntry]] = ControlMethod("queue/enqueue")
QUEUE_HOLD: Final[ControlMethod[shapes.QueueHoldParams, shapes.QueueEntry]] = ControlMethod("queue/hold")
QUEUE_RELEASE: Final[ControlMethod[shapes.IdParams, shapes.QueueEntry]] = ControlMethod("queue/release")
QUEUE_DROP: Final[ControlMethod[shapes.IdParams, shapes.QueueEntry]] = ControlMethod("queue/drop")
QUEUE_STATS: Final[ControlMethod[shapes.Empty, shapes.QueueStats]] = ControlMethod("queue/stats")

WORKFLOW_LIST: Final[ControlMethod[shapes.WorkflowListParams, shapes.WorkflowList]] = ControlMethod("workflow/list")
WORKFLOW_GET: Final[ControlMethod[shapes.IdParams, shapes.WorkflowDetail]] = ControlMethod("workflow/get")
WORKFLOW_RESUME: Final[ControlMethod[shapes.WorkflowResumeParams, shapes.WorkflowSummary]] = ControlMethod(
    "workflow/resume"
)
WORKFLOW_CANCEL: Final[ControlMethod[shapes.WorkflowCancelParams, shapes.WorkflowSummary]] = ControlMethod(
    "workflow/cancel"
)

SUBJECT_LIST: Final[ControlMethod[shapes.SubjectListParams, shapes.SubjectList]] = ControlMethod("subject/list")
SUBJECT_GET: Final[ControlMethod[shapes.IdParams, shapes.Subject]] = ControlMethod("subject/get")
SUBJECT_STATUS: Final[ControlMethod[shapes.SubjectStatusParams, shapes.Subject]] = ControlMethod("subject/status")
SUBJECT_CREATE: Final[ControlMethod[shapes.SubjectCreateParams, shapes.Subject]] = ControlMethod("subject/create")
SUBJECT_WATCH: Final[ControlMethod[shapes.SubjectWatchParams, shapes.Watching]] = ControlMethod("subject/watch")

PLUGIN_STATUS: Final[ControlMethod[shapes.PluginStatusParams, shapes.PluginStatuses]] = ControlMethod("plugin/status")
PLUGIN_PING: Final[ControlMethod[shapes.PluginNameParams, shapes.PluginPing]] = ControlMethod("plugin/ping")
PLUGIN_CALL: Final[ControlMethod[shapes.PluginCallParams, shapes.Json]] = ControlMethod("plugin/call")
PLUGIN_RESTART: Final[ControlMethod[shapes.PluginNameParams, shapes.PluginStatus]] = ControlMethod("plugin/restart")

# Notifications of streams, by name: what they carry is printed as it comes.
DAEMON_EVENT: Final = "daemon/event"
SUBJECT_CHANGED: Final = "subject/changed"
SUBSCRIPTION_CLOSED: Final = "subscription/closed"
