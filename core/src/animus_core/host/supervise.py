"""Keeps one plugin available: started when first needed, started again after a death, given up after too many.

Called by `route.py`; below it lies `session.py`. The states are a table; one failure that the plugin itself reports
(an error reply) costs nothing, a death costs one attempt of the restart budget.
"""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import Final

from animus_core.errors import AnimusError, Internal, PluginFailed
from animus_core.host.discover import Plugin
from animus_core.host.session import PluginSession, Project, open_session
from animus_protocol.models.base import Method, Params, Result

__all__ = ["PluginState", "SupervisedPlugin", "backoff_s"]

_log = logging.getLogger("animus.host")
MAX_ATTEMPTS: Final = 5
HEALTHY_S: Final = 60.0
_RESTART: Final = "Mend the plugin, then restart the daemon: animus daemon stop, animus daemon start"


class PluginState(StrEnum):
    """What an operator sees of a supervised plugin."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    DISABLED = "disabled"


_MOVES: Final[dict[PluginState, frozenset[PluginState]]] = {
    PluginState.STOPPED: frozenset({PluginState.STARTING}),
    PluginState.STARTING: frozenset(
        {PluginState.READY, PluginState.BACKOFF, PluginState.DISABLED, PluginState.STOPPED}
    ),
    PluginState.READY: frozenset({PluginState.BACKOFF, PluginState.DISABLED, PluginState.STOPPED}),
    PluginState.BACKOFF: frozenset({PluginState.STARTING, PluginState.STOPPED}),
    PluginState.DISABLED: frozenset({PluginState.STARTING, PluginState.STOPPED}),
}


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4, … at most 60."""
    return float(min(60, 2 ** max(0, failures - 1)))


class SupervisedPlugin:
    """One plugin that stays. `call` starts it when it is not running and its budget allows."""

    def __init__(self, plugin: Plugin, project: Project) -> None:
        self.plugin = plugin
        self.state = PluginState.STOPPED
        self.failures = 0
        self.last_error: str | None = None
        self._project = project
        self._session: PluginSession | None = None
        self._started_at = 0.0
        self._retry_at = 0.0
        self._gate = asyncio.Lock()

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float) -> Result:
        """Ask the plugin. Raises RpcError (its refusal) or PluginFailed (it is not there, died, or hung)."""
        session = await self._ready()
        try:
            return await session.call(method, params, timeout_s=timeout_s)
        except PluginFailed as error:
            if not session.alive:
                await self._lost(session, error)
            raise

    async def methods(self) -> frozenset[str]:
        """What it serves, after a handshake."""
        return (await self._ready()).methods

    async def subject_kinds(self) -> tuple[str, ...]:
        """The subject kinds that it claims, after a handshake."""
        return (await self._ready()).subject_kinds

    async def close(self) -> None:
        """End it, in order and within bounds."""
        async with self._gate:
            session, self._session = self._session, None
            if session is not None:
                await session.close()
            if self.state is not PluginState.STOPPED:
                self._move(PluginState.STOPPED)

    async def _ready(self) -> PluginSession:
        async with self._gate:
            session = self._session
            if session is not None and session.alive:
                return session
            if session is not None:
                await self._bury(session, f"it ended: {session.peer.ended.result()}")
            self._check_budget()
            return await self._start()

    async def _start(self) -> PluginSession:
        self._move(PluginState.STARTING)
        try:
            session = await open_session(self.plugin, self._project, cookie=f"plugin:{self._project.repo_scope}")
        except AnimusError as error:
            self._failed(error.message)
            raise
        except asyncio.CancelledError:
            self._move(PluginState.STOPPED)
            raise
        self._session = session
        self._started_at = asyncio.get_running_loop().time()
        self._move(PluginState.READY)
        return session

    async def _lost(self, session: PluginSession, error: PluginFailed) -> None:
        async with self._gate:
            if self._session is session:
                await self._bury(session, error.message)

    async def _bury(self, session: PluginSession, why: str) -> None:
        self._session = None
        if asyncio.get_running_loop().time() - self._started_at >= HEALTHY_S:
            self.failures = 0
        self._failed(why)
        await session.close()

    def _failed(self, why: str) -> None:
        why = why.removeprefix(f"plugin {self.plugin.name}: ")
        self.failures += 1
        self.last_error = why
        self._retry_at = asyncio.get_running_loop().time() + backoff_s(self.failures)
        self._move(PluginState.DISABLED if self.failures >= MAX_ATTEMPTS else PluginState.BACKOFF)
        _log.warning("plugin %s: %s (failure %d of %d)", self.plugin.name, why, self.failures, MAX_ATTEMPTS)

    def _check_budget(self) -> None:
        if self.state is PluginState.DISABLED:
            raise PluginFailed(
                self.plugin.name, f"disabled after {self.failures} failures: {self.last_error}", "", remedy=_RESTART
            )
        wait_s = self._retry_at - asyncio.get_running_loop().time()
        if self.state is PluginState.BACKOFF and wait_s > 0:
            raise PluginFailed(self.plugin.name, f"failed and is tried again in {wait_s:.0f} s: {self.last_error}", "")

    def _move(self, state: PluginState) -> None:
        if state not in _MOVES[self.state]:
            raise Internal(f"plugin {self.plugin.name}: {self.state} cannot become {state}")
        self.state = state
