"""`subject/watch` on the control socket: one stream for all kinds that are asked for, and an end that says why."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_core.control.sockets import connect, listen
from animus_core.control.table import control_table
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.launch_options import LaunchOptions, SessionTimings
from animus_core.services.project import Project
from animus_core.store.database import Database
from animus_core.store.paths import Scope
from animus_core.supply.discovery.discover import Candidate, Discovery, Plugin
from animus_protocol.connection import Notification
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import Code, RpcError
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.peer import Peer

BACKEND = """\
import json, sys

def send(**value):
    print(json.dumps({"jsonrpc": "2.0", **value}), flush=True)

AT = "2026-01-01T00:00:00Z"
SUBJECT = {"id": "1", "title": "t", "status": "ready", "created_at": AT, "updated_at": AT, "kind": sys.argv[1]}
ended = []
for line in sys.stdin:
    request = json.loads(line)
    params, result = request.get("params", {}), {}
    match request["method"].rpartition("/")[2]:
        case "initialize":
            info = {"name": "p", "version": "1", "plugin_kind": "subject_backend"}
            result = {"protocol_version": "1.0.0", "plugin_info": info, "capabilities": {"methods": []}}
        case "list": result = {"subjects": [], "fetched_at": AT}
        case "watch":
            watch_id = request["id"]
            result = {"watching": True}
        case "unwatch": ended.append(params["watch_id"] == str(watch_id))
        case "ended": result = ended
        case "tell":
            for number in range(params["count"]):
                subject = {**SUBJECT, "title": str(number), "description": "x" * params["size"]}
                send(method="subject/changed", params={"id": watch_id, "change_kind": "updated", "subject": subject})
        case "shutdown": break
    if "id" in request:
        send(id=request["id"], result=result)
"""


class Client(Dispatcher):
    """Keeps what its streams bring."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Notification] = []
        self.peer: Peer
        self._grown = asyncio.Event()

    def notification(self, peer: Peer, notification: Notification) -> None:
        self.received.append(notification)
        self._grown.set()

    async def ask(self, method: str, **params: Any) -> Any:
        return await self.peer.call_raw(method, json.dumps(params).encode(), timeout_s=10)

    async def until(self, count: int) -> list[Notification]:
        while len(self.received) < count:
            self._grown.clear()
            await self._grown.wait()
        return self.received


class Served:
    """The control table over a real socket, with a backend for tasks and one for bugs."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.clients: list[Client] = []

    async def client(self) -> Client:
        made = Client()
        made.peer = await connect(self.project.scope.control_socket, made, name="daemon")
        self.clients.append(made)
        return made

    async def plugin(self, kind: str, method: str, **params: Any) -> Any:
        return await self.project.fleet.named(kind).call_raw(method, json.dumps(params).encode(), timeout_s=10)

    async def watch_has_ended(self, kind: str) -> list[bool]:
        """Whether each watch that the backend was told to end was the one that it had."""
        while not (ended := await self.plugin(kind, "ended")):
            pass
        found: list[bool] = ended
        return found


@pytest.fixture
def scope(tmp_path_factory: pytest.TempPathFactory) -> Scope:
    """In a folder whose path is short enough for sockets."""
    base = tmp_path_factory.mktemp("c")
    (base / "p").mkdir()
    made = Scope.of(base / "p", {"ANIMUS_CONFIG_DIR": str(base / "cfg")})
    made.create()
    return made


def backend(kind: str, folder: Path) -> Plugin:
    (folder / "backend.py").write_text(BACKEND)
    command = (sys.executable, str(folder / "backend.py"), kind)
    manifest = {"name": kind, "version": "1", "plugin_kind": "subject_backend", "description": "d"}
    payload = {**manifest, "protocol_version": "1.0.0", "capabilities": [f"subject_kind:{kind}"]}
    timings = SessionTimings(shutdown_s=0.3, exit_s=0.3, term_s=0.3)
    return Plugin(
        Candidate(kind, command, "registry", LaunchOptions(timings=timings)), PluginManifest.model_validate(payload)
    )


@asynccontextmanager
async def serving(scope: Scope, *kinds: str) -> AsyncIterator[Served]:
    discovery = Discovery(tuple(backend(kind, scope.project_root) for kind in kinds), ())
    router = SubjectRouter.build(discovery, ProjectBinding(project_root=str(scope.project_root), repo_scope="s"))
    async with await Database.open(scope.workflow_db) as database:
        served = Served(Project(scope, database, discovery, router))
        listener = listen(scope.control_socket, control_table(served.project, None, None), "client")
        try:
            yield served
        finally:
            for client in served.clients:
                await client.peer.aclose()
            await listener.close()
            await router.close()


async def test_without_a_kind_every_kind_that_is_served_is_watched(scope: Scope) -> None:
    async with serving(scope, "task", "bug") as served:
        every, bugs = await served.client(), await served.client()
        assert await every.ask("subject/watch") == {"watching": True}
        await served.plugin("task", "tell", count=1, size=0)
        await every.until(1)
        await served.plugin("bug", "tell", count=1, size=0)
        first, second = await every.until(2)
        assert (first.method, first.params["id"]) == ("subject/changed", 1)
        assert (first.params["data"]["change_kind"], first.params["data"]["subject"]["kind"]) == ("updated", "task")
        assert second.params["data"]["subject"]["kind"] == "bug"
        await bugs.ask("subject/watch", filter={"kind": ["bug"]})
        await served.plugin("task", "tell", count=1, size=0)
        await every.until(3)
        await served.plugin("bug", "tell", count=1, size=0)
        assert [one.params["data"]["subject"]["kind"] for one in await bugs.until(1)] == ["bug"]


@pytest.mark.parametrize(
    ("kinds", "params", "code"),
    [(["task"], {"kind": "bug"}, Code.METHOD_NOT_FOUND), ([], {}, Code.INVALID_PARAMS)],
    ids=["a kind that nobody serves", "nothing is served"],
)
async def test_what_cannot_be_watched_is_refused(
    kinds: list[str], params: dict[str, Any], code: int, scope: Scope
) -> None:
    async with serving(scope, *kinds) as served:
        with pytest.raises(RpcError) as raised:
            await (await served.client()).ask("subject/watch", **params)
        assert (raised.value.code, raised.value.category) == (code, "not_found")


@pytest.mark.parametrize("how", ["cancel", "leave"])
async def test_a_client_that_cancels_or_leaves_ends_the_backends_watch(how: str, scope: Scope) -> None:
    async with serving(scope, "task") as served:
        client = await served.client()
        await client.ask("subject/watch", kind="task")
        if how == "cancel":
            client.peer.notify_raw("$/cancelRequest", b'{"id":1}')
        else:
            await client.peer.aclose()
        assert await served.watch_has_ended("task") == [True]
        assert not [task for task in asyncio.all_tasks() if "SubjectWatch" in repr(task.get_coro())]


async def test_a_backend_that_is_gone_for_good_ends_the_stream_with_its_reason(scope: Scope) -> None:
    async with serving(scope, "task") as served:
        client = await served.client()
        await client.ask("subject/watch")
        await served.project.fleet.replace(Discovery((), ()))
        served.project.router.reload()
        (closed,) = await client.until(1)
        assert (closed.method, closed.params["id"]) == ("subscription/closed", 1)
        assert "no plugin serves subjects of kind 'task'" in closed.params["reason"]


async def test_a_client_that_does_not_read_is_waited_for_and_holds_nobody_up(scope: Scope) -> None:
    async with serving(scope, "task") as served:
        reader, writer = await asyncio.open_unix_connection(scope.control_socket, limit=2**20)
        writer.write(b'{"jsonrpc":"2.0","id":1,"method":"subject/watch","params":{}}\n')
        assert json.loads(await reader.readline())["result"] == {"watching": True}
        for _ in range(4):
            await served.plugin("task", "tell", count=300, size=20_000)  # answered at once
        quick = await served.client()
        assert (await quick.ask("subject/list"))["subjects"] == []
        titles: list[str | None] = []
        while not titles or titles[-1] is not None:  # the look that follows what was lost finds nothing there
            payload = json.loads(await reader.readline())["params"]["data"]
            titles.append(None if payload["change_kind"] == "deleted" else payload["subject"]["title"])
        assert len(titles) < 1200
        writer.close()
        await writer.wait_closed()
