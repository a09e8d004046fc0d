"""`daemon/*` on the control socket: state, health, switches, events and logs (protocol §5).

Below lie `base` and the log storage models.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from animus_protocol.models.base import Empty, Json, KeepsNull, Method, OrDefault, SparseList, Timestamp, WireModel
from animus_protocol.models.common import Acknowledged, StreamItem, SubscriptionClosed, Uint32, Uint64, Watching
from animus_protocol.models.log_storage import LogEntry, LogLevel

__all__ = [
    "DAEMON_AGENTS",
    "DAEMON_EVENT",
    "DAEMON_EVENTS",
    "DAEMON_HEALTH",
    "DAEMON_LOG",
    "DAEMON_LOGS",
    "DAEMON_NUDGE",
    "DAEMON_PAUSE",
    "DAEMON_RESTART",
    "DAEMON_RESUME",
    "DAEMON_START",
    "DAEMON_STATUS",
    "DAEMON_STOP",
    "SUBSCRIPTION_CLOSED",
    "DaemonAgent",
    "DaemonAgentsResult",
    "DaemonCapabilities",
    "DaemonEvent",
    "DaemonEventsParams",
    "DaemonHealth",
    "DaemonHealthStatus",
    "DaemonLogsParams",
    "DaemonStatus",
    "DaemonStopParams",
    "PluginHealth",
]


class DaemonCapabilities(WireModel):
    """Which control methods this daemon answers."""

    methods: OrDefault[list[str]] = Field(default_factory=list)


class DaemonStatus(WireModel):
    """Result of `daemon/status`; `paused`, `active_runs`, `queued` and `untrusted` are this project's additions.

    `untrusted` says why no work of this repository is started, as long as its operator has not trusted it.
    """

    running: bool
    pid: Uint32 | None = None
    uptime_seconds: Uint64 | None = None
    version: str | None = None
    project_root: str | None = None
    log_path: str | None = None
    capabilities: OrDefault[DaemonCapabilities] = Field(default_factory=DaemonCapabilities)
    paused: bool | None = None
    active_runs: Uint64 | None = None
    queued: Uint64 | None = None
    untrusted: str | None = None


class DaemonHealthStatus(StrEnum):
    """The health of the daemon, or of a plugin under it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    DOWN = "down"


class PluginHealth(WireModel):
    """One plugin's health; `uptime_ms` in milliseconds."""

    name: str
    kind: str
    status: DaemonHealthStatus
    uptime_ms: Uint64 | None = None
    last_error: str | None = None


class DaemonHealth(WireModel):
    """Result of `daemon/health`."""

    status: DaemonHealthStatus
    plugins: SparseList[PluginHealth] = Field(default_factory=list)
    last_error: str | None = None


class DaemonAgent(WireModel):
    """A provider session that is alive."""

    session_id: str
    provider: str
    model: str
    workflow_id: str | None = None
    phase_id: str | None = None
    started_at: Timestamp


class DaemonAgentsResult(WireModel):
    """Result of `daemon/agents`."""

    agents: list[DaemonAgent]


class DaemonStopParams(WireModel):
    """Params of `daemon/stop`; `drain_secs`, this project's addition: how long runs may still finish, in seconds."""

    drain_secs: Uint32 | None = None


class DaemonEventsParams(WireModel):
    """Params of `daemon/events`; `since` is an opaque cursor: the id of the last event that was seen."""

    since: str | None = None


class DaemonEvent(KeepsNull):
    """What `daemon/event` carries."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"payload"})

    id: str
    occurred_at: Timestamp
    kind: str
    payload: Json


class DaemonLogsParams(WireModel):
    """Params of `daemon/logs`; without `follow` the stream ends after what is stored."""

    since: Timestamp | None = None
    level: LogLevel | None = None
    plugin: str | None = None
    follow: OrDefault[bool] = False


DAEMON_STATUS = Method("daemon/status", Empty, DaemonStatus, "protocol §5")
DAEMON_HEALTH = Method("daemon/health", Empty, DaemonHealth, "protocol §5")
DAEMON_START = Method("daemon/start", Empty, Acknowledged, "protocol §5")
DAEMON_STOP = Method("daemon/stop", DaemonStopParams, Acknowledged, "protocol §5")
DAEMON_RESTART = Method("daemon/restart", Empty, Acknowledged, "protocol §5")
DAEMON_NUDGE = Method("daemon/nudge", Empty, Acknowledged, "protocol §5")
DAEMON_PAUSE = Method("daemon/pause", Empty, Acknowledged, "this project's addition")
DAEMON_RESUME = Method("daemon/resume", Empty, Acknowledged, "this project's addition")
DAEMON_AGENTS = Method("daemon/agents", Empty, DaemonAgentsResult, "protocol §5")
DAEMON_EVENTS = Method("daemon/events", DaemonEventsParams, Watching, "protocol §5")
DAEMON_EVENT: Method[StreamItem[DaemonEvent], None] = Method(
    "daemon/event", StreamItem[DaemonEvent], None, "protocol §5"
)
DAEMON_LOGS = Method("daemon/logs", DaemonLogsParams, Watching, "protocol §5")
DAEMON_LOG: Method[StreamItem[LogEntry], None] = Method("daemon/log", StreamItem[LogEntry], None, "protocol §5")
SUBSCRIPTION_CLOSED: Method[SubscriptionClosed, None] = Method(
    "subscription/closed", SubscriptionClosed, None, "protocol §5"
)
