"""A workflow-runner's end of an agent-runner's socket, and where the sessions of its one run lie."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from animus_core.agent_runner.server import AgentRunner
from animus_core.agent_runner.session import cookie_of
from animus_core.control.sockets import connect
from animus_core.host.environment import COOKIE
from animus_core.store.paths import Scope
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.models import agent_session as wire
from animus_protocol.models.provider import AgentRunRequest
from animus_protocol.peer import Peer

Serving = Callable[..., AbstractAsyncContextManager[AgentRunner]]
Script = Callable[[str], None]
CALL_S = 20.0
RUN = f"run-{uuid.uuid4()}"
"""Of this process alone: what carries the cookie of a session is found on the whole machine."""


class Runner:
    """A workflow-runner's end of the connection: it keeps what it hears."""

    def __init__(self) -> None:
        self.records: list[wire.SessionRecord] = []
        self.grown = asyncio.Condition()
        self.peer: Peer

    async def dial(self, socket: Path) -> Runner:
        table = Dispatcher()
        table.on_notification(wire.SESSION_RECORD, lambda record, _: self._on_record(record))
        self.peer = await connect(socket, table, name="agent-runner")
        return self

    def _on_record(self, record: wire.SessionRecord) -> None:
        self.records.append(record)
        self._notifying = asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self.grown:
            self.grown.notify_all()

    async def open(self, scope: Scope, *, method: Any = wire.SESSION_OPEN, **more: Any) -> wire.SessionOpened:
        opened: wire.SessionOpened = await self.peer.call(method, asking(scope, **more), timeout_s=CALL_S)
        return opened

    async def cancel(self, *, attempt: int = 1, epoch: int = 1) -> None:
        key = wire.SessionKey(run=RUN, phase="build", attempt=attempt)
        await self.peer.call(wire.SESSION_CANCEL, wire.SessionCancel(session=key, epoch=epoch), timeout_s=CALL_S)

    async def until(self, kind: str, count: int = 1) -> list[wire.SessionRecord]:
        async with self.grown:
            await self.grown.wait_for(lambda: [record.kind for record in self.records].count(kind) >= count)
        return [record for record in self.records if record.kind == kind]

    async def closed(self) -> wire.SessionClosed:
        return wire.SessionClosed.model_validate((await self.until(wire.CLOSED))[-1].data)

    @property
    def text(self) -> str:
        return "".join(str(record.data["text"]) for record in self.records if record.kind == "output")


def asking(
    scope: Scope, *, attempt: int = 1, epoch: int = 1, after_seq: int = 0, tool: str = "mock", **request: Any
) -> wire.SessionOpen:
    return wire.SessionOpen(
        session=wire.SessionKey(run=RUN, phase="build", attempt=attempt),
        epoch=epoch,
        tool=tool,
        after_seq=after_seq,
        request=AgentRunRequest(prompt="go", cwd=str(scope.project_root), **request),
    )


def spool(scope: Scope, attempt: int = 1) -> Path:
    return scope.run_dir(RUN).spool("build", attempt)


def lock(scope: Scope, attempt: int = 1) -> Path:
    return scope.run_dir(RUN).attempt_lock("build", attempt)


def summary(scope: Scope) -> Any:
    return json.loads(scope.run_dir(RUN).session("build").read_text())


def barrier(scope: Scope) -> None:
    (scope.project_root / "gate").touch()


async def idle(agents: AgentRunner) -> None:
    """Return when no session is live: a provider leaves after its answer, in its own time, and tells nobody."""
    for _ in range(2000):
        if not agents.live_sessions:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{agents.live_sessions} sessions are still live after 20 s")


def providers(key: wire.SessionKey) -> list[int]:
    """The processes that carry the cookie of a session."""
    cookie = f"{COOKIE}={cookie_of(key)}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and cookie in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


KEY = wire.SessionKey(run=RUN, phase="build", attempt=1)
