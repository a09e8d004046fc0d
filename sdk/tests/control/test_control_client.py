"""The control client against a socket of raw lines: calls, streams, room, and a daemon that goes and comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from animus_protocol.models.base import Empty
from animus_protocol.models.control.daemon import DAEMON_STATUS
from animus_sdk import NoDaemon, RpcError, Unavailable
from animus_sdk.control import connect_control

EVENTS = "daemon/events"


async def running(connection: Any, request: Any) -> None:
    await connection.reply(request, {"running": True, "capabilities": None, "of_tomorrow": 1})


async def silent(connection: Any, request: Any) -> None:
    """Never answers."""


async def turns(count: int = 50) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_typed_call_reads_the_result_and_a_raw_one_leaves_nothing_out(daemon: Any) -> None:
    daemon.answers["daemon/status"] = running
    async with daemon, connect_control(daemon.path) as control:
        status = await control.call(DAEMON_STATUS, Empty())
        assert status.running
        assert status.capabilities.methods == []
        assert await control.request("daemon/status") == {"running": True, "capabilities": None, "of_tomorrow": 1}


async def test_calls_share_one_connection_also_when_they_begin_together(daemon: Any) -> None:
    daemon.answers["daemon/status"] = running
    async with daemon, connect_control(daemon.path) as control:
        await asyncio.gather(*(control.request("daemon/status") for _ in range(20)))
        assert len(daemon.connections) == 1


async def test_without_a_daemon_a_call_fails_with_the_name_of_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with connect_control(path, name="the daemon") as control:
        with pytest.raises(Unavailable, match=f"no the daemon at {path}: No such file"):
            await control.request("daemon/status")
        with pytest.raises(Unavailable, match="No such file"):
            async with control.stream(EVENTS):
                pass


async def test_a_socket_path_that_is_too_long_is_told_as_such(tmp_path: Path) -> None:
    async with connect_control(tmp_path / ("x" * 200)) as control:
        with pytest.raises(Unavailable, match="too long"):
            await control.request("daemon/status")


async def test_a_refusal_keeps_its_code_and_its_category(daemon: Any) -> None:
    async def refuse(connection: Any, request: Any) -> None:
        await connection.refuse(request, -32602, "no task TASK-9", category="not_found")

    daemon.answers["subject/get"] = refuse
    async with daemon, connect_control(daemon.path) as control:
        with pytest.raises(RpcError) as refused:
            await control.request("subject/get", {"id": "TASK-9"})
    assert (refused.value.code, refused.value.category, refused.value.message) == (
        -32602,
        "not_found",
        "no task TASK-9",
    )


async def test_a_call_without_an_answer_ends_at_its_deadline_and_is_cancelled(daemon: Any) -> None:
    daemon.answers["daemon/status"] = silent
    async with daemon, connect_control(daemon.path) as control:
        with pytest.raises(Unavailable, match=r"did not answer daemon/status within 0\.05 s"):
            await control.request("daemon/status", timeout_s=0.05)
        daemon.answers["daemon/status"] = running
        await control.request("daemon/status")
        assert daemon.connections[0].received == ["daemon/status", "$/cancelRequest", "daemon/status"]


async def test_calls_work_again_after_the_daemon_was_restarted(daemon: Any) -> None:
    daemon.answers["daemon/status"] = running
    async with connect_control(daemon.path) as control:
        async with daemon:
            await control.request("daemon/status")
        with pytest.raises(Unavailable, match=r"control\.sock"):
            await control.request("daemon/status")
        async with daemon:
            await control.request("daemon/status")
            assert len(daemon.connections) == 2


async def test_a_daemon_that_leaves_in_the_middle_of_a_call_is_unavailable(daemon: Any) -> None:
    async def leave(connection: Any, request: Any) -> None:
        await connection.close()

    daemon.answers["daemon/status"] = leave
    async with daemon, connect_control(daemon.path) as control:
        with pytest.raises(Unavailable, match="daemon is gone"):
            await control.request("daemon/status")


async def test_a_stream_gives_the_items_of_its_own_request_in_their_order(daemon: Any) -> None:
    async def events(connection: Any, request: Any) -> None:
        await connection.item(request, "before the reply")
        await connection.reply(request, {"watching": True})
        await connection.send(method="daemon/event", params={"id": request["id"] + 7, "data": "another's"})
        await connection.send(method="log/entry", params=[1])
        await connection.item(request, None)
        await connection.item(request, request["params"])

    daemon.answers[EVENTS] = events
    async with daemon, connect_control(daemon.path) as control, control.stream(EVENTS, {"since": "7"}) as items:
        assert [await anext(items) for _ in range(3)] == ["before the reply", None, {"since": "7"}]


async def test_leaving_the_block_cancels_the_stream_and_closes_its_connection(daemon: Any) -> None:
    async def events(connection: Any, request: Any) -> None:
        await connection.reply(request, {"watching": True})

    daemon.answers[EVENTS] = events
    async with daemon, connect_control(daemon.path) as control:
        async with control.stream(EVENTS):
            pass
        [connection] = daemon.connections
        await connection.gone.wait()
        assert connection.received == [EVENTS, "$/cancelRequest"]


async def test_a_stream_that_the_daemon_refuses_is_not_opened(daemon: Any) -> None:
    async def refuse(connection: Any, request: Any) -> None:
        await connection.refuse(request, -32602, "'x' is not the id of an event", category="invalid_request")

    daemon.answers[EVENTS] = refuse
    async with daemon, connect_control(daemon.path) as control:
        with pytest.raises(RpcError, match="not the id of an event"):
            async with control.stream(EVENTS, {"since": "x"}):
                pytest.fail("the stream was opened")
        [connection] = daemon.connections
        await connection.gone.wait()
        assert connection.received == [EVENTS]


@pytest.mark.parametrize("how", ["closed", "lost"])
async def test_a_stream_that_ends_gives_what_came_and_then_says_why(daemon: Any, how: str) -> None:
    async def events(connection: Any, request: Any) -> None:
        await connection.reply(request, {"watching": True})
        await connection.item(request, 1)
        if how == "closed":
            await connection.send(method="subscription/closed", params={"id": request["id"], "reason": "no disk"})
        else:
            await connection.close()

    daemon.answers[EVENTS] = events
    async with daemon, connect_control(daemon.path) as control, control.stream(EVENTS) as items:
        assert await anext(items) == 1
        reason = "closed by the daemon: no disk" if how == "closed" else "end of input"
        for _ in range(2):
            with pytest.raises(NoDaemon, match=f"the stream daemon/events has ended: {reason}"):
                await anext(items)


async def test_a_slow_reader_holds_up_the_daemons_stream_and_nothing_else(daemon: Any) -> None:
    count, sent = 3000, 0
    piece = "x" * 1000

    async def events(connection: Any, request: Any) -> None:
        nonlocal sent
        await connection.reply(request, {"watching": True})
        for number in range(count):
            await connection.item(request, [number, piece])
            sent = number + 1

    daemon.answers = {EVENTS: events, "daemon/status": running}
    async with daemon, connect_control(daemon.path) as control, control.stream(EVENTS) as items:
        before = -1
        while sent != before:  # until the kernel's buffers and ours are full
            before = sent
            await turns()
        assert sent < count
        async with control.stream(EVENTS) as others:
            assert (await anext(others))[0] == 0
            await control.request("daemon/status", timeout_s=5)
        assert [(await anext(items))[0] for _ in range(count)] == list(range(count))


async def test_waiting_for_an_item_can_be_given_up_without_losing_one(daemon: Any) -> None:
    more = asyncio.Event()

    async def events(connection: Any, request: Any) -> None:
        await connection.reply(request, {"watching": True})
        await more.wait()
        for number in range(3):
            await connection.item(request, number)

    daemon.answers[EVENTS] = events
    async with daemon, connect_control(daemon.path) as control, control.stream(EVENTS) as items:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(items)
        more.set()
        assert [await anext(items) for _ in range(3)] == [0, 1, 2]
