"""What the daemon asks of the agent-runner: the status of its providers, to start one again, and to leave at the end.

Each request has a connection of its own, because the agent-runner is not there all the time. Below lie the sockets
and the agent-runner's lock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from animus_core.control.sockets import connect, connect_while
from animus_core.errors import AnimusError
from animus_core.store.locks import is_held, wait_free
from animus_core.store.paths import Scope
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import ProtocolError
from animus_protocol.models.agent_session import PROVIDER_RESTART, PROVIDER_STATUS, SHUTDOWN_IDLE, ShutdownIdle
from animus_protocol.models.base import Empty, Method, Params
from animus_protocol.models.control.plugin import PluginNameParams, PluginStatusInfo, PluginStatusResult

__all__ = ["AgentRunnerLink"]

_log = logging.getLogger("animus.daemon")
_ANSWER_S: Final = 5.0  # it answers from memory, and somebody who lists plugins waits for it
_DISMISS_S: Final = 15.0
"""More than `agent/cancel`, `$/cancelRequest` and the signals take together; sessions are ended side by side."""


class AgentRunnerLink:
    """One project's agent-runner, which may not be running."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def statuses(self) -> Sequence[PluginStatusInfo]:
        """The providers that it knows; none when it does not run or does not answer."""
        return await self._ask(PROVIDER_STATUS, Empty())

    async def restart(self, name: str) -> Sequence[PluginStatusInfo]:
        """Let a provider be started again; what it is then, if the agent-runner knows it."""
        return await self._ask(PROVIDER_RESTART, PluginNameParams(name=name))

    async def dismiss(self) -> None:
        """Ask it to leave, if there is one; if it is just starting, wait until it can be asked."""
        deadline = time.monotonic() + _DISMISS_S
        why: Exception | str = "it does not answer"
        while await self._is_there():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                _log.warning("the agent-runner does not leave: %s", why)
                return
            socket = self._scope.agent_runner_socket
            # Its lock is held before its socket is there: an agent-runner that is just starting must not be missed.
            peer = await connect_while(socket, Dispatcher(), self._is_there, name="agent-runner", timeout_s=left_s)
            if peer is None:
                continue
            try:
                await peer.call(SHUTDOWN_IDLE, ShutdownIdle(force=True), timeout_s=_ANSWER_S)
                await asyncio.wait([peer.ended], timeout=_DISMISS_S)
            except ProtocolError as error:
                why = error
            finally:
                await peer.aclose()
            left_s = max(0.0, deadline - time.monotonic())
            # The kernel frees the lock when it dies: that proves that it has left, its answer does not.
            await asyncio.to_thread(wait_free, self._scope.agent_runner_lock, left_s)

    async def _is_there(self) -> bool:
        return is_held(self._scope.agent_runner_lock)

    async def _ask(self, method: Method[Params, PluginStatusResult], params: Params) -> Sequence[PluginStatusInfo]:
        if not await self._is_there():
            return []
        try:
            peer = await connect(self._scope.agent_runner_socket, Dispatcher(), name="agent-runner")
        except AnimusError:
            return []
        try:
            return (await peer.call(method, params, timeout_s=_ANSWER_S)).plugins
        except ProtocolError as error:
            _log.warning("the agent-runner does not answer how its providers are: %s", error)
            return []
        finally:
            await peer.aclose()
