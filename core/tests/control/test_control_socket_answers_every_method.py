"""The control socket: every method answered, errors by category, the same calls without a daemon."""

from __future__ import annotations

import asyncio
import json
import stat

import pytest

from animus_core import errors
from animus_core.control.client import connect_control
from animus_core.control.errors import from_protocol, to_rpc
from animus_core.store.paths import Scope
from animus_protocol.errors import CallTimeout, Code, MethodNotFound, NotSupported, PeerGone, RpcError
from animus_protocol.models.base import Empty
from animus_protocol.models.control import daemon, plugin, queue, subject, workflow
from control_client import CALL_S, Served, serving


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
        served.project.commit_signal.nudged.clear()
        await peer.call(daemon.DAEMON_NUDGE, Empty(), timeout_s=CALL_S)
        assert served.project.commit_signal.nudged.is_set()
        await peer.call(daemon.DAEMON_STOP, daemon.DaemonStopParams(drain_secs=3), timeout_s=CALL_S)
        assert served.daemon.done == ["stop 3.0"]
        listing = plugin.PluginListParams(include_warnings=True)
        plugins = await peer.call(plugin.PLUGIN_LIST, listing, timeout_s=CALL_S)
        assert [one.name for one in plugins.plugins] == ["odd"]
        assert [one.plugin for one in plugins.warnings] == ["bad"]
        runs = await peer.call(workflow.WORKFLOW_LIST, workflow.WorkflowListParams(), timeout_s=CALL_S)
        assert runs.runs == []


async def test_the_next_subject_is_of_the_projects_default_kind_where_none_is_named(scope: Scope) -> None:
    async with serving(scope) as served:
        peer = (await served.client()).peer
        with pytest.raises(RpcError, match="subjects of kind 'task'"):
            await peer.call(subject.SUBJECT_NEXT, subject.SubjectNextParams(), timeout_s=CALL_S)
        config = scope.project_root / ".animus" / "config.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text('{"default_subject_kind": "letters"}')
        with pytest.raises(RpcError, match="subjects of kind 'letters'"):
            await peer.call(subject.SUBJECT_NEXT, subject.SubjectNextParams(), timeout_s=CALL_S)


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


# == doors ==


async def test_the_socket_is_for_its_owner_only_and_gone_afterwards(scope: Scope) -> None:
    async with serving(scope):
        mode = await asyncio.to_thread(scope.control_socket.stat)
        assert stat.S_IMODE(mode.st_mode) == 0o600
    assert not scope.control_socket.exists()


async def test_without_a_daemon_there_is_nobody_to_connect_to(scope: Scope) -> None:
    with pytest.raises(errors.RetryLater, match="no daemon is running"):
        async with connect_control(scope):
            pass
