"""The provider protocol: running an agent, and what it says while it runs (protocol §4).

Below lie `base` and `common`. On the wire a notification's kind is its method, so its params carry no `kind`;
`AgentNotification` is the same as one tagged union, for journals.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AliasChoices, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from animus_protocol.models.base import (
    Json,
    KeepsNull,
    Method,
    OrDefault,
    SparseList,
    SparseMap,
    WireModel,
)
from animus_protocol.models.common import Int32, Uint64

__all__ = [
    "AGENT_CANCEL",
    "AGENT_ERROR",
    "AGENT_OUTPUT",
    "AGENT_RESUME",
    "AGENT_RUN",
    "AGENT_THINKING",
    "AGENT_TOOL_CALL",
    "AGENT_TOOL_RESULT",
    "AgentCancelRequest",
    "AgentCancelResponse",
    "AgentErrorNotification",
    "AgentErrorParams",
    "AgentNotification",
    "AgentOutputNotification",
    "AgentOutputParams",
    "AgentRunRequest",
    "AgentRunResponse",
    "AgentThinkingNotification",
    "AgentThinkingParams",
    "AgentToolCallNotification",
    "AgentToolCallParams",
    "AgentToolResultNotification",
    "AgentToolResultParams",
    "NotificationKind",
    "ProviderCapabilities",
    "ProviderManifest",
    "TokenUsage",
    "notification_kind",
]


class AgentRunRequest(WireModel):
    """Params of `agent/run` and `agent/resume`; fields that nobody here knows are kept and passed on.

    `session_id` is what `agent/cancel` is indexed by; `timeout_secs` is in seconds.
    """

    # The agent-runner passes requests on: a field of a newer host, or for one provider alone, must not get lost there.
    model_config = ConfigDict(extra="allow")

    prompt: str
    cwd: str
    session_id: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    permission_mode: str | None = None
    project_root: str | None = None
    timeout_secs: Uint64 | None = None
    env: SparseMap[str] = Field(default_factory=dict)
    mcp_servers: Json = None
    tools: Json = None
    response_schema: Json = None
    runtime_contract: Json = None


class TokenUsage(WireModel):
    """Tokens of one run; a count that the provider does not know is None."""

    input: Uint64
    output: Uint64
    cached: Uint64 | None = None
    cache_writes: Uint64 | None = None


class AgentRunResponse(WireModel):
    """Result of `agent/run` and `agent/resume`; `exit_code` is not zero after a cancel (130 is usual)."""

    session_id: str
    exit_code: Int32
    output: str
    duration_ms: Uint64
    backend: str
    metadata: SparseList[Json] = Field(default_factory=list)
    tool_calls: SparseList[Json] = Field(default_factory=list)
    tool_results: SparseList[Json] = Field(default_factory=list)
    thinking: SparseList[str] = Field(default_factory=list)
    errors: SparseList[str] = Field(default_factory=list)
    tokens_used: TokenUsage | None = None
    decision_verdict: Json = None


class AgentCancelRequest(WireModel):
    """Params of `agent/cancel`."""

    session_id: str


class AgentCancelResponse(WireModel):
    """Result of `agent/cancel`; `cancelled` is False when there is no such live session."""

    session_id: str
    cancelled: bool


class AgentOutputParams(WireModel):
    """Params of `agent/output`: a piece of the answer.

    Peers spell the flag `is_final` or `final`; both are read, and both are written.
    """

    session_id: str
    text: str
    is_final: OrDefault[bool] = Field(default=False, validation_alias=AliasChoices("is_final", "final"))

    @model_serializer(mode="wrap")
    def _write_both_spellings(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        written["final"] = self.is_final
        return written


class AgentThinkingParams(WireModel):
    """Params of `agent/thinking`: a piece of the reasoning."""

    session_id: str
    text: str


class AgentToolCallParams(KeepsNull):
    """Params of `agent/toolCall`; `server` names the MCP server of the tool."""

    # A tool can be called with null; left out, it would be a call without a required field.
    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"arguments"})

    session_id: str
    name: str
    arguments: Json
    server: str | None = None


class AgentToolResultParams(KeepsNull):
    """Params of `agent/toolResult`."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"output"})

    session_id: str
    name: str
    output: Json
    success: bool


class AgentErrorParams(WireModel):
    """Params of `agent/error`; after one that is not recoverable the run ends."""

    session_id: str
    message: str
    recoverable: bool


class AgentOutputNotification(AgentOutputParams):
    """`agent/output` as a member of the union."""

    kind: Literal["output"]


class AgentThinkingNotification(AgentThinkingParams):
    """`agent/thinking` as a member of the union."""

    kind: Literal["thinking"]


class AgentToolCallNotification(AgentToolCallParams):
    """`agent/toolCall` as a member of the union."""

    kind: Literal["toolCall"]


class AgentToolResultNotification(AgentToolResultParams):
    """`agent/toolResult` as a member of the union."""

    kind: Literal["toolResult"]


class AgentErrorNotification(AgentErrorParams):
    """`agent/error` as a member of the union."""

    kind: Literal["error"]


AgentNotification = Annotated[
    AgentOutputNotification
    | AgentThinkingNotification
    | AgentToolCallNotification
    | AgentToolResultNotification
    | AgentErrorNotification,
    Field(discriminator="kind"),
]
"""Any notification of a running agent, told apart by `kind`."""

NotificationKind = Literal["output", "thinking", "toolCall", "toolResult", "error"]


class ProviderCapabilities(WireModel):
    """What a provider can do."""

    streaming: OrDefault[bool] = False
    resume: OrDefault[bool] = False
    cancellation: OrDefault[bool] = False
    mcp: OrDefault[bool] = False
    write_capable: OrDefault[bool] = False


class ProviderManifest(WireModel):
    """A provider's description of itself; `tool` is the program it drives."""

    name: str
    version: str
    description: str
    supported_models: list[str]
    tool: str
    capabilities: ProviderCapabilities


AGENT_RUN = Method("agent/run", AgentRunRequest, AgentRunResponse, "protocol §4")
AGENT_RESUME = Method("agent/resume", AgentRunRequest, AgentRunResponse, "protocol §4")
AGENT_CANCEL = Method("agent/cancel", AgentCancelRequest, AgentCancelResponse, "protocol §4")
AGENT_OUTPUT: Method[AgentOutputParams, None] = Method("agent/output", AgentOutputParams, None, "protocol §4")
AGENT_THINKING: Method[AgentThinkingParams, None] = Method("agent/thinking", AgentThinkingParams, None, "protocol §4")
AGENT_TOOL_CALL: Method[AgentToolCallParams, None] = Method("agent/toolCall", AgentToolCallParams, None, "protocol §4")
AGENT_TOOL_RESULT: Method[AgentToolResultParams, None] = Method(
    "agent/toolResult", AgentToolResultParams, None, "protocol §4"
)
AGENT_ERROR: Method[AgentErrorParams, None] = Method("agent/error", AgentErrorParams, None, "protocol §4")

_KINDS: Final[dict[str, NotificationKind]] = {
    AGENT_OUTPUT.name: "output",
    AGENT_THINKING.name: "thinking",
    AGENT_TOOL_CALL.name: "toolCall",
    AGENT_TOOL_RESULT.name: "toolResult",
    AGENT_ERROR.name: "error",
}


def notification_kind(method: str) -> NotificationKind | None:
    """The `kind` that `method` stands for in AgentNotification; None for any other method."""
    return _KINDS.get(method)
