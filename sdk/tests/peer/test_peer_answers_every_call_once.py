"""Two live peers, or one and a raw end: who asks gets its own answer, once; the same over pipes and sockets.

Every test is a coroutine of its own loop under a deadline; left-over tasks, descriptors and unhandled errors fail it.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from animus_protocol.connection import Notification
from animus_protocol.errors import (
    BadReply,
    CallTimeout,
    Cancelled,
    InvalidParams,
    MethodNotFound,
    NotSupported,
    PeerGone,
    PluginError,
    RpcError,
)
from animus_protocol.models.base import Empty, Method, WireModel, encode
from animus_protocol.peer import Peer


class Text(WireModel):
    text: str


ECHO = Method("echo", Text, Text, "test")
NOTE: Method[Text, None] = Method("note", Text, None, "test")


async def echo(params: Any) -> object:
    return {"text": params["text"]}


async def turns(count: int = 5) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_typed_call_gives_a_typed_result_both_ways_at_once(wire: Any) -> None:
    one, other = wire.peer(0, echo=echo), wire.peer(1, echo=echo)
    forth = one.call(ECHO, Text(text="forth"), timeout_s=5)
    back = other.call(ECHO, Text(text="back"), timeout_s=5)
    assert [reply.text for reply in await asyncio.gather(forth, back)] == ["forth", "back"]
    await one.aclose()
    assert await other.ended == "end of input"
    await other.aclose()


@pytest.mark.parametrize(
    ("raised", "seen", "code"),
    [
        (MethodNotFound("echo"), MethodNotFound, -32601),
        (NotSupported("echo"), NotSupported, -32001),
        (InvalidParams("bad", [{"path": "a", "message": "b", "code": "c"}]), InvalidParams, -32602),
        (Cancelled(), Cancelled, -32002),
        (RpcError(-31000, "own", {"category": "mine"}), RpcError, -31000),
        (PeerGone("somebody else is gone"), RpcError, -32603),
        (RuntimeError("secret"), PluginError, -32603),
        (KeyError("secret"), PluginError, -32603),
    ],
)
async def test_what_a_handler_raises_arrives_as_the_class_of_its_code_and_the_peer_lives(
    wire: Any, raised: Exception, seen: type[RpcError], code: int
) -> None:
    async def fail(params: Any) -> object:
        raise raised

    one, other = wire.peer(0), wire.peer(1, echo=fail, other=echo)
    with pytest.raises(RpcError) as caught:
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    assert type(caught.value) is seen
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
    if isinstance(raised, RpcError):
        assert (caught.value.message, caught.value.data) == (raised.message, raised.data)
    if isinstance(raised, PeerGone):
        assert caught.value.message == "somebody else is gone"
    assert (await one.call(ECHO.named("other"), Text(text="alive"), timeout_s=5)).text == "alive"
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize(
    "answer", [object(), "half a pair \ud83d", "x" * 5000], ids=["no JSON", "half a surrogate", "too large"]
)
async def test_an_answer_that_cannot_be_sent_is_answered_with_an_internal_error(wire: Any, answer: object) -> None:
    async def give(params: Any) -> object:
        return answer

    one = wire.peer(0)
    other = wire.peer(1, echo=give, max_frame_bytes=2000)
    with pytest.raises(RpcError) as caught:
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    assert caught.value.code == -32603
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize("answer", [None, [1], {"text": 7}, {}])
async def test_a_result_of_another_type_is_a_bad_reply_that_names_the_peer_and_the_method(
    wire: Any, answer: object
) -> None:
    async def give(params: Any) -> object:
        return answer

    one, other = wire.peer(0), wire.peer(1, echo=give)
    with pytest.raises(BadReply, match=r"other: the result of echo does not fit"):
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    await one.aclose()
    await other.aclose()


async def test_a_notification_cannot_be_called_and_nothing_is_sent(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
    with pytest.raises(TypeError):
        await one.call(NOTE, Text(text="x"), timeout_s=5)
    await one.aclose()
    assert await raw.rest() == b""
    raw.close()


async def test_a_call_without_an_answer_times_out_and_tells_the_other_side_to_cancel(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
    with pytest.raises(CallTimeout, match=r"other did not answer echo within 0.01 s"):
        await one.call(ECHO, Text(text="x"), timeout_s=0.01)
    asked = await raw.line()
    assert asked == {"jsonrpc": "2.0", "id": asked["id"], "method": "echo", "params": {"text": "x"}}
    assert await raw.line() == {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": asked["id"]}}
    await raw.send(id=asked["id"], result={"text": "late"})
    await raw.send(id=2, method="nobody")
    assert (await raw.line())["error"]["code"] == -32603
    assert one.dropped_frames == 1
    await one.aclose()
    raw.close()


async def test_cancelling_the_caller_tells_the_other_side_to_cancel_and_ends_its_handler(wire: Any) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    one, other = wire.peer(0), wire.peer(1, echo=wait)
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ended.wait()
    await one.aclose()
    await other.aclose()


async def test_every_waiting_call_fails_with_peer_gone_at_the_end_of_input(wire: Any) -> None:
    reasons: list[str] = []
    one, raw = wire.peer(0, on_end=reasons.append), wire.raw()
    calls = [asyncio.create_task(one.call(ECHO, Text(text=str(n)), timeout_s=5)) for n in range(50)]
    for _ in calls:
        last = await raw.line()
    await raw.write(json.dumps({"jsonrpc": "2.0", "id": last["id"], "result": last["params"]}).encode())
    raw.close()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert ends[-1] == Text(text="49")  # the last line came whole, only without its newline
    assert all(isinstance(end, PeerGone) for end in ends[:-1])
    assert one.ended.done()
    assert len(reasons) == 1
    with pytest.raises(PeerGone, match=r"other is gone: "):
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    await one.aclose()
    assert len(reasons) == 1


async def test_a_cancellation_before_the_handlers_first_step_is_answered_and_nothing_runs(wire: Any) -> None:
    answers = wire.answers(echo=echo)
    one, raw = wire.peer(0, handler=answers), wire.raw()
    frames = [
        {"jsonrpc": "2.0", "id": "r", "method": "echo", "params": {"text": "x"}},
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "r"}},
        {"jsonrpc": "2.0", "id": "s", "method": "echo", "params": {"text": "y"}},
    ]
    await raw.write(b"".join(json.dumps(frame).encode() + b"\n" for frame in frames))
    replies = {reply["id"]: reply for reply in [await raw.line(), await raw.line()]}
    assert replies["r"]["error"]["code"] == -32002
    assert replies["s"]["result"] == {"text": "y"}
    assert answers.log == ["echo"]
    await one.aclose()
    raw.close()


async def test_a_cancelled_handler_is_answered_once_and_a_cancellation_after_the_answer_ends_its_stream(
    wire: Any,
) -> None:
    begun = asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        return await asyncio.Event().wait()

    answers = wire.answers(wait=wait, echo=echo)
    one, raw = wire.peer(0, handler=answers), wire.raw()
    await raw.send(id=1, method="wait")
    await begun.wait()
    await raw.send(method="$/cancelRequest", params={"id": 1})
    assert (await raw.line())["error"]["code"] == -32002
    await raw.send(method="$/cancelRequest", params={"id": 1})
    await answers.received.wait()
    assert answers.log == ["wait", ("cancelled", 1)]
    await one.aclose()
    assert await raw.rest() == b""
    raw.close()


async def test_a_thousand_concurrent_calls_get_their_own_answers_in_any_order(wire: Any) -> None:
    waiting: dict[str, asyncio.Future[None]] = {}
    all_there = asyncio.Event()

    async def hold(params: Any) -> object:
        waiting[params["text"]] = asyncio.get_running_loop().create_future()
        if len(waiting) == 1000:
            all_there.set()
        await waiting[params["text"]]
        return {"text": params["text"]}

    one, other = wire.peer(0), wire.peer(1, echo=hold)
    calls = [asyncio.create_task(one.call(ECHO, Text(text=str(n)), timeout_s=15)) for n in range(1000)]
    await all_there.wait()
    assert other.open_requests == 1000
    order = list(waiting.values())
    random.Random(7).shuffle(order)
    for future in order:
        future.set_result(None)
    assert [reply.text for reply in await asyncio.gather(*calls)] == [str(n) for n in range(1000)]
    assert one.dropped_frames == other.dropped_frames == other.open_requests == 0
    await one.aclose()
    await other.aclose()


async def test_too_many_open_requests_are_refused_and_the_others_go_on(wire: Any) -> None:
    release = asyncio.Event()

    async def hold(params: Any) -> object:
        await release.wait()
        return {"text": params["text"]}

    one, other = wire.peer(0), wire.peer(1, echo=hold)
    calls = [asyncio.create_task(one.call(ECHO, Text(text=str(n)), timeout_s=15)) for n in range(4100)]
    refused, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
    release.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [end.category for end in ends if isinstance(end, RpcError)] == ["unavailable"] * 4
    assert sum(isinstance(end, Text) for end in ends) == 4096
    assert refused
    await one.aclose()
    await other.aclose()


async def test_notifications_are_heard_in_order_and_before_the_replys_caller_goes_on(wire: Any) -> None:
    answers = wire.answers()
    one, raw = wire.peer(0, handler=answers), wire.raw()
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    number = (await raw.line())["id"]
    notes = [{"jsonrpc": "2.0", "method": "note", "params": {"text": n}} for n in range(200)]
    reply = {"jsonrpc": "2.0", "id": number, "result": {"text": "done"}}
    last = {"jsonrpc": "2.0", "method": "note", "params": {"text": "after"}}
    await raw.write(b"".join(json.dumps(frame).encode() + b"\n" for frame in [*notes, reply, last]))
    await call
    assert answers.log[:200] == list(range(200))
    await one.aclose()
    raw.close()


async def test_notifications_of_a_handler_leave_before_its_answer(wire: Any) -> None:
    async def talk(params: Any) -> object:
        for number in range(300):
            other.notify(NOTE, Text(text=str(number)))
            if number % 100 == 0:
                await other.drained()
        return {"text": "done"}

    received = wire.answers()
    one, other = wire.peer(0, handler=received), wire.peer(1, echo=talk)
    await one.call(ECHO, Text(text="x"), timeout_s=5)
    assert received.log == [str(number) for number in range(300)]
    await one.aclose()
    await other.aclose()


async def test_a_handler_that_fails_on_a_notification_costs_no_other_frame(
    wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Deaf:
        def notification(self, peer: Peer, notification: Notification) -> None:
            raise RuntimeError("I did not expect that")

        def cancelled(self, peer: Peer, request_id: int | str) -> None:
            raise RuntimeError("nor that")

    one, raw = wire.peer(0, handler=Deaf()), wire.raw()
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    number = (await raw.line())["id"]
    frames: list[dict[str, Any]] = [
        {"method": "note", "params": {}},
        {"method": "$/cancelRequest", "params": {"id": 77}},
        {"id": number, "result": {"text": "still here"}},
    ]
    await raw.write(b"".join(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n" for frame in frames))
    assert (await call).text == "still here"
    assert "I did not expect that" in caplog.text
    assert "nor that" in caplog.text
    await one.aclose()
    raw.close()


async def test_an_id_may_be_used_again_at_once_after_its_answer_and_is_cancelled_as_the_new_request(wire: Any) -> None:
    begun = asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        return await asyncio.Event().wait()

    one, raw = wire.peer(0, echo=echo, wait=wait), wire.raw()
    again = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "wait", "params": {}}).encode() + b"\n"
    send, first = one._send, True

    def answer_and_ask_again(frame: bytes | None) -> None:
        nonlocal first
        send(frame)
        if first:
            first = False
            one._received(again)

    one._send = answer_and_ask_again
    await raw.send(id=1, method="echo", params={"text": "x"})
    assert (await raw.line())["result"] == {"text": "x"}
    await begun.wait()
    await turns()
    assert one.open_requests == 1
    await raw.send(method="$/cancelRequest", params={"id": 1})
    assert (await raw.line())["error"]["code"] == -32002
    await one.aclose()
    raw.close()


async def test_garbage_costs_nothing_and_its_log_stays_short(wire: Any, caplog: pytest.LogCaptureFixture) -> None:
    one, raw = wire.peer(0, echo=echo), wire.raw()
    await raw.write(b"this is not valid JSON\n" * 5000)
    await raw.send(id=1, method="echo", params={"text": "x"})
    assert (await raw.line())["result"] == {"text": "x"}
    assert one.dropped_frames == 5000
    assert 16 <= caplog.text.count("dropped input") <= 32
    await one.aclose()
    raw.close()


async def test_a_call_and_its_cancellation_may_cross_the_answer(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    number = (await raw.line())["id"]
    call.cancel()
    await raw.send(id=number, result={"text": "crossed"})
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await raw.line())["method"] == "$/cancelRequest"
    while one.dropped_frames == 0:
        await turns()
    await one.aclose()
    raw.close()


async def test_raw_json_goes_through_unchanged(wire: Any) -> None:
    async def mirror(params: Any) -> object:
        return params

    one, other = wire.peer(0), wire.peer(1, mirror=mirror)
    value = {"deep": [{"null": None, "float": 1.5, "text": "é\u2028\n"}], "big": 2**70}
    assert await one.call_raw("mirror", encode(value), timeout_s=5) == value
    assert await one.call_raw("mirror", encode(Empty()), timeout_s=5) == {}
    await one.aclose()
    await other.aclose()
