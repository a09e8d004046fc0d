"""How a supervised plugin is: what the daemon tells its clients of it, and the agent-runner the daemon.

Below lie `base` and `common`.
"""

from __future__ import annotations

from animus_protocol.models.base import WireModel
from animus_protocol.models.common import Uint64

__all__ = ["PluginNameParams", "PluginStatusInfo", "PluginStatusResult"]


class PluginNameParams(WireModel):
    """Params of the methods about one plugin."""

    name: str


class PluginStatusInfo(WireModel):
    """How a supervised plugin is: its `state`, its `failures` in a row, its `in_flight` calls or sessions.

    `restarts` counts all its failures since the process that hosts it began. Times in milliseconds,
    `memory_bytes` in bytes. `hosted_by` is `daemon` or `agent-runner`.
    """

    name: str
    kind: str
    state: str
    hosted_by: str
    pid: int | None = None
    uptime_ms: Uint64 | None = None
    in_flight: Uint64 = 0
    failures: Uint64 = 0
    restarts: Uint64 = 0
    retry_in_ms: Uint64 | None = None
    memory_bytes: Uint64 | None = None
    last_error: str | None = None


class PluginStatusResult(WireModel):
    """Result of `plugin/status`."""

    plugins: list[PluginStatusInfo]
