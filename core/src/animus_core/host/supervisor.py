"""Every process of one plugin: when the next may start, which live, and how the plugin is.

A process is known by an id that its starter gives it. A plugin that is kept running has one process, a provider one for
each session; both go through the same table of states, and all processes of a plugin share one budget. A death costs
the plugin an attempt, and no neighbour its process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, NamedTuple

from animus_core.errors import PluginFailed
from animus_core.host.health import health_interval_s, watch_health
from animus_core.host.plugin import AnyPlugin
from animus_core.host.plugin_state import Budget, PluginState, PluginStatus, Restarts, StateChange, check_state_change
from animus_core.host.session import PluginSession, open_session
from animus_protocol.models.lifecycle import ProjectBinding

__all__ = ["Supervision", "Supervisor"]

_log: Final = logging.getLogger("animus.host")
_S = PluginState


async def _unchanged(plugin: AnyPlugin) -> AnyPlugin:
    return plugin


class Supervision(NamedTuple, Generic[AnyPlugin]):
    """How plugins are supervised. `refresh` reads a plugin's files before each start, and may refuse it."""

    budget: Budget = Budget()
    on_state_change: Callable[[StateChange], None] = lambda _: None
    refresh: Callable[[AnyPlugin], Awaitable[AnyPlugin]] = _unchanged
    health_interval_s: float | None = None


class Supervisor(Generic[AnyPlugin]):
    """The state, the budget and the live processes of one plugin.

    The life of a process: `admit` (or `begin`), `start`, `watch`, and at its end either `crashed` or `done`.
    """

    def __init__(self, plugin: AnyPlugin, supervision: Supervision[AnyPlugin]) -> None:
        self.plugin = plugin
        self.state = _S.STOPPED
        self._supervision = supervision
        self._restarts = Restarts(supervision.budget)
        self._processes: dict[str, PluginSession | None] = {}
        self._ready_at: dict[str, float] = {}
        self._last_stderr: str | None = None

    def renew(self, plugin: AnyPlugin) -> None:
        """The plugin was installed anew: its next process is of these files. Processes that live are not touched."""
        self.plugin = plugin

    async def admit(self, process_id: str) -> None:
        """Wait until another process may be started, and count it. Raises PluginFailed when none may be any more."""
        # Asked again after each wait: a neighbour's death meanwhile moves the moment, or uses the budget up.
        while not self._restarts.used_up and (wait_s := self._restarts.retry_at - _now()) > 0:
            _log.info("plugin %s: %s waits %.0f s after a failure", self.plugin.name, process_id, wait_s)
            await asyncio.sleep(wait_s)  # the backoff itself
        if self._restarts.used_up:
            raise self._disabled()
        self.begin(process_id)

    def begin(self, process_id: str) -> None:
        """Count a process that is about to start, whatever the budget says: somebody asked for it."""
        self._processes[process_id] = None
        if self.state in (_S.STOPPED, _S.BACKOFF):
            self._move(_S.STARTING)

    async def start(
        self, process_id: str, binding: ProjectBinding, *, cookie: str, pass_fds: tuple[int, ...] = ()
    ) -> PluginSession:
        """Start a process that was counted, and do the handshake. Raises what `refresh` and `open_session` raise."""
        # Before each start, not once: files change under a running daemon, and trust may have been taken back.
        self.plugin = await self._supervision.refresh(self.plugin)
        session = await open_session(self.plugin, binding, cookie=cookie, pass_fds=pass_fds)
        self.ready(process_id, session)
        return session

    def ready(self, process_id: str, session: PluginSession) -> None:
        """A process has answered the handshake."""
        self._processes[process_id] = session
        self._ready_at[process_id] = _now()
        if self.state is _S.STARTING:
            self._move(_S.READY)

    async def watch(self, session: PluginSession) -> str:
        """Check a process's health until it has ended or hangs; why."""
        interval_s = self._supervision.health_interval_s or health_interval_s()
        return await watch_health(session, interval_s, self.report_health)

    def report_health(self, complaint: str | None) -> None:
        """A health check of one of the processes found this; None: nothing is wrong."""
        if complaint is None and self.state is _S.DEGRADED:
            self._move(_S.READY)
        elif complaint is not None and self.state is _S.READY:
            self._restarts.complained(complaint)
            self._move(_S.DEGRADED, complaint)

    def crashed(self, process_id: str, why: str, stderr_tail: str | None = None) -> None:
        """A process died by itself, or never came up: one attempt less."""
        self._processes.pop(process_id, None)
        now = _now()
        self._restarts.failed(why, now, lived_s=now - self._ready_at.pop(process_id, now))
        self._last_stderr = stderr_tail
        if self.state is not _S.DISABLED:
            self._move(_S.CRASHED, why)
            self._move(_S.DISABLED if self._restarts.used_up else _S.BACKOFF, why)

    def done(self, process_id: str, *, worked: bool = False) -> None:
        """A process was ended by us; `worked`: it had done what it was for, so the count begins anew."""
        self._processes.pop(process_id, None)
        self._ready_at.pop(process_id, None)
        if worked:
            self._restarts.worked()
        # While neighbours live, the plugin is as ready as they are.
        if not self._processes and self.state in (_S.STARTING, _S.READY, _S.DEGRADED):
            self._move(_S.STOPPED)

    def stop(self) -> None:
        """Nobody waits for its next start any more; failures stay counted."""
        if self.state in (_S.DISABLED, _S.BACKOFF):
            self._move(_S.STOPPED)
            if any(self._processes.values()):  # neighbours live on: it is as ready as they are
                self._move(_S.STARTING)
                self._move(_S.READY)

    def reset(self) -> None:
        """An operator wants it to be started again: no failure counts. Processes that live are not touched."""
        self._restarts.reset()
        self.stop()

    def status(self) -> PluginStatus:
        """How it is now; `pid` and uptime are those of its oldest process."""
        now = _now()
        return PluginStatus(
            name=self.plugin.name,
            kind=self.plugin.manifest.plugin_kind,
            state=self.state,
            pid=self._pid(),
            uptime_s=now - min(self._ready_at.values()) if self._ready_at else None,
            in_flight=sum(session.in_flight for session in self._processes.values() if session is not None),
            failures=self._restarts.failures,
            failures_total=self._restarts.failures_total,
            retry_in_s=max(0.0, self._restarts.retry_at - now) if self.state is _S.BACKOFF else None,
            last_error=self._restarts.last_error,
        )

    def absence(self) -> PluginFailed:
        """Why no process of it can be asked now."""
        if self.state is _S.DISABLED:
            return self._disabled()
        name, wait_s = self.plugin.name, self._restarts.retry_at - _now()
        if self.state is _S.BACKOFF and wait_s > 0:
            why = f"failed and is tried again in {wait_s:.0f} s: {self._restarts.last_error}"
            return PluginFailed(name, why, self._last_stderr)
        return PluginFailed(name, "it has just ended and is not started again yet", self._last_stderr)

    def _disabled(self) -> PluginFailed:
        why = f"disabled after {self._restarts.failures} failures: {self._restarts.last_error}"
        remedy = f"Fix the plugin, then: animus plugin restart {self.plugin.name}"
        return PluginFailed(self.plugin.name, why, self._last_stderr, remedy=remedy)

    def _pid(self) -> int | None:
        return next((session.child.pid for session in self._processes.values() if session is not None), None)

    def _move(self, state: PluginState, reason: str | None = None) -> None:
        was = self.state
        check_state_change(self.plugin.name, was, state)
        self.state = state
        level = logging.WARNING if reason is not None else logging.INFO
        _log.log(level, "plugin %s: %s%s", self.plugin.name, state, f": {reason}" if reason else "")
        pid = self._pid() if state in (_S.READY, _S.DEGRADED) else None
        self._supervision.on_state_change(
            StateChange(self.plugin.name, self.plugin.manifest.plugin_kind, was, state, reason, pid)
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
