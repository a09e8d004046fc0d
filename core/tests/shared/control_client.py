"""The control table over a real socket without a daemon around it, and clients that keep what their streams bring."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from animus_core.control.sockets import Listener, connect, listen
from animus_core.control.table import control_table
from animus_core.daemon.launch import RunnerLaunch
from animus_core.daemon.registry import RunRegistry
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.services.daemon_status import DaemonVitals
from animus_core.services.project import Project
from animus_core.store.database import Database
from animus_core.store.locks import HeldLock
from animus_core.store.paths import Scope
from animus_core.store.statements import Tx
from animus_core.supply.discovery.discover import Candidate, Discovery, Plugin, ProbeFailure
from animus_protocol.connection import Notification
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.models.agent_session import PluginMoved
from animus_protocol.models.control import plugin
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.peer import Peer

CALL_S = 10.0
WORKFLOWS = """
default_workflow_ref: build
workflows:
  - id: build
    phases: [test]
  - id: other
    phases: [test]
phases:
  test:
    mode: command
    command: { program: "true" }
"""


class FakeDaemon:
    """What only a living daemon can do, remembered."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def vitals(self) -> DaemonVitals:
        return DaemonVitals(pid=7, uptime_s=60, active_runs=1)

    def stop(self, drain_s: float | None) -> None:
        self.done.append(f"stop {drain_s}")

    def moved(self, move: PluginMoved) -> None:
        self.done.append(f"{move.plugin} {move.state}")

    @property
    def providers(self) -> FakeDaemon:
        return self

    async def statuses(self) -> list[plugin.PluginStatusInfo]:
        return []

    async def restart(self, name: str) -> list[plugin.PluginStatusInfo]:
        return []


class Client(Dispatcher):
    """A client that keeps what its streams bring."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Notification] = []
        self.grown = asyncio.Event()
        self.peer: Peer

    async def dial(self, socket: Path) -> Client:
        self.peer = await connect(socket, self, name="daemon")
        return self

    def notification(self, peer: Peer, notification: Notification) -> None:
        self.got.append(notification)
        self.grown.set()

    async def ask(self, method: str, params: bytes = b"{}") -> Any:
        return await self.peer.call_raw(method, params, timeout_s=CALL_S)

    async def until(self, ready: Callable[[list[Notification]], bool]) -> None:
        while not ready(self.got):
            self.grown.clear()
            await self.grown.wait()

    def numbers(self) -> list[int]:
        return [item.params["data"]["payload"]["n"] for item in self.got]


class Served:
    """A control table over a real socket, a real database, and no daemon around it."""

    def __init__(self, project: Project, socket: Path) -> None:
        self.project, self.socket = project, socket
        self.daemon = FakeDaemon()
        self.listener: Listener
        self.numbers = itertools.count(1)
        self.clients: list[Client] = []

    async def client(self) -> Client:
        self.clients.append(await Client().dial(self.socket))
        return self.clients[-1]

    async def commit(self, count: int = 1, size: int = 0, publish: bool = True) -> None:
        """Commit events with rising numbers, in one transaction."""
        rows: list[dict[str, Any]] = [{"n": next(self.numbers), "text": "x" * size} for _ in range(count)]

        def insert(tx: Tx) -> None:
            for row in rows:
                text = json.dumps({**row, "workflow_id": f"run-{row['n'] % 2}"})
                tx.execute("event_insert", run_id=None, seq=None, kind="tick", at="2026-01-01T00:00:00.000Z", data=text)

        await self.project.database.write(insert)
        if publish:
            self.project.commit_signal.publish()


async def never_start(launch: RunnerLaunch, held: HeldLock) -> asyncio.subprocess.Process:
    raise BlockingIOError(11, "no runner here")


@asynccontextmanager
async def serving(scope: Scope) -> AsyncIterator[Served]:
    manifest = PluginManifest(
        name="odd", version="1.2.3", plugin_kind="custom", description="d", protocol_version="1.0.0"
    )
    found = Plugin(Candidate("odd", ("/bin/odd",), "registry"), manifest)
    discovery = Discovery((found,), (ProbeFailure("bad", "no manifest"),))
    router = SubjectRouter.build(discovery, ProjectBinding(project_root=str(scope.project_root), repo_scope="s"))
    async with await Database.open(scope.workflow_db) as database:
        project = Project(scope, database, discovery, router)
        served = Served(project, scope.control_socket)
        runs = RunRegistry(scope, database, project.commit_signal, never_start, lambda: None)
        served.listener = listen(scope.control_socket, control_table(project, runs, served.daemon), "client")
        try:
            yield served
        finally:
            for client in served.clients:
                await client.peer.aclose()
            await served.listener.close()
