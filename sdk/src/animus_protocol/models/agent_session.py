"""Between a workflow-runner and the agent-runner: sessions keyed `(run, phase, attempt)` over `agent-runner.sock`.

A private protocol of the core's own processes, in the same form as the published ones; below lies `provider.py`.
`agent/run` and `agent/resume` open a session or attach to it; its records follow as `agent/record` notifications from
`after_seq` on, the last one of kind `closed`.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from animus_protocol.models.base import Empty, Json, Method, WireModel
from animus_protocol.models.plugin_status import PluginNameParams, PluginStatusResult
from animus_protocol.models.provider import AgentRunRequest, AgentRunResponse

__all__ = [
    "CLOSED",
    "PLUGIN_MOVED",
    "PROVIDER_RESTART",
    "PROVIDER_STATUS",
    "SESSION_CANCEL",
    "SESSION_OPEN",
    "SESSION_RECORD",
    "SESSION_RESUME",
    "SHUTDOWN_IDLE",
    "PluginMoved",
    "SessionCancel",
    "SessionClosed",
    "SessionEnd",
    "SessionKey",
    "SessionOpen",
    "SessionOpened",
    "SessionRecord",
    "SessionState",
    "ShutdownIdle",
    "ShutdownResult",
]

CLOSED = "closed"
"""The kind of a session's last record; its data is a `SessionClosed`."""


class SessionKey(WireModel):
    """Which session: one attempt of one phase of one run."""

    run: str
    phase: str
    attempt: int


class SessionOpen(WireModel):
    """Start the session, or attach to it when it exists, and stream what comes after `after_seq`.

    `epoch` is the runner's; one that is lower than the highest seen for the run is refused.
    """

    session: SessionKey
    epoch: int
    tool: str
    request: AgentRunRequest
    after_seq: int = 0


class SessionState(StrEnum):
    """How a session was found."""

    LIVE = "live"
    CLOSED = "closed"
    INTERRUPTED = "interrupted"


class SessionOpened(WireModel):
    """`interrupted`: its process is proved dead and nothing follows; `written` says whether the provider may have seen
    the request, `resumable` whether it serves `agent/resume` for `session_id`."""

    state: SessionState
    session_id: str
    written: bool
    resumable: bool


class SessionRecord(WireModel):
    """One record of a session's spool; `kind` is `output thinking toolCall toolResult error metadata` or `closed`."""

    session: SessionKey
    seq: int
    kind: str
    data: dict[str, Json] = Field(default_factory=dict)


class SessionEnd(StrEnum):
    """Why a session is over; `unknown`: it was to be resumed, and the provider has never heard of it."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DIED = "died"
    TIMED_OUT = "timed-out"
    CANCELLED = "cancelled"


class SessionClosed(WireModel):
    """The end of a session: the provider's `response` when it answered, else `message` says what happened.

    `written`: whether the provider may have seen the request.
    """

    end: SessionEnd
    written: bool
    resumable: bool = False
    response: AgentRunResponse | None = None
    message: str | None = None


class SessionCancel(WireModel):
    """End the session: `agent/cancel`, then `$/cancelRequest`, then signals. It closes as `cancelled`."""

    session: SessionKey
    epoch: int


class ShutdownIdle(WireModel):
    """Leave when no session is live, or with `force` in any case."""

    force: bool = False


class ShutdownResult(WireModel):
    """Whether the agent-runner leaves, and how many sessions are live."""

    leaving: bool
    live_sessions: int


class PluginMoved(WireModel):
    """What the agent-runner tells the daemon: one of its providers went from state `was` to `state`."""

    plugin: str
    plugin_kind: str
    was: str
    state: str
    reason: str | None = None
    pid: int | None = None


SESSION_OPEN = Method("agent/run", SessionOpen, SessionOpened, "ADR 0002")
SESSION_RESUME = Method("agent/resume", SessionOpen, SessionOpened, "ADR 0002")
SESSION_CANCEL = Method("agent/cancel", SessionCancel, Empty, "ADR 0002")
SESSION_RECORD: Method[SessionRecord, None] = Method("agent/record", SessionRecord, None, "ADR 0002")
SHUTDOWN_IDLE = Method("agent_runner/shutdown", ShutdownIdle, ShutdownResult, "ADR 0002")
PROVIDER_STATUS = Method("agent_runner/providers", Empty, PluginStatusResult, "ADR 0002")
PROVIDER_RESTART = Method("agent_runner/restart", PluginNameParams, PluginStatusResult, "ADR 0002")
PLUGIN_MOVED: Method[PluginMoved, None] = Method("agent_runner/moved", PluginMoved, None, "ADR 0002")
