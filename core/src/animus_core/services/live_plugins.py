"""The operations on plugins that run: status, ping, call, restart, health, and taking over what was installed.

Below lie the fleet and, for providers, the agent-runner. Plugins that the daemon keeps are asked where they run; any
other one is started for the one question and ended after it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from animus_core.errors import AnimusError, InvalidInput
from animus_core.host.plugin import binding_of
from animus_core.host.plugin_state import PluginState
from animus_core.host.session import PluginSession, open_session
from animus_core.kinds.plugin_kinds import PluginKind
from animus_core.services.project import Project
from animus_protocol.errors import MethodNotFound, RpcError
from animus_protocol.models.base import Empty, encode
from animus_protocol.models.control import daemon as daemon_wire
from animus_protocol.models.control import plugin as wire
from animus_protocol.models.lifecycle import EXIT, INITIALIZE, INITIALIZED, PING, SHUTDOWN

__all__ = ["LivePlugins", "ProviderHost"]

_PING_S: Final = 2.0  # the same as for a health check, as in published hosts
_CALL_S: Final = 30  # where nobody says more; as long as a client waits for other methods
_LONGEST_CALL_S: Final = 3600  # every wait for another process has a bound, whatever a client asks for
# What the daemon itself keeps running. Providers live in the agent-runner, one process for each session.
_KEPT: Final = frozenset({PluginKind.SUBJECT_BACKEND})
_OF_THE_HOST: Final = frozenset({INITIALIZE.name, INITIALIZED.name, SHUTDOWN.name, EXIT.name})
_HEALTH: Final = {
    PluginState.READY: daemon_wire.DaemonHealthStatus.HEALTHY,
    PluginState.STARTING: daemon_wire.DaemonHealthStatus.HEALTHY,
    # Stopped is healthy: plugins start when they are first needed.
    PluginState.STOPPED: daemon_wire.DaemonHealthStatus.HEALTHY,
    PluginState.DEGRADED: daemon_wire.DaemonHealthStatus.DEGRADED,
    PluginState.CRASHED: daemon_wire.DaemonHealthStatus.UNHEALTHY,
    PluginState.BACKOFF: daemon_wire.DaemonHealthStatus.UNHEALTHY,
    PluginState.DISABLED: daemon_wire.DaemonHealthStatus.DOWN,
}


class ProviderHost(Protocol):
    """Who runs the providers: the agent-runner, or nobody."""

    async def statuses(self) -> Sequence[wire.PluginStatusInfo]:
        """The providers that it knows; none when it does not run."""
        ...

    async def restart(self, name: str) -> Sequence[wire.PluginStatusInfo]:
        """Let a provider be started again."""
        ...


class LivePlugins:
    """Operations on one project's plugins. `providers` is None without a daemon."""

    def __init__(self, project: Project, providers: ProviderHost | None) -> None:
        self._project = project
        self._providers = providers

    async def status(self, params: wire.PluginStatusParams) -> wire.PluginStatusResult:
        """How every plugin is, or the one. Raises UnknownName."""
        await self._project.refresh()
        if params.name is not None:
            self._project.fleet.named(params.name)
        statuses = {plugin.name: plugin.to_wire("daemon") for plugin in self._project.fleet.statuses()}
        if self._providers is not None:
            for provider in await self._providers.statuses():
                # What is installed decides what is shown; the agent-runner may still know a provider that is gone.
                if provider.name in statuses:
                    statuses[provider.name] = provider
        asked = [status for status in statuses.values() if params.name in (None, status.name)]
        return wire.PluginStatusResult(plugins=asked)

    async def health(self) -> daemon_wire.DaemonHealth:
        """The daemon's health: degraded while any plugin is not healthy, with the error of the first such plugin."""
        found = (await self.status(wire.PluginStatusParams())).plugins
        plugins = [
            daemon_wire.PluginHealth(
                name=plugin.name,
                kind=plugin.kind,
                status=_HEALTH[PluginState(plugin.state)],
                uptime_ms=plugin.uptime_ms,
                # A plugin that is ready again keeps its last error for `plugin status`; here it would seem unhealthy.
                last_error=plugin.last_error if PluginState(plugin.state) is not PluginState.READY else None,
            )
            for plugin in found
        ]
        unhealthy = [plugin for plugin in plugins if plugin.status is not daemon_wire.DaemonHealthStatus.HEALTHY]
        healthy, degraded = daemon_wire.DaemonHealthStatus.HEALTHY, daemon_wire.DaemonHealthStatus.DEGRADED
        last_error = f"{unhealthy[0].name}: {unhealthy[0].last_error}" if unhealthy else None
        return daemon_wire.DaemonHealth(
            status=degraded if unhealthy else healthy, plugins=plugins, last_error=last_error
        )

    async def ping(self, params: wire.PluginNameParams) -> wire.PluginPingResult:
        """Whether it answers, and how fast. Raises UnknownName; what is wrong with the plugin is in the result."""
        # Before the `try`: an unknown name is the caller's mistake, and not a plugin that does not answer.
        self._project.fleet.named(params.name)
        try:
            async with self._asked(params.name) as session:
                began = time.monotonic()
                try:
                    await session.call(PING, Empty(), timeout_s=_PING_S)
                except MethodNotFound:
                    pass  # this is an answer too, although protocol §2 asks for another one
                return wire.PluginPingResult(ok=True, latency_ms=round((time.monotonic() - began) * 1000))
        except (AnimusError, RpcError) as error:
            return wire.PluginPingResult(ok=False, error=getattr(error, "message", str(error)))

    async def call(self, params: wire.PluginCallParams) -> Any:
        """Any method with any params, passed through as they are, but those by which a host rules a plugin's life.

        Raises InvalidInput for these, UnknownName, RpcError, PluginFailed.
        """
        if params.method in _OF_THE_HOST:
            raise InvalidInput(
                f"{params.method} is for the host that runs the plugin: after it nobody else could use the plugin",
                hint=f"To have it started anew: animus plugin restart {params.name}",
            )
        timeout_s = float(min(_LONGEST_CALL_S, params.timeout_secs or _CALL_S))
        async with self._asked(params.name) as session:
            return await session.call_raw(params.method, encode(params.params), timeout_s=timeout_s)

    async def restart(self, params: wire.PluginNameParams) -> wire.PluginStatusInfo:
        """Take over what is installed now, forget the plugin's failures, and start it where it is kept running.

        Raises UnknownName, PluginFailed.
        """
        await self._project.refresh()
        supervised = self._project.fleet.named(params.name)
        if _KEPT.intersection(supervised.plugin.kinds):
            await supervised.restart()
            return supervised.status().to_wire("daemon")
        await supervised.close()
        if self._providers is not None and (restarted := await self._providers.restart(params.name)):
            return restarted[0]
        return supervised.status().to_wire("daemon")

    @asynccontextmanager
    async def _asked(self, name: str) -> AsyncIterator[PluginSession]:
        await self._project.refresh()
        supervised = self._project.fleet.named(name)
        if _KEPT.intersection(supervised.plugin.kinds):
            yield await supervised.session()
            return
        scope = self._project.scope
        session = await open_session(
            supervised.plugin,
            binding_of(scope),
            cookie=f"plugin:{scope.root.name}",
            require_environment=True,
        )
        try:
            yield session
        finally:
            await session.close()
