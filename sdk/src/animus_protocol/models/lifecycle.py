"""The lifecycle every plugin serves: initialize, ping, health, shutdown, cancel, progress, log (protocol §2).

Below lie `base` and `common`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from pydantic_core import to_json

from animus_protocol.models.base import (
    Empty,
    Json,
    KeepsNull,
    Method,
    OrDefault,
    SparseList,
    SparseMap,
    WireModel,
)
from animus_protocol.models.common import Acknowledged, RequestId, Uint64

__all__ = [
    "CANCEL_REQUEST",
    "EXIT",
    "HEALTH_CHECK",
    "INITIALIZE",
    "INITIALIZED",
    "LOG_ENTRY",
    "PING",
    "PROGRESS",
    "SHUTDOWN",
    "CancelParams",
    "HealthCheckResult",
    "HealthStatus",
    "HostCapabilities",
    "HostInfo",
    "InitializeParams",
    "InitializeResult",
    "KindCapability",
    "LogEntryParams",
    "McpTool",
    "PluginCapabilities",
    "PluginInfo",
    "ProgressParams",
    "ProjectBinding",
]


class HostInfo(WireModel):
    """Who started the plugin."""

    name: str
    version: str


class HostCapabilities(WireModel):
    """What the host takes part in."""

    streaming: OrDefault[bool] = False
    progress: OrDefault[bool] = False
    cancellation: OrDefault[bool] = False


class ProjectBinding(WireModel):
    """`init_extensions.project_binding`: the project the plugin works for; `project_root` is an absolute path."""

    project_root: str
    repo_scope: str | None = None


class InitializeParams(WireModel):
    """The first request; hosts send every field (protocol §2)."""

    protocol_version: str
    host_info: HostInfo
    capabilities: HostCapabilities
    init_extensions: SparseMap[Json] = Field(default_factory=dict)

    def project_binding(self) -> ProjectBinding | None:
        """The project binding, or None when the host sent none. Raises ValidationError when it is malformed."""
        raw = self.init_extensions.get("project_binding")
        return None if raw is None else ProjectBinding.model_validate(raw)


class McpTool(WireModel):
    """A tool that the host offers to agents on the plugin's behalf."""

    name: str
    description: str | None = None
    input_schema: Json = None


class PluginCapabilities(WireModel):
    """What the plugin serves; the method set is the manifest's capabilities and `methods` together."""

    # It has a published default, so it is written when empty, too; the lists below are left out then.
    methods: OrDefault[list[str]] = Field(default_factory=list)
    streaming: OrDefault[bool] = False
    progress: OrDefault[bool] = False
    cancellation: OrDefault[bool] = False
    projections: SparseList[str] = Field(default_factory=list)
    subject_kinds: SparseList[str] = Field(default_factory=list)
    mcp_tools: SparseList[McpTool] = Field(default_factory=list)


class PluginInfo(WireModel):
    """Who answered."""

    name: str
    version: str
    plugin_kind: str
    plugin_kinds: SparseList[str] = Field(default_factory=list)
    description: str | None = None


class KindCapability(WireModel):
    """A kind's own protocol version, and whatever else the kind agreed on."""

    crate_version: str
    extra: Json = None


class InitializeResult(WireModel):
    """The answer to `initialize`."""

    protocol_version: str
    plugin_info: PluginInfo
    capabilities: PluginCapabilities
    kind_capabilities: SparseMap[KindCapability] = Field(default_factory=dict)


class HealthStatus(StrEnum):
    """How well a plugin is, by its own report."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class HealthCheckResult(WireModel):
    """Result of `health/check`; `uptime_ms` in milliseconds, `memory_usage_bytes` in bytes."""

    status: HealthStatus
    uptime_ms: Uint64 | None = None
    memory_usage_bytes: Uint64 | None = None
    last_error: str | None = None


class CancelParams(WireModel):
    """Params of `$/cancelRequest`: which request to end; it answers `-32002`."""

    id: RequestId


class ProgressParams(KeepsNull):
    """Params of `$/progress`: how far request `id` got, in the method's own words."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"value"})

    id: RequestId
    value: Json = None


def _as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else to_json(value, inf_nan_mode="null").decode()


_AnyText = Annotated[str | None, BeforeValidator(_as_text)]


class LogEntryParams(WireModel):
    """Params of `log/entry`, a habit of running plugins; nothing is required, any value reads as text (protocol §1)."""

    level: _AnyText = None
    target: _AnyText = None
    message: _AnyText = None
    fields: Json = None
    ts: _AnyText = None


INITIALIZE = Method("initialize", InitializeParams, InitializeResult, "protocol §2")
INITIALIZED: Method[Empty, None] = Method("initialized", Empty, None, "protocol §2")
PING = Method("$/ping", Empty, Acknowledged, "protocol §2")
HEALTH_CHECK = Method("health/check", Empty, HealthCheckResult, "protocol §2")
SHUTDOWN = Method("shutdown", Empty, Acknowledged, "protocol §2")
EXIT: Method[Empty, None] = Method("exit", Empty, None, "protocol §2")
CANCEL_REQUEST: Method[CancelParams, None] = Method("$/cancelRequest", CancelParams, None, "protocol §2")
PROGRESS: Method[ProgressParams, None] = Method("$/progress", ProgressParams, None, "protocol §2")
LOG_ENTRY: Method[LogEntryParams, None] = Method("log/entry", LogEntryParams, None, "protocol §1")
