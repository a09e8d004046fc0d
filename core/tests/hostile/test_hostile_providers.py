"""A provider that ignores being cancelled: its session is ended after its grace, and its neighbour's goes on."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from animus_core.agent_runner.server import AgentRunner
from animus_core.agent_runner.session import CancelTimings
from animus_core.control.sockets import connect, listen
from animus_core.store.paths import Scope
from animus_core.supply.discovery.discover import Candidate, Discovery, Plugin
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.models import agent_session as wire
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.models.provider import AgentRunRequest
from animus_protocol.peer import Peer

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.hostile
NAME = "animus-provider-ignores"
PROGRAM = Path(__file__).parent / "plugins/ignores_cancel.py"


class Runner:
    """A workflow-runner's end of the agent-runner's socket."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records: list[wire.SessionRecord] = []
        self.received = asyncio.Event()
        self.peer: Peer

    def on_record(self, record: wire.SessionRecord) -> None:
        self.records.append(record)
        self.received.set()

    async def open(self, run: str, prompt: str) -> None:
        request = AgentRunRequest(prompt=prompt, cwd=str(self.root))
        params = wire.SessionOpen(session=key(run), epoch=1, tool="ignores", request=request)
        opened = await self.peer.call(wire.SESSION_OPEN, params, timeout_s=20)
        assert opened.state is wire.SessionState.LIVE

    async def until(self, run: str, kind: str) -> wire.SessionRecord:
        while not (found := [one for one in self.records if one.session.run == run and one.kind == kind]):
            self.received.clear()
            await self.received.wait()
        return found[0]

    async def closed(self, run: str) -> wire.SessionClosed:
        return wire.SessionClosed.model_validate((await self.until(run, wire.CLOSED)).data)


def key(run: str) -> wire.SessionKey:
    return wire.SessionKey(run=run, phase="work", attempt=1)


async def gone(pid: int) -> None:
    """Wait until a process has ended: a provider is ended after its session was closed."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    await ended.wait()
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)


@asynccontextmanager
async def agent_runner(scope: Scope, socket: Path) -> AsyncIterator[Runner]:
    """An agent-runner with the one provider, and somebody who talks with it."""
    manifest = PluginManifest(
        name=NAME, version="1", plugin_kind="provider", description="ignores cancellation", protocol_version="1.0.0"
    )
    candidate = Candidate(NAME, (sys.executable, "-I", "-S", str(PROGRAM)), "registry")
    discovery = Discovery((Plugin(candidate, manifest),), ())

    async def discover() -> Discovery:
        return discovery

    agents = AgentRunner(
        scope,
        ProjectBinding(project_root=str(scope.project_root), repo_scope="scope"),
        discover,
        timings=CancelTimings(cancel_s=1.0),
    )
    listener = listen(socket, agents.dispatcher(), "runner")
    runner, table = Runner(scope.project_root), Dispatcher()
    table.on_notification(wire.SESSION_RECORD, lambda record, _: runner.on_record(record))
    runner.peer = await connect(socket, table, name="agent-runner")
    try:
        yield runner
    finally:
        await runner.peer.aclose()
        await agents.close()
        await listener.close()


async def test_a_session_that_ignores_every_cancellation_is_killed_and_its_neighbour_goes_on(
    host: Host, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    scope = Scope.of(root, {"ANIMUS_CONFIG_DIR": str(tmp_path / "config")})
    scope.create()
    barrier = root / "gate"
    cancelled, other = (
        f"run-{uuid.uuid4()}" for _ in range(2)
    )  # cookies of sessions are looked for on the whole machine
    async with agent_runner(scope, tmp_path_factory.mktemp("s") / "s") as runner:
        await runner.open(cancelled, "never")
        await runner.open(other, str(barrier))
        stubborn, patient = [int((await runner.until(run, "output")).data["text"]) for run in (cancelled, other)]
        assert stubborn != patient

        async with host.neighbour_answers(50):
            await runner.peer.call(
                wire.SESSION_CANCEL, wire.SessionCancel(session=key(cancelled), epoch=1), timeout_s=20
            )
            closed = await runner.closed(cancelled)
        assert (closed.end, closed.written) == (wire.SessionEnd.CANCELLED, True)

        await gone(stubborn)
        received = [line.split(" ", 1) for line in (root / "heard").read_text().splitlines()]
        steps = list(dict.fromkeys(what for pid, what in received if int(pid) == stubborn))
        assert steps == ["agent/cancel", "$/cancelRequest", "shutdown", "SIGTERM"]
        assert not [what for pid, what in received if int(pid) == patient]

        os.kill(patient, 0)
        barrier.touch()
        answered = await runner.closed(other)
        assert answered.end is wire.SessionEnd.ANSWERED
        assert answered.response is not None
        assert answered.response.output == "done"
