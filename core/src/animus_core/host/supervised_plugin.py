"""One plugin that is kept running: started when first needed, started again after a death, given up after too many.

One keeper task owns its process from the first call to `close`; `supervisor.py` counts and decides. A failure that the
plugin itself reports (an error reply) costs nothing; a death, a hang and a failed start cost one attempt of the budget.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Generic

from animus_core.errors import AnimusError, PluginFailed, RetryLater
from animus_core.host.plugin import AnyPlugin
from animus_core.host.plugin_state import PluginState, PluginStatus
from animus_core.host.session import PluginSession
from animus_core.host.supervisor import Supervision, Supervisor
from animus_protocol.models.base import Method, Params, Result
from animus_protocol.models.lifecycle import ProjectBinding

__all__ = ["SupervisedPlugin"]

_log = logging.getLogger("animus.host")
_LINE_CHARACTERS: Final = 200
_PROCESS: Final = "process"
"""The id of its only process."""


class SupervisedPlugin(Generic[AnyPlugin]):
    """One plugin that stays. `call` starts it when it is not running and its budget allows."""

    def __init__(
        self, plugin: AnyPlugin, binding: ProjectBinding, supervision: Supervision[AnyPlugin] | None = None
    ) -> None:
        self._binding = binding
        self._supervisor = Supervisor(plugin, supervision or Supervision())
        self._session: PluginSession | None = None
        self._starting: asyncio.Future[PluginSession] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def plugin(self) -> AnyPlugin:
        """The plugin as it was when it was last started."""
        return self._supervisor.plugin

    @property
    def state(self) -> PluginState:
        """How it is now."""
        return self._supervisor.state

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
            self._expect_start()
            self._keeper = asyncio.get_running_loop().create_task(self._keep(), name=f"plugin {self.plugin.name}")
        if self._starting is not None:
            # Many callers share one start: who gives up must not take it away from the others.
            return await asyncio.shield(self._starting)
        # At once and without waiting for the backoff: a caller that waits holds a slot (docs/adr/0008).
        raise self._supervisor.absence()

    async def restart(self) -> None:
        """End it, reset its count of failures, start it. Raises like `session`."""
        await self.close()
        self._supervisor.reset()
        await self.session()

    async def close(self) -> None:
        """End it, in order and within bounds; a later call starts it again."""
        keeper = self._keeper
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
            if self._keeper is keeper:  # until now, so that no call begins another one beside it
                self._keeper = None
        self._supervisor.stop()

    def status(self) -> PluginStatus:
        """How it is now, for people."""
        return self._supervisor.status()

    def _expect_start(self) -> None:
        self._starting = asyncio.get_running_loop().create_future()
        self._starting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting

    async def _keep(self) -> None:
        """Start it, watch it, end what is left of it, wait, and begin again: until it is cancelled or given up."""
        supervisor = self._supervisor
        try:
            supervisor.begin(_PROCESS)
            while await self._live() and supervisor.state is not PluginState.DISABLED:
                await supervisor.admit(_PROCESS)
                self._expect_start()
        except Exception:  # noqa: BLE001 - the boundary: a fault of ours in here must be seen, and nobody awaits this task
            _log.exception("plugin %s: its supervision failed", self.plugin.name)
        finally:
            self._leave()

    async def _live(self) -> bool:
        """Start one process and watch it until its end; False if it may not be started now, and was not."""
        try:
            session = await self._supervisor.start(_PROCESS, self._binding, cookie=f"plugin:{self._binding.repo_scope}")
        except RetryLater as error:
            stderr = error.stderr_tail if isinstance(error, PluginFailed) else None
            why = error.why if isinstance(error, PluginFailed) else error.message
            self._supervisor.crashed(_PROCESS, _with_last_line(why, stderr), stderr)
            self._started(error)
            return True
        except AnimusError as error:  # the operator's mistake, not a death: whoever asks next tries again
            self._started(error)
            return False
        self._session = session
        self._started(session)
        try:
            why = await self._supervisor.watch(session)
        except BaseException:  # cancelled, or a fault of ours: no process stays behind
            self._session = None
            await asyncio.shield(asyncio.ensure_future(session.close()))
            raise
        self._session = None
        stderr = session.child.stderr_tail
        # Counted first: callers are refused from now on, and to end what is left of it may take seconds.
        self._supervisor.crashed(_PROCESS, _with_last_line(why, stderr), stderr)
        await asyncio.shield(asyncio.ensure_future(session.end()))
        return True

    def _leave(self) -> None:
        self._started(PluginFailed(self.plugin.name, "it was stopped while it started", None))
        self._supervisor.done(_PROCESS)
        # A disabled plugin keeps its keeper: so no call starts another one before an operator says so.
        if self.state is not PluginState.DISABLED:
            self._supervisor.stop()
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


def _with_last_line(why: str, stderr_tail: str | None) -> str:
    """`why`, and what the plugin wrote last: for logs and tables, where there is no room for more."""
    lines = (stderr_tail or "").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{why}; its last line on stderr: {last[:_LINE_CHARACTERS]}" if last else why
