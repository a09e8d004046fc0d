"""The provider plugins behind the sessions: which may be started now, and how each of them is.

Owned by `server.py`; below it lie discovery and the same table and budget that every other plugin has. A provider has
one process a session: the death of one costs the provider an attempt and no neighbour its process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from animus_core.errors import PluginFailed
from animus_core.host.finding.discover import Discovery, Plugin
from animus_core.host.plugin_state import Budget, Move, PluginState, Restarts, check_move
from animus_core.host.session import PluginSession
from animus_core.host.supervise import PluginStatus

__all__ = ["Provider", "Providers", "provider_for"]

_log = logging.getLogger("animus.agent_runner")
_S = PluginState


def provider_for(discovery: Discovery, tool: str) -> Plugin | None:
    """The provider plugin of `tool`: the one named `animus-provider-<tool>`, or named `<tool>`."""
    providers = discovery.of_kind("provider")
    names = (f"animus-provider-{tool}", tool)
    return next((plugin for plugin in providers if {plugin.name, plugin.manifest.name} & set(names)), None)


class Provider:
    """One provider plugin and the processes of its sessions."""

    def __init__(self, plugin: Plugin, budget: Budget, on_move: Callable[[Move], None]) -> None:
        self.plugin = plugin
        self.state = _S.STOPPED
        self._restarts = Restarts(budget)
        self._on_move = on_move
        self._processes: dict[str, PluginSession | None] = {}
        self._began: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()

    async def admit(self, session_id: str) -> None:
        """Wait until another process may be started, and count it. Raises PluginFailed when none may be any more."""
        while not self._restarts.used_up and (wait_s := self._restarts.retry_at - self._loop.time()) > 0:
            _log.info("session %s waits %.0f s: its provider has just failed", session_id, wait_s)
            await asyncio.sleep(wait_s)  # the backoff itself
        if self._restarts.used_up:
            name = self.plugin.name
            why = f"disabled after {self._restarts.failures} failures: {self._restarts.last_error}"
            raise PluginFailed(name, why, None, remedy=f"Mend the plugin, then: animus plugin restart {name}")
        self._processes[session_id] = None
        self._began[session_id] = self._loop.time()
        if self.state in (_S.STOPPED, _S.BACKOFF):
            self._move(_S.STARTING)

    def ready(self, session_id: str, process: PluginSession) -> None:
        """A session's process has answered the handshake."""
        self._processes[session_id] = process
        if self.state is _S.STARTING:
            self._move(_S.READY, pid=process.child.pid)

    def feel(self, complaint: str | None) -> None:
        """A health check of one of its processes said this."""
        if complaint is not None and self.state is _S.READY:
            self._restarts.last_error = complaint
            self._move(_S.DEGRADED, complaint)
        elif complaint is None and self.state is _S.DEGRADED:
            self._move(_S.READY)

    def crashed(self, session_id: str, why: str) -> None:
        """A session's process died by itself, or never came up: one attempt less."""
        self._processes.pop(session_id, None)
        now = self._loop.time()
        self._restarts.failed(why, now, lived_s=now - self._began.pop(session_id, now))
        if self.state is not _S.DISABLED:
            self._move(_S.CRASHED, why)
            self._move(_S.DISABLED if self._restarts.used_up else _S.BACKOFF, why)

    def done(self, session_id: str, *, worked: bool) -> None:
        """A session's process was ended by us; `worked`: it had answered."""
        self._processes.pop(session_id, None)
        self._began.pop(session_id, None)
        if worked:
            self._restarts.worked()
        if not self._processes and self.state in (_S.STARTING, _S.READY, _S.DEGRADED):
            self._move(_S.STOPPED)

    def forgive(self) -> None:
        """An operator wants it to be started again; processes that live are not touched."""
        self._restarts.forgive()
        if self.state in (_S.DISABLED, _S.BACKOFF):
            self._move(_S.STOPPED)
            if self._processes:
                self._move(_S.STARTING)
                self._move(_S.READY)

    def status(self) -> PluginStatus:
        """How it is now; `pid` and uptime are those of its oldest process."""
        now = self._loop.time()
        live = [process for process in self._processes.values() if process is not None]
        backoff = self.state is _S.BACKOFF
        return PluginStatus(
            name=self.plugin.name,
            kind=self.plugin.manifest.plugin_kind,
            state=self.state,
            pid=live[0].child.pid if live else None,
            uptime_s=now - min(self._began.values()) if self._began else None,
            in_flight=len(self._processes),
            failures=self._restarts.failures,
            restarts=self._restarts.total,
            retry_in_s=max(0.0, self._restarts.retry_at - now) if backoff else None,
            last_error=self._restarts.last_error,
        )

    def _move(self, state: PluginState, reason: str | None = None, pid: int | None = None) -> None:
        was = self.state
        check_move(self.plugin.name, was, state)
        self.state = state
        self._on_move(Move(self.plugin.name, self.plugin.manifest.plugin_kind, was, state, reason, pid))


class Providers:
    """Every provider that a session has asked for, by name."""

    def __init__(self, on_move: Callable[[Move], None] = lambda _: None, budget: Budget = Budget()) -> None:  # noqa: B008 - a tuple of constants
        self._on_move = on_move
        self._budget = budget
        self._known: dict[str, Provider] = {}

    def of(self, plugin: Plugin) -> Provider:
        """The supervision of a plugin; of one that was installed anew, with the new files."""
        provider = self._known.get(plugin.name)
        if provider is None:
            provider = self._known[plugin.name] = Provider(plugin, self._budget, self._on_move)
        provider.plugin = plugin
        return provider

    def named(self, name: str) -> Provider | None:
        """The provider of that name, if a session has asked for it."""
        return self._known.get(name)

    def statuses(self) -> list[PluginStatus]:
        """How each of them is."""
        return [provider.status() for provider in self._known.values()]
