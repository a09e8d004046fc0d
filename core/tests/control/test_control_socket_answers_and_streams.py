"""The control socket: every method answered, errors by category, streams without gap or repeat, nothing left behind."""

from __future__ import annotations

import asyncio
import itertools
import json
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_core import errors
from animus_core.control.client import connect_control, open_control
from animus_core.control.errors import from_protocol, to_rpc
from animus_core.control.sockets import Listener, connect, listen
from animus_core.control.table import control_table
from animus_core.daemon.launch import Launch
from animus_core.daemon.registry import RunRegistry
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.services.daemon_status import DaemonVitals
from animus_core.services.project import Project
from animus_core.store.database import Database
from animus_core.store.locks import HeldLock, acquire
from animus_core.store.paths import Scope
from animus_core.store.statements import Tx
from animus_core.supply.discovery.discover import Candidate, Discovery, Plugin, ProbeFailure
from animus_protocol.connection import Notification
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import CallTimeout, Code, MethodNotFound, NotSupported, PeerGone, RpcError
from animus_protocol.models.agent_session import PluginMoved
from animus_protocol.models.base import Empty
from animus_protocol.models.control import daemon, plugin, queue, subject, workflow
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
            self.project.bus.publish()


async def never_start(launch: Launch, held: HeldLock) -> asyncio.subprocess.Process:
    raise BlockingIOError(11, "no runner here")


@pytest.fixture
def scope(tmp_path_factory: pytest.TempPathFactory) -> Scope:
    """In a folder whose path is short enough for sockets."""
    base = tmp_path_factory.mktemp("c")
    (base / "p" / ".animus").mkdir(parents=True)
    (base / "p" / ".animus" / "workflows.yaml").write_text(WORKFLOWS)
    made = Scope.of(base / "p", {"ANIMUS_CONFIG_DIR": str(base / "cfg")})
    made.create()
    return made


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
        runs = RunRegistry(scope, database, project.bus, never_start, lambda: None)
        served.listener = listen(scope.control_socket, control_table(project, runs, served.daemon), "client")
        try:
            yield served
        finally:
            for client in served.clients:
                await client.peer.aclose()
            await served.listener.close()


def is_paused(served: Served) -> bool:
    return served.project.state.paused


async def test_every_method_of_the_table_is_answered_by_its_service(scope: Scope) -> None:
    async with serving(scope) as served:
        peer = (await served.client()).peer
        entry = await peer.call(
            queue.QUEUE_ENQUEUE,
            queue.QueueEnqueueParams(task_id="A", kind="custom", priority=2),
            timeout_s=CALL_S,
        )
        assert (entry.status, entry.priority, entry.workflow_ref) == (queue.QueueEntryStatus.READY, 2, "build")
        for method, status in (("queue/hold", "held"), ("queue/release", "ready"), ("queue/drop", "dropped")):
            moved = await peer.call_raw(method, json.dumps({"id": entry.id}).encode(), timeout_s=CALL_S)
            assert moved["status"] == status
        listed = await peer.call(queue.QUEUE_LIST, queue.QueueListParams(), timeout_s=CALL_S)
        assert listed.entries == []
        assert (await peer.call(queue.QUEUE_STATS, Empty(), timeout_s=CALL_S)).dropped_recent == 1
        status_now = await peer.call(daemon.DAEMON_STATUS, Empty(), timeout_s=CALL_S)
        assert (status_now.pid, "queue/enqueue" in status_now.capabilities.methods) == (7, True)
        await peer.call(daemon.DAEMON_PAUSE, Empty(), timeout_s=CALL_S)
        assert is_paused(served)
        await peer.call(daemon.DAEMON_RESUME, Empty(), timeout_s=CALL_S)
        assert not is_paused(served)
        served.project.bus.nudged.clear()
        await peer.call(daemon.DAEMON_NUDGE, Empty(), timeout_s=CALL_S)
        assert served.project.bus.nudged.is_set()
        await peer.call(daemon.DAEMON_STOP, daemon.DaemonStopParams(drain_secs=3), timeout_s=CALL_S)
        assert served.daemon.done == ["stop 3.0"]
        listing = plugin.PluginListParams(include_warnings=True)
        plugins = await peer.call(plugin.PLUGIN_LIST, listing, timeout_s=CALL_S)
        assert [one.name for one in plugins.plugins] == ["odd"]
        assert [one.plugin for one in plugins.warnings] == ["bad"]
        runs = await peer.call(workflow.WORKFLOW_LIST, workflow.WorkflowListParams(), timeout_s=CALL_S)
        assert runs.runs == []


@pytest.mark.parametrize(
    ("method", "params", "code", "category"),
    [
        ("daemon/dream", b"{}", Code.METHOD_NOT_FOUND, None),
        ("queue/hold", b"{}", Code.INVALID_PARAMS, "invalid_request"),
        ("queue/hold", b"[1]", Code.INVALID_PARAMS, "invalid_request"),
        ("queue/hold", b'{"id":"no"}', Code.INVALID_PARAMS, "not_found"),
        ("queue/enqueue", b'{"task_id":"A","kind":"custom","priority":9}', Code.INVALID_PARAMS, "invalid_request"),
        ("queue/enqueue", b'{"task_id":"A","kind":"bug"}', Code.METHOD_NOT_FOUND, "not_found"),
        (
            "queue/enqueue",
            b'{"task_id":"taken","kind":"custom","workflow_ref":"other"}',
            Code.INVALID_REQUEST,
            "conflict",
        ),
        ("workflow/get", b'{"id":"run-9"}', Code.INVALID_PARAMS, "not_found"),
        ("workflow/cancel", b'{"id":"run-9"}', Code.INVALID_PARAMS, "not_found"),
        ("workflow/resume", b'{"id":"run-9"}', Code.INVALID_PARAMS, "not_found"),
        ("subject/get", b'{"id":"A"}', Code.INVALID_PARAMS, "not_found"),
        ("daemon/events", '{"since":"²"}'.encode(), Code.INVALID_PARAMS, "invalid_request"),
        ("daemon/events", b'{"since":"99999999999999999999999"}', Code.INVALID_PARAMS, "invalid_request"),
        (
            "runner/hello",
            b'{"run":"run-9","epoch":1,"pid":1,"starttime":"1","boot_id":"b","version":"0","offset":0}',
            Code.INVALID_REQUEST,
            "conflict",
        ),
    ],
)
async def test_a_refusal_has_its_code_and_category(
    method: str, params: bytes, code: int, category: str | None, scope: Scope
) -> None:
    async with serving(scope) as served:
        client = await served.client()
        await client.ask("queue/enqueue", b'{"task_id":"taken","kind":"custom"}')
        with pytest.raises(RpcError) as raised:
            await client.ask(method, params)
        assert (raised.value.code, raised.value.category) == (code, category)


@pytest.mark.parametrize("params", [b"", b',"params":null', b',"params":{}'])
async def test_absent_and_null_params_read_as_empty(params: bytes, scope: Scope) -> None:
    async with serving(scope):
        reader, writer = await asyncio.open_unix_connection(scope.control_socket)
        writer.write(b'{"jsonrpc":"2.0","id":1,"method":"queue/stats"' + params + b"}\n")
        assert json.loads(await reader.readline())["result"]["ready"] == 0
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("kind", [errors.InvalidInput, errors.UnknownName, errors.Conflict, errors.RetryLater])
def test_an_error_crosses_the_socket_as_what_it_is(kind: type[errors.AnimusError]) -> None:
    reply = to_rpc(kind("what and where", hint="what next", details={"n": 1}))
    assert reply is not None
    back = from_protocol(RpcError.received(reply.code, reply.message, reply.data))
    assert (type(back), back.message, back.hint, back.details) == (kind, "what and where", "what next", {"n": 1})


def test_what_is_no_error_of_ours_stays_internal_and_a_silent_daemon_is_unavailable() -> None:
    assert to_rpc(ValueError("x")) is None
    internal = to_rpc(errors.Internal("x"))
    assert internal is not None
    assert (internal.code, internal.category) == (Code.INTERNAL_ERROR, "internal")
    for error, kind in (
        (PeerGone("gone"), errors.RetryLater),
        (CallTimeout("late"), errors.RetryLater),
        (NotSupported("x"), errors.RetryLater),
        (MethodNotFound("x"), errors.Internal),
        (RpcError(Code.INVALID_PARAMS, "x"), errors.InvalidInput),
        (RpcError(-32099, "x", ["odd"]), errors.Internal),
    ):
        assert type(from_protocol(error)) is kind


# == streams ==


async def test_a_stream_from_a_cursor_has_no_gap_and_no_repeat_while_others_commit(scope: Scope) -> None:
    async with serving(scope) as served:
        await served.commit(10)

        async def write() -> None:
            for size in (1, 250, 3, 1, 40):
                await served.commit(size)

        async def follow(since: int) -> list[int]:
            client, cursor = await served.client(), str(since)
            while len(client.got) + since < 305:
                await client.ask("daemon/events", json.dumps({"since": cursor}).encode())
                had = len(client.got)
                await client.until(lambda got: len(got) > had)  # noqa: B023 - awaited within the round
                request_id = client.got[-1].params["id"]
                client.peer.notify_raw("$/cancelRequest", json.dumps({"id": request_id}).encode())
                await client.ask("queue/stats")  # behind the cancellation: nothing of that stream comes any more
                cursor = client.got[-1].params["data"]["id"]
            return client.numbers()

        async def stay() -> list[int]:
            client = await served.client()
            await client.ask("daemon/events", b'{"since":"0"}')
            await client.until(lambda got: len(got) >= 305)
            return client.numbers()

        whole, second, rest, _ = await asyncio.gather(stay(), stay(), follow(4), write())
        assert whole == second == list(range(1, 306))
        assert rest == list(range(5, 306))


async def test_without_a_cursor_a_stream_begins_now(scope: Scope) -> None:
    async with serving(scope) as served:
        await served.commit(3)
        client = await served.client()
        assert await client.ask("daemon/events") == {"watching": True}
        await served.commit(2)
        await client.until(lambda got: len(got) == 2)
        assert client.numbers() == [4, 5]
        assert [item.method for item in client.got] == ["daemon/event"] * 2


async def test_workflow_events_are_those_of_the_run_and_the_kinds_that_were_asked_for(scope: Scope) -> None:
    async with serving(scope) as served:
        client, none = await served.client(), await served.client()
        await client.ask("workflow/events", b'{"workflow_id":"run-1","kinds":["tick"]}')
        await none.ask("workflow/events", b'{"kinds":["tock"]}')
        await served.commit(5)
        await client.until(lambda got: len(got) == 3)
        assert client.numbers() == [1, 3, 5]
        assert none.got == []


async def test_nothing_is_told_before_it_is_published(scope: Scope) -> None:
    async with serving(scope) as served:
        client = await served.client()
        await client.ask("daemon/events", b'{"since":"0"}')
        await served.commit(1)
        await client.until(lambda got: len(got) == 1)
        await served.commit(1, publish=False)
        await client.ask("queue/stats")
        assert client.numbers() == [1]
        served.project.bus.publish()
        await client.until(lambda got: len(got) == 2)


async def test_cancelling_a_stream_ends_it_and_the_connection_goes_on(scope: Scope) -> None:
    async with serving(scope) as served:
        client = await served.client()
        await client.ask("daemon/events")
        await served.commit()
        await client.until(lambda got: len(got) == 1)
        request_id = client.got[0].params["id"]
        client.peer.notify_raw("$/cancelRequest", json.dumps({"id": request_id}).encode())
        await client.ask("queue/stats")
        await served.commit()
        await client.ask("queue/stats")
        assert client.numbers() == [1]


def streams() -> int:
    return sum("Streams._stream " in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_closing_the_connection_ends_its_streams(scope: Scope) -> None:
    async with serving(scope) as served:
        client, other = await served.client(), await served.client()
        for one in (client, other):
            await one.ask("daemon/events")
        assert streams() == 2
        await client.peer.aclose()
        await served.commit()
        await other.until(lambda got: len(got) == 1)
        assert streams() == 1


async def test_a_subscriber_that_does_not_read_costs_no_memory_and_holds_nobody_up(scope: Scope) -> None:
    async with serving(scope) as served:
        reader, writer = await asyncio.open_unix_connection(scope.control_socket, limit=4096)
        writer.write(b'{"jsonrpc":"2.0","id":1,"method":"daemon/events","params":{"since":"0"}}\n')
        assert json.loads(await reader.readline())["result"] == {"watching": True}
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a Unix transport can
        for _ in range(8):
            await served.commit(20, size=100_000)
        quick = await served.client()
        await quick.ask("daemon/events", b'{"since":"0"}')
        await quick.until(lambda got: len(got) == 160)
        assert quick.numbers() == list(range(1, 161))
        kept = [peer._pump.kept_bytes for peer in served.listener._peers]
        assert max(kept) < 2 * 1024 * 1024
        writer.transport.abort()


# == doors ==


async def test_the_socket_is_for_its_owner_only_and_gone_afterwards(scope: Scope) -> None:
    async with serving(scope):
        mode = await asyncio.to_thread(scope.control_socket.stat)
        assert stat.S_IMODE(mode.st_mode) == 0o600
    assert not scope.control_socket.exists()


@pytest.fixture
def no_plugins(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMUS_CONFIG_DIR", str(scope.root.parent))
    monkeypatch.setattr("animus_core.supply.discovery.candidates.installed_scripts", list)


@pytest.mark.usefixtures("no_plugins")
async def test_without_a_daemon_the_same_methods_work_in_this_process_under_the_daemons_lock(scope: Scope) -> None:
    async with open_control(scope) as control:
        entry = await control.call(queue.QUEUE_ENQUEUE, queue.QueueEnqueueParams(task_id="A", kind="custom"))
        assert entry.workflow_ref == "build"
        assert acquire(scope.daemon_lock) is None
        with pytest.raises(errors.RetryLater, match="no daemon is running"):
            await control.call(workflow.WORKFLOW_CANCEL, workflow.WorkflowCancelParams(id="run-1"))
        with pytest.raises(errors.RetryLater, match="no daemon is running"):
            await control.call(daemon.DAEMON_NUDGE, Empty())
        with pytest.raises(errors.UnknownName):
            await control.call(subject.SUBJECT_GET, subject.SUBJECT_GET.params(id="A"))
        with pytest.raises(errors.RetryLater):
            await control.call(daemon.DAEMON_EVENTS, daemon.DaemonEventsParams())
        assert (await control.call(daemon.DAEMON_STATUS, Empty())).running is False
    async with open_control(scope) as control:
        assert (await control.call(queue.QUEUE_STATS, Empty())).ready == 1


async def test_with_a_daemon_calls_go_over_its_socket(scope: Scope) -> None:
    held = acquire(scope.daemon_lock)
    assert held is not None
    with held:
        async with serving(scope), open_control(scope) as control:
            assert (await control.call(daemon.DAEMON_STATUS, Empty())).pid == 7
            with pytest.raises(errors.UnknownName, match="no run 'run-9'"):
                await control.call(workflow.WORKFLOW_GET, workflow.WorkflowIdParams(id="run-9"))


async def test_without_a_daemon_there_is_nobody_to_connect_to(scope: Scope) -> None:
    with pytest.raises(errors.RetryLater, match="no daemon is running"):
        async with connect_control(scope):
            pass
