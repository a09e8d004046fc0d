"""`agent/*` on the control socket: one-off provider sessions (protocol §5).

Below lies `base`. These are not the provider protocol's types.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from animus_protocol.models.base import Method, SparseMap, Timestamp, WireModel
from animus_protocol.models.common import Acknowledged, Uint64

__all__ = [
    "AGENT_CANCEL",
    "AGENT_RUN",
    "AGENT_STATUS",
    "AgentCancelParams",
    "AgentIdParams",
    "AgentRunParams",
    "AgentRunResult",
    "AgentState",
    "AgentStatus",
    "AgentUsage",
]


class AgentRunParams(WireModel):
    """Params of `agent/run`."""

    provider: str
    model: str
    prompt: str
    system: str | None = None
    cwd: str | None = None
    env: SparseMap[str] = Field(default_factory=dict)


class AgentUsage(WireModel):
    """What a session used; `cost_micro_usd` in millionths of a dollar."""

    prompt_tokens: Uint64
    completion_tokens: Uint64
    cost_micro_usd: Uint64 | None = None


class AgentRunResult(WireModel):
    """Result of `agent/run`."""

    session_id: str
    model: str
    output: str
    usage: AgentUsage | None = None


class AgentIdParams(WireModel):
    """Params of `agent/status`; `id` is the session's."""

    id: str


class AgentState(StrEnum):
    """The states of a session."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AgentStatus(WireModel):
    """Result of `agent/status`."""

    session_id: str
    status: AgentState
    provider: str
    model: str
    started_at: Timestamp
    finished_at: Timestamp | None = None
    last_error: str | None = None


class AgentCancelParams(WireModel):
    """Params of `agent/cancel`."""

    session_id: str


AGENT_RUN = Method("agent/run", AgentRunParams, AgentRunResult, "protocol §5")
AGENT_STATUS = Method("agent/status", AgentIdParams, AgentStatus, "protocol §5")
AGENT_CANCEL = Method("agent/cancel", AgentCancelParams, Acknowledged, "protocol §5")
