"""What `plugin --manifest` prints (protocol §2).

Below lies `base`.
"""

from __future__ import annotations

from pydantic import Field

from animus_protocol.models.base import OrDefault, SparseList, WireModel
from animus_protocol.models.common import Uint64

__all__ = ["EnvRequirement", "PluginManifest"]


class EnvRequirement(WireModel):
    """An environment variable the plugin asks for; only declared ones reach it."""

    name: str
    description: str | None = None
    required: OrDefault[bool] = False
    sensitive: OrDefault[bool] = False


class PluginManifest(WireModel):
    """A plugin's description of itself; `notification_buffer_size` counts notifications."""

    name: str
    version: str
    plugin_kind: str
    description: str
    protocol_version: str
    plugin_kinds: SparseList[str] = Field(default_factory=list)
    # It has a published default, so it is written when empty, too.
    capabilities: OrDefault[list[str]] = Field(default_factory=list)
    env_required: SparseList[EnvRequirement] = Field(default_factory=list)
    notification_buffer_size: Uint64 | None = None
    supports_mcp: bool | None = None
