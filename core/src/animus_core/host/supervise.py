"""Keeps one plugin available: started when first needed, watched, started again after a death, given up after too many.

Called by `fleet.py` and `route.py`; below it lie `session.py`, `health.py` and the table of `plugin_state.py`. One
keeper task a plugin owns its process from the first call to `close`. A failure that the plugin itself reports (an error
reply) costs nothing; a death, a hang and a failed start cost one attempt of the budget.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from animus_core.errors import AnimusError, PluginFailed, Unavailable
from animus_core.host.finding.discover import Plugin
from animus_core.host.health import health_interval_s, watch_health
from animus_core.host.plugin_state import Budget, Move, PluginState, Restarts, check_move
from animus_core.host.session import PluginSession, Project, open_session
from animus_core.store.process_identity import resident_bytes
from animus_protocol.models.base import Method, Params, Result
from animus_protocol.models.control.plugin import PluginStatusInfo

__all__ = ["PluginStatus", "SupervisedPlugin", "Supervision"]

_log = logging.getLogger("animus.host")
_LINE_CHARACTERS: Final = 200

Refresh = Callable[[Plugin], Awaitable[Plugin]]


async def _unchanged(plugin: Plugin) -> Plugin:
    return plugin


class Supervision(NamedTuple):
    """How plugins are supervised. `refresh` looks at a plugin's files before each start and may refuse it."""

    budget: Budget = Budget()
    on_move: Callable[[Move], None] = lambda _: None
    refresh: Refresh = _unchanged
    health_interval_s: float | None = None


class PluginStatus(NamedTuple):
    """What an operator is told of one plugin. Times in seconds; `failures` in a row, `restarts` ever."""

    name: str
    kind: str
    state: PluginState
    pid: int | None
    uptime_s: float | None
    in_flight: int
    failures: int
    restarts: int
    retry_in_s: float | None
    last_error: str | None

    def told(self, hosted_by: str) -> PluginStatusInfo:
        """The same on the wire; `hosted_by` says which process of the core has it."""
        return PluginStatusInfo(
            name=self.name,
            kind=self.kind,
            state=self.state,
            hosted_by=hosted_by,
            pid=self.pid,
            uptime_ms=None if self.uptime_s is None else int(self.uptime_s * 1000),
            in_flight=self.in_flight,
            failures=self.failures,
            restarts=self.restarts,
            retry_in_ms=None if self.retry_in_s is None else int(self.retry_in_s * 1000),
            memory_bytes=None if self.pid is None else resident_bytes(self.pid),
            last_error=self.last_error,
        )


class SupervisedPlugin:
    """One plugin that stays. `call` starts it when it is not running and its budget allows."""

    def __init__(self, plugin: Plugin, project: Project, supervision: Supervision = Supervision()) -> None:  # noqa: B008 - a tuple of constants
        self.plugin = plugin
        self.state = PluginState.STOPPED
        self._project = project
        self._supervision = supervision
        self._restarts = Restarts(supervision.budget)
        self._last_stderr: str | None = None
        self._session: PluginSession | None = None
        self._started_at = 0.0
        self._starting: asyncio.Future[PluginSession] | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float) -> Result:
        """Ask the plugin. Raises RpcError (its refusal) or PluginFailed (it is not there, died, or hung)."""
        return await (await self.session()).call(method, params, timeout_s=timeout_s)

    async def call_raw(self, method: str, params: bytes, *, timeout_s: float) -> Any:
        """`call` with JSON in and out."""
        return await (await self.session()).call_raw(method, params, timeout_s=timeout_s)

    async def methods(self) -> frozenset[str]:
        """What it serves, after a handshake."""
        return (await self.session()).methods

    async def subject_kinds(self) -> tuple[str, ...]:
        """The subject kinds that it claims, after a handshake."""
        return (await self.session()).subject_kinds

    async def session(self) -> PluginSession:
        """The live plugin, started if it has to be. Raises PluginFailed, or what its start raised."""
        session = self._session
        if session is not None and session.alive:
            return session
        if self._keeper is None:
            self._begin()
        if self._starting is not None:
            return await asyncio.shield(self._starting)
        raise self._absent()

    async def restart(self) -> None:
        """End it, forget its failures, start it. Raises like `session`."""
        await self.close()
        self._restarts.forgive()
        await self.session()

    async def close(self) -> None:
        """End it, in order and within bounds; a later call starts it again."""
        keeper = self._keeper
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
            if self._keeper is keeper:  # until now, so that no call begins another one beside it
                self._keeper = None
        if self.state is PluginState.DISABLED:
            self._move(PluginState.STOPPED)

    def status(self) -> PluginStatus:
        """How it is now."""
        session, now = self._session, _now()
        backoff = self.state is PluginState.BACKOFF
        return PluginStatus(
            name=self.plugin.name,
            kind=self.plugin.manifest.plugin_kind,
            state=self.state,
            pid=None if session is None else session.child.pid,
            uptime_s=None if session is None else now - self._started_at,
            in_flight=0 if session is None else session.in_flight,
            failures=self._restarts.failures,
            restarts=self._restarts.total,
            retry_in_s=max(0.0, self._restarts.retry_at - now) if backoff else None,
            last_error=self._restarts.last_error,
        )

    def _begin(self) -> None:
        self._expect_start()
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name=f"plugin {self.plugin.name}")

    def _expect_start(self) -> None:
        self._starting = asyncio.get_running_loop().create_future()
        self._starting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting

    async def _keep(self) -> None:
        """Start, watch, bury, wait, again: until it is cancelled or given up."""
        try:
            while (life := await self._live()) is not None:
                why, lived_s = life
                self._restarts.failed(why, _now(), lived_s=lived_s)
                self._move(PluginState.DISABLED if self._restarts.used_up else PluginState.BACKOFF, why)
                if self._restarts.used_up:
                    return
                await asyncio.sleep(self._restarts.retry_at - _now())  # the backoff itself
                self._expect_start()
        except Exception:  # noqa: BLE001 - the boundary: a fault of ours in here must be seen, and nobody awaits this task
            _log.exception("plugin %s: its supervision failed", self.plugin.name)
        finally:
            self._leave()

    async def _live(self) -> tuple[str, float] | None:
        """One life, from start to burial: why it ended, and how many seconds it lived; None if it was not to begin."""
        self._move(PluginState.STARTING)
        session = None
        try:
            self.plugin = await self._supervision.refresh(self.plugin)
            cookie = f"plugin:{self._project.repo_scope}"
            session = await open_session(self.plugin, self._project, cookie=cookie)
        except Unavailable as error:
            self._started(error)
            self._last_stderr = error.stderr_tail if isinstance(error, PluginFailed) else None
            why = _with_last_line(error.message.removeprefix(f"plugin {self.plugin.name}: "), self._last_stderr)
            self._move(PluginState.CRASHED, why)
            return why, 0.0
        except AnimusError as error:  # the operator's mistake, not a death: whoever asks next tries again
            self._started(error)
            return None
        self._session, self._started_at = session, _now()
        self._move(PluginState.READY)
        self._started(session)
        try:
            why = await watch_health(session, self._supervision.health_interval_s or health_interval_s(), self._feel)
        except BaseException:  # cancelled, or a fault of ours: no process stays behind
            self._session = None
            await asyncio.shield(asyncio.ensure_future(session.close()))
            raise
        self._session = None
        self._last_stderr = session.child.stderr_tail
        why = _with_last_line(why, self._last_stderr)
        self._move(PluginState.CRASHED, why)
        await asyncio.shield(asyncio.ensure_future(session.end()))
        return why, _now() - self._started_at

    def _feel(self, complaint: str | None) -> None:
        if complaint is None and self.state is PluginState.DEGRADED:
            self._move(PluginState.READY)
        elif complaint is not None and self.state is PluginState.READY:
            self._restarts.last_error = complaint
            self._move(PluginState.DEGRADED, complaint)

    def _leave(self) -> None:
        self._started(PluginFailed(self.plugin.name, "it was stopped while it started", None))
        if self.state is not PluginState.DISABLED:
            self._move(PluginState.STOPPED)
            if self._keeper is asyncio.current_task():
                self._keeper = None

    def _started(self, outcome: PluginSession | AnimusError) -> None:
        starting, self._starting = self._starting, None
        if starting is None or starting.done():
            return
        if isinstance(outcome, PluginSession):
            starting.set_result(outcome)
        else:
            starting.set_exception(outcome)

    def _absent(self) -> PluginFailed:
        """Why there is no session now."""
        name, last = self.plugin.name, self._restarts.last_error
        if self.state is PluginState.DISABLED:
            why = f"disabled after {self._restarts.failures} failures: {last}"
            remedy = f"Mend the plugin, then: animus plugin restart {name}"
            return PluginFailed(name, why, self._last_stderr, remedy=remedy)
        wait_s = self._restarts.retry_at - _now()
        if self.state is PluginState.BACKOFF and wait_s > 0:
            return PluginFailed(name, f"failed and is tried again in {wait_s:.0f} s: {last}", self._last_stderr)
        return PluginFailed(name, "it has just ended and is not started again yet", self._last_stderr)

    def _move(self, state: PluginState, reason: str | None = None) -> None:
        was = self.state
        check_move(self.plugin.name, was, state)
        self.state = state
        level = logging.WARNING if reason is not None else logging.INFO
        _log.log(level, "plugin %s: %s%s", self.plugin.name, state, f": {reason}" if reason else "")
        pid = None if self._session is None else self._session.child.pid
        kind = self.plugin.manifest.plugin_kind
        self._supervision.on_move(Move(self.plugin.name, kind, was, state, reason, pid))


def _with_last_line(why: str, stderr_tail: str | None) -> str:
    """`why`, and what the plugin wrote last: for logs and tables, where there is no room for more."""
    lines = (stderr_tail or "").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{why}; its last line on stderr: {last[:_LINE_CHARACTERS]}" if last else why


def _now() -> float:
    return asyncio.get_running_loop().time()
