"""`plugin/*` on the control socket: installed plugins and calls through to them (protocol §5).

Below lie `base`, `common` and `plugin_status`.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import ConfigDict, Field

from animus_protocol.models.base import Json, Method, OrDefault, SparseList, WireModel
from animus_protocol.models.common import Acknowledged, Uint32, Uint64
from animus_protocol.models.plugin_status import PluginNameParams, PluginStatusInfo, PluginStatusResult

__all__ = [
    "PLUGIN_BROWSE",
    "PLUGIN_CALL",
    "PLUGIN_INFO",
    "PLUGIN_INSTALL",
    "PLUGIN_LIST",
    "PLUGIN_PING",
    "PLUGIN_RESTART",
    "PLUGIN_SEARCH",
    "PLUGIN_STATUS",
    "PLUGIN_UNINSTALL",
    "PLUGIN_UPDATE",
    "ControlPluginInfo",
    "PluginBrowseParams",
    "PluginCallParams",
    "PluginCatalog",
    "PluginCatalogEntry",
    "PluginInstallParams",
    "PluginInstallResult",
    "PluginListParams",
    "PluginListResult",
    "PluginNameParams",
    "PluginPingResult",
    "PluginSearchParams",
    "PluginStatusInfo",
    "PluginStatusParams",
    "PluginStatusResult",
    "PluginUpdate",
    "PluginUpdateParams",
    "PluginUpdateResult",
    "PluginWarning",
]


class ControlPluginInfo(WireModel):
    """A plugin as the daemon knows it; not the PluginInfo of the lifecycle.

    `lock` is this project's addition: `locked` or `development` for what was installed.
    """

    model_config = ConfigDict(title="PluginInfo")

    name: str
    version: str
    kind: str
    source: str | None = None
    signature_verified: OrDefault[bool] = False
    description: str | None = None
    binary_path: str | None = None
    lock: str | None = None


class PluginListParams(WireModel):
    """Params of `plugin/list`."""

    include_warnings: OrDefault[bool] = False
    kind: str | None = None


class PluginWarning(WireModel):
    """Why a plugin that was found is not usable, or hides another."""

    plugin: str
    message: str


class PluginListResult(WireModel):
    """Result of `plugin/list`."""

    plugins: list[ControlPluginInfo]
    warnings: SparseList[PluginWarning] = Field(default_factory=list)


class PluginPingResult(WireModel):
    """Result of `plugin/ping`; `latency_ms` in milliseconds."""

    ok: bool
    latency_ms: Uint64 | None = None
    error: str | None = None


class PluginInstallParams(WireModel):
    """Params of `plugin/install`; `yes` answers every question beforehand."""

    source: str
    version: str | None = None
    yes: OrDefault[bool] = False
    allow_unsigned: OrDefault[bool] = False


class PluginInstallResult(WireModel):
    """Result of `plugin/install`; `steps` is what was done, in order."""

    plugin: ControlPluginInfo
    steps: SparseList[Json] = Field(default_factory=list)


class PluginCallParams(WireModel):
    """Params of `plugin/call`: `params` goes to the plugin as it is. `timeout_secs` (30) is this project's addition."""

    name: str
    method: str
    params: OrDefault[Json] = Field(default_factory=dict)
    timeout_secs: Uint32 | None = None


class PluginStatusParams(WireModel):
    """Params of `plugin/status`; without a name, every plugin."""

    name: str | None = None


class PluginSearchParams(WireModel):
    """Params of `plugin/search`."""

    query: str
    kind: str | None = None
    tag: str | None = None


class PluginBrowseParams(WireModel):
    """Params of `plugin/browse`."""

    kind: str | None = None
    installed: OrDefault[bool] = False
    available: OrDefault[bool] = False


class PluginCatalogEntry(WireModel):
    """A plugin that a registry offers."""

    id: str
    name: str
    version: str
    kind: str
    description: str | None = None
    url: str | None = None
    tags: SparseList[str] = Field(default_factory=list)
    installed: OrDefault[bool] = False


class PluginCatalog(WireModel):
    """Result of `plugin/search` and `plugin/browse`."""

    entries: list[PluginCatalogEntry]


class PluginUpdateParams(WireModel):
    """Params of `plugin/update`; without a name, every plugin."""

    name: str | None = None
    tag: str | None = None
    dry_run: OrDefault[bool] = False


class PluginUpdate(WireModel):
    """One update, done or only found."""

    name: str
    from_version: str
    to_version: str
    applied: bool


class PluginUpdateResult(WireModel):
    """Result of `plugin/update`."""

    updates: list[PluginUpdate]


PLUGIN_LIST = Method("plugin/list", PluginListParams, PluginListResult, "protocol §5")
PLUGIN_INFO = Method("plugin/info", PluginNameParams, ControlPluginInfo, "protocol §5")
PLUGIN_PING = Method("plugin/ping", PluginNameParams, PluginPingResult, "protocol §5")
PLUGIN_UNINSTALL = Method("plugin/uninstall", PluginNameParams, Acknowledged, "protocol §5")
PLUGIN_INSTALL = Method("plugin/install", PluginInstallParams, PluginInstallResult, "protocol §5")
PLUGIN_CALL = Method("plugin/call", PluginCallParams, cast("type[Any]", Any), "protocol §5")
PLUGIN_STATUS = Method("plugin/status", PluginStatusParams, PluginStatusResult, "this project's addition")
PLUGIN_RESTART = Method("plugin/restart", PluginNameParams, PluginStatusInfo, "this project's addition")
PLUGIN_SEARCH = Method("plugin/search", PluginSearchParams, PluginCatalog, "protocol §5")
PLUGIN_BROWSE = Method("plugin/browse", PluginBrowseParams, PluginCatalog, "protocol §5")
PLUGIN_UPDATE = Method("plugin/update", PluginUpdateParams, PluginUpdateResult, "protocol §5")
