"""The agent-runner's `main()`: one a project, started by the first runner that needs it, under its own lock.

Run as `python -m animus_core.app.agent_runner`. It leaves when the daemon asks it to, or after five minutes without a
session. Below lie `agent_runner/` and the host.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Final

from animus_core.agent_runner.server import AgentRunner
from animus_core.app import imported
from animus_core.app.logs import log_to_stderr
from animus_core.control.sockets import connect, listen
from animus_core.errors import AnimusError
from animus_core.host.plugin import binding_of
from animus_core.host.plugin_state import StateChange
from animus_core.store.locks import from_inherited
from animus_core.store.paths import Scope, config_dir
from animus_core.supply.discovery.cached_discovery import CachedDiscovery
from animus_protocol.crash_points import set_role
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.models.agent_session import PLUGIN_MOVED, PluginMoved

__all__ = ["main"]

_log = logging.getLogger("animus.agent_runner")
_IDLE_S: Final = 300.0
"""Long enough for the next phase of a run to find it warm, short enough that nothing stays behind over lunch."""
_SEND_S: Final = 2.0  # reports are for people's tables: nobody waits longer for them at the end
_MOST_REPORTS: Final = 64
"""Reports on their way at once: a plugin that crashes in a circle must not fill this process with connections."""


def main() -> None:
    """Parse the arguments, take over the lock, serve until asked to leave."""
    imported()
    parser = argparse.ArgumentParser(prog="animus agent-runner")
    parser.add_argument("--project-root", type=Path, required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    args = parser.parse_args()
    set_role("agent-runner")
    log_to_stderr("agent-runner")
    asyncio.run(_serve(args.project_root, args.lock_fd))


async def _serve(root: Path, lock_fd: int) -> None:
    scope = Scope.of(root, os.environ)
    # The lock first: without it another agent-runner owns the socket's path, and `listen` would remove its file.
    held = from_inherited(lock_fd, scope.agent_runner_lock)
    held.describe()
    plugins = CachedDiscovery(config_dir(os.environ), root)
    for failure in (await plugins.current()).warnings:
        _log.warning("%s: %s", failure.name, failure.message)
    moves = _MoveReports(scope)
    runner = AgentRunner(scope, binding_of(scope), plugins.current, moves.report)
    listener = listen(scope.agent_runner_socket, runner.dispatcher(), "runner")
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, runner.leave.set)
    _log.info("serving %s", root)
    while not runner.leave.is_set():
        try:
            async with asyncio.timeout(_IDLE_S):
                await runner.leave.wait()
        except TimeoutError:
            if not runner.live_sessions:
                break
    await listener.close()
    await runner.close()
    await moves.close()
    _log.info("left")


class _MoveReports:
    """Reports each move of a provider to the daemon, where there is one; the state itself stays here."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, change: StateChange) -> None:
        """Report it, without waiting. What comes while too many reports are on their way is left out."""
        if len(self._tasks) < _MOST_REPORTS:
            task = asyncio.get_running_loop().create_task(self._send(change))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait until everything is sent, within a bound."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SEND_S)

    async def _send(self, change: StateChange) -> None:
        try:
            peer = await connect(self._scope.control_socket, Dispatcher(), name="daemon")
        # No daemon is running: the next one asks for the states itself.
        except AnimusError:
            return
        moved = PluginMoved(
            plugin=change.plugin,
            plugin_kind=change.kind,
            was=change.was,
            state=change.state,
            reason=change.reason,
            pid=change.pid,
        )
        peer.notify(PLUGIN_MOVED, moved)
        await peer.aclose()


if __name__ == "__main__":
    main()
