"""Starts the core's own processes: detached from the terminal, with a lock that the kernel holds for them.

A child inherits the descriptor of its lock: while it lives, the lock is held, and nobody ever unlocks it. Below lie
locks and paths.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from animus_core.control.sockets import connect_while
from animus_core.host.environment import child_environment
from animus_core.host.own_process import core_command, core_python_environment
from animus_core.runner.exits import AgentRunnerUnavailable
from animus_core.store.locks import HeldLock, acquire
from animus_core.store.paths import Scope, check_socket_path
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.peer import Peer, PeerHandler

__all__ = ["core_environment", "link_agent_runner", "start_core_process"]

_ANSWER_S: Final = 20.0  # a Python start, and one discovery whose probes may take 5 s each


def core_environment(declared: Iterable[str]) -> dict[str, str]:
    """What a runner and the agent-runner get: the base names, every `ANIMUS_` variable, and what plugins have declared.

    The declared names are there for the agent-runner, which hands each plugin its own; nothing else of the operator's
    shell comes in. `PYTHONPATH` is kept, because these processes are this same Python program.
    """
    extra = {name: value for name, value in os.environ.items() if name.startswith("ANIMUS_") or name == "PYTHONPATH"}
    return child_environment(os.environ, declared=declared, extra=extra)


async def start_core_process(
    module: str, arguments: list[str], *, log: Path, env: dict[str, str], held: HeldLock | None = None
) -> asyncio.subprocess.Process:
    """`python -P -m MODULE ARGUMENTS` in a session of its own, its output appended to `log`, `held` inherited."""
    fds = () if held is None else (held.inheritable_fd(),)
    lock = [] if held is None else ["--lock-fd", str(held.inheritable_fd())]
    # Appended: what the process before this one wrote last is what explains its death.
    with log.open("ab") as sink:
        return await asyncio.create_subprocess_exec(
            *core_command(module, [*arguments, *lock]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=core_python_environment(env),
            pass_fds=fds,
            # It must survive us: a signal to our group or terminal is not meant for it.
            start_new_session=True,
        )


async def link_agent_runner(scope: Scope, handler: PeerHandler | None = None) -> Peer:
    """A connection to the scope's agent-runner, which is started when its lock is free.

    Raises AgentRunnerUnavailable when it does not answer in 20 s, naming its log.
    """
    path = check_socket_path(scope.agent_runner_socket)
    log = scope.daemon_dir / "agent-runner.log"
    started: list[asyncio.subprocess.Process] = []

    async def is_coming() -> bool:
        held = acquire(scope.agent_runner_lock)
        if held is not None:
            # Our copy is closed once the child has its own: from then on its life alone holds the lock.
            with held:
                arguments = ["--project-root", str(scope.project_root)]
                module, env = "animus_core.app.agent_runner", dict(os.environ)
                started.append(await start_core_process(module, arguments, log=log, env=env, held=held))
        # If ours has ended, it will not answer. If somebody else is starting one, we can only wait for it.
        return not started or started[-1].returncode is None

    peer = await connect_while(path, handler or Dispatcher(), is_coming, name="agent-runner", timeout_s=_ANSWER_S)
    if peer is None:
        raise AgentRunnerUnavailable(f"the agent-runner does not answer at {path}", hint=f"Read {log}.")
    return peer
