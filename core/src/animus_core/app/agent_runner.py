"""The agent-runner's `main()`: one a project, started by the first runner that needs it, under its own lock.

Run as `python -m animus_core.app.agent_runner`; below it lie `agent_runner/` and the host. It leaves when the daemon
asks it to, or after five minutes without a session.
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
from animus_core.app.logs import log_to_stderr
from animus_core.control.sockets import listen
from animus_core.host.discover import discover
from animus_core.host.session import Project
from animus_core.store.locks import from_inherited
from animus_core.store.paths import Scope, config_dir, repo_scope
from animus_protocol.crash_points import set_role

__all__ = ["main"]

_log = logging.getLogger("animus.agent_runner")
_IDLE_S: Final = 300.0


def main() -> None:
    """Parse the arguments, take over the lock, serve until told to leave."""
    parser = argparse.ArgumentParser(prog="animus agent-runner")
    parser.add_argument("--project-root", type=Path, required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    args = parser.parse_args()
    set_role("agent-runner")
    log_to_stderr("agent-runner")
    asyncio.run(_serve(args.project_root, args.lock_fd))


async def _serve(root: Path, lock_fd: int) -> None:
    scope = Scope.of(root, os.environ)
    held = from_inherited(lock_fd, scope.agent_runner_lock)
    held.describe()
    discovery = await discover(config_dir(os.environ))
    for failure in discovery.warnings:
        _log.warning("%s: %s", failure.name, failure.message)
    runner = AgentRunner(scope, Project(root, repo_scope(root)), discovery)
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
    _log.info("left")


if __name__ == "__main__":
    main()
