"""The table of the bridge: which path is which control method (protocol §5), and where its params come from.

Below lie the models of the control protocol. The `id` of a path is the field `id` of the params.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final, NamedTuple

from animus_protocol.models.base import Method, WireModel
from animus_protocol.models.control import daemon, plugin, queue, subject, workflow
from animus_protocol.models.subject import SubjectFilter, SubjectPatch

__all__ = ["FEEDS", "ROUTES", "Feed", "HttpRoute", "Source"]


class Source(Enum):
    """Where the params come from, beside the path."""

    NOWHERE = auto()
    QUERY = auto()
    BODY = auto()


class HttpRoute(NamedTuple):
    """One path and verb. `within`: the field of the params that the query or the body fills, and its model."""

    verb: str
    path: str
    method: Method[Any, Any]
    source: Source = Source.NOWHERE
    within: tuple[str, type[WireModel]] | None = None
    status: int = 200

    @property
    def given(self) -> type[WireModel]:
        """The model that the query or the body has to fit, apart from the `id` that stands in the path."""
        model: type[WireModel] = self.method.params
        return model if self.within is None else self.within[1]


class Feed(NamedTuple):
    """A path that streams events. `cursor`: the field of an item that the method takes as `since`."""

    path: str
    method: Method[Any, Any]
    cursor: str
    fixed: dict[str, Any]


_API: Final = "/api/v1"
_SUBJECT: Final = f"{_API}/subjects/{{id:path}}"
_ENTRY: Final = f"{_API}/queue/{{id}}"
_RUN: Final = f"{_API}/workflows/{{id}}"

ROUTES: Final = (
    HttpRoute("GET", f"{_API}/subjects", subject.SUBJECT_LIST, Source.QUERY, ("filter", SubjectFilter)),
    HttpRoute("POST", f"{_API}/subjects", subject.SUBJECT_CREATE, Source.BODY, status=201),
    HttpRoute("POST", f"{_SUBJECT}/status", subject.SUBJECT_STATUS, Source.BODY),
    HttpRoute("GET", _SUBJECT, subject.SUBJECT_GET),
    HttpRoute("PATCH", _SUBJECT, subject.SUBJECT_UPDATE, Source.BODY, ("patch", SubjectPatch)),
    HttpRoute("GET", f"{_API}/queue", queue.QUEUE_LIST, Source.QUERY),
    HttpRoute("POST", f"{_API}/queue", queue.QUEUE_ENQUEUE, Source.BODY, status=201),
    HttpRoute("GET", f"{_API}/queue/stats", queue.QUEUE_STATS),
    HttpRoute("POST", f"{_ENTRY}/hold", queue.QUEUE_HOLD, Source.BODY),
    HttpRoute("POST", f"{_ENTRY}/release", queue.QUEUE_RELEASE),
    HttpRoute("DELETE", _ENTRY, queue.QUEUE_DROP),
    HttpRoute("GET", f"{_API}/workflows", workflow.WORKFLOW_LIST, Source.QUERY),
    HttpRoute("POST", f"{_API}/workflows", workflow.WORKFLOW_RUN, Source.BODY, status=202),
    HttpRoute("GET", _RUN, workflow.WORKFLOW_GET),
    HttpRoute("POST", f"{_RUN}/pause", workflow.WORKFLOW_PAUSE),
    HttpRoute("POST", f"{_RUN}/resume", workflow.WORKFLOW_RESUME, Source.BODY),
    HttpRoute("POST", f"{_RUN}/cancel", workflow.WORKFLOW_CANCEL, Source.BODY),
    HttpRoute("GET", f"{_API}/daemon/status", daemon.DAEMON_STATUS),
    HttpRoute("GET", f"{_API}/daemon/health", daemon.DAEMON_HEALTH),
    HttpRoute("GET", f"{_API}/daemon/agents", daemon.DAEMON_AGENTS),
    HttpRoute("GET", f"{_API}/plugins", plugin.PLUGIN_LIST, Source.QUERY),
)
"""Paths whose `id` may hold slashes stand behind the longer ones that they would swallow."""

FEEDS: Final = (
    Feed(f"{_API}/events", daemon.DAEMON_EVENTS, "id", {}),
    Feed(f"{_API}/logs", daemon.DAEMON_LOGS, "ts", {"follow": True}),
)
