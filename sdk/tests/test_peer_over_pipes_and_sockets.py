"""Two live peers, or one and a raw end: pipes and sockets keep the same contract.

Every test is a coroutine of its own loop under a deadline; left-over tasks, descriptors and unhandled errors fail it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from animus_protocol.connection import Notification, Request
from animus_protocol.errors import (
    CallTimeout,
    Cancelled,
    FrameTooLarge,
    InvalidParams,
    MethodNotFound,
    NotSupported,
    PeerGone,
    RpcError,
)
from animus_protocol.models.base import Empty, Method, WireModel, encode
from animus_protocol.models.lifecycle import PING
from animus_protocol.peer import BadReply, Peer
from animus_protocol.pump import Pump

Wire = tuple[tuple[int, int], tuple[int, int]]
"""The (read, write) descriptors of one end and of the other; a socket is both."""


class Text(WireModel):
    text: str


ECHO = Method("echo", Text, Text, "test")
NOTE: Method[Text, None] = Method("note", Text, None, "test")


@pytest.fixture(params=["pipes", "sockets"])
def wire(request: pytest.FixtureRequest) -> Wire:
    if request.param == "sockets":
        a, b = socket.socketpair()
        one, other = a.detach(), b.detach()
        return (one, one), (other, other)
    (read_a, write_b), (read_b, write_a) = os.pipe(), os.pipe()
    return (read_a, write_a), (read_b, write_b)


class Answers:
    """A handler whose methods are functions in a table; it remembers what it was told."""

    def __init__(self, **methods: Callable[[Any], Awaitable[object]]) -> None:
        self.methods = methods
        self.log: list[Any] = []
        self.heard = asyncio.Event()

    async def request(self, peer: Peer, request: Request) -> object:
        self.log.append(request.method)
        return await self.methods[request.method](request.params)

    def notification(self, peer: Peer, notification: Notification) -> None:
        self.log.append(notification.params.get("text", notification.method))
        self.heard.set()

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        self.log.append(("cancelled", request_id))
        self.heard.set()


async def echo(params: Any) -> object:
    return {"text": params["text"]}


class RawEnd:
    """The other end without any of our code: lines of bytes, read and written by the loop's own readiness."""

    def __init__(self, ends: tuple[int, int]) -> None:
        self.read_fd, self.write_fd = ends
        self.buffer = b""
        for fd in ends:
            os.set_blocking(fd, False)

    async def read(self, size: int = 65536) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return os.read(self.read_fd, size)
            except BlockingIOError:
                ready = asyncio.Event()
                loop.add_reader(self.read_fd, ready.set)
                try:
                    await ready.wait()
                finally:
                    loop.remove_reader(self.read_fd)

    async def line(self) -> Any:
        while b"\n" not in self.buffer:
            piece = await self.read()
            assert piece, "the wire ended"
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    async def rest(self) -> bytes:
        while piece := await self.read():
            self.buffer += piece
        return self.buffer

    async def send(self, **fields: Any) -> None:
        await self.write(json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n")

    async def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while data:
            try:
                data = data[os.write(self.write_fd, data) :]
            except BlockingIOError:
                ready = asyncio.Event()
                loop.add_writer(self.write_fd, ready.set)
                try:
                    await ready.wait()
                finally:
                    loop.remove_writer(self.write_fd)

    def stop_writing(self) -> None:
        if self.read_fd == self.write_fd:
            with socket.socket(fileno=os.dup(self.write_fd)) as copy:
                copy.shutdown(socket.SHUT_WR)
        else:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        for fd in {self.read_fd, self.write_fd} - {-1}:
            os.close(fd)


def peer_of(ends: tuple[int, int], handler: Answers, **options: Any) -> Peer:
    return Peer(*ends, handler, name="other", **options)


async def turns(count: int = 5) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_typed_call_gives_a_typed_result_both_ways_at_once(wire: Wire) -> None:
    one, other = peer_of(wire[0], Answers(echo=echo)), peer_of(wire[1], Answers(echo=echo))
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
        (RuntimeError("secret"), RpcError, -32603),
        (KeyError("secret"), RpcError, -32603),
    ],
)
async def test_what_a_handler_raises_arrives_as_the_class_of_its_code_and_the_peer_lives(
    wire: Wire, raised: Exception, seen: type[RpcError], code: int
) -> None:
    async def fail(params: Any) -> object:
        raise raised

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(echo=fail, other=echo))
    with pytest.raises(RpcError) as caught:
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    assert type(caught.value) is seen
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
    if isinstance(raised, RpcError):
        assert (caught.value.message, caught.value.data) == (raised.message, raised.data)
    assert (await one.call(ECHO.named("other"), Text(text="alive"), timeout_s=5)).text == "alive"
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize(
    "answer", [object(), "half a pair \ud83d", "x" * 5000], ids=["no JSON", "half a surrogate", "too large"]
)
async def test_an_answer_that_cannot_be_sent_is_answered_with_an_internal_error(wire: Wire, answer: object) -> None:
    async def give(params: Any) -> object:
        return answer

    one = peer_of(wire[0], Answers())
    other = peer_of(wire[1], Answers(echo=give), max_frame_bytes=2000)
    with pytest.raises(RpcError) as caught:
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    assert caught.value.code == -32603
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize("answer", [None, [1], {"text": 7}, {}])
async def test_a_result_of_another_type_is_a_bad_reply_that_names_the_peer_and_the_method(
    wire: Wire, answer: object
) -> None:
    async def give(params: Any) -> object:
        return answer

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(echo=give))
    with pytest.raises(BadReply, match=r"other: the result of echo does not fit"):
        await one.call(ECHO, Text(text="x"), timeout_s=5)
    await one.aclose()
    await other.aclose()


async def test_a_notification_cannot_be_called_and_nothing_is_sent(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
    with pytest.raises(TypeError):
        await one.call(NOTE, Text(text="x"), timeout_s=5)
    await one.aclose()
    assert await raw.rest() == b""
    raw.close()


async def test_a_call_without_an_answer_times_out_and_tells_the_other_side_to_cancel(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
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


async def test_cancelling_the_caller_tells_the_other_side_to_cancel_and_ends_its_handler(wire: Wire) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(echo=wait))
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ended.wait()
    await one.aclose()
    await other.aclose()


async def test_every_waiting_call_fails_with_peer_gone_at_the_end_of_input(wire: Wire) -> None:
    reasons: list[str] = []
    one, raw = peer_of(wire[0], Answers(), on_end=reasons.append), RawEnd(wire[1])
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


async def test_a_cancellation_before_the_handlers_first_step_is_answered_and_nothing_runs(wire: Wire) -> None:
    answers = Answers(echo=echo)
    one, raw = peer_of(wire[0], answers), RawEnd(wire[1])
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
    wire: Wire,
) -> None:
    begun = asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        return await asyncio.Event().wait()

    answers = Answers(wait=wait, echo=echo)
    one, raw = peer_of(wire[0], answers), RawEnd(wire[1])
    await raw.send(id=1, method="wait")
    await begun.wait()
    await raw.send(method="$/cancelRequest", params={"id": 1})
    assert (await raw.line())["error"]["code"] == -32002
    await raw.send(method="$/cancelRequest", params={"id": 1})
    await answers.heard.wait()
    assert answers.log == ["wait", ("cancelled", 1)]
    await one.aclose()
    assert await raw.rest() == b""
    raw.close()


async def test_a_thousand_concurrent_calls_get_their_own_answers_in_any_order(wire: Wire) -> None:
    waiting: dict[str, asyncio.Future[None]] = {}
    all_there = asyncio.Event()

    async def hold(params: Any) -> object:
        waiting[params["text"]] = asyncio.get_running_loop().create_future()
        if len(waiting) == 1000:
            all_there.set()
        await waiting[params["text"]]
        return {"text": params["text"]}

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(echo=hold))
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


async def test_too_many_open_requests_are_refused_and_the_others_go_on(wire: Wire) -> None:
    release = asyncio.Event()

    async def hold(params: Any) -> object:
        await release.wait()
        return {"text": params["text"]}

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(echo=hold))
    calls = [asyncio.create_task(one.call(ECHO, Text(text=str(n)), timeout_s=15)) for n in range(4100)]
    refused, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
    release.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [end.category for end in ends if isinstance(end, RpcError)] == ["unavailable"] * 4
    assert sum(isinstance(end, Text) for end in ends) == 4096
    assert refused
    await one.aclose()
    await other.aclose()


async def test_a_peer_that_does_not_read_stops_a_sender_that_waits_for_room(wire: Wire) -> None:
    pump = Pump(*wire[0], on_data=lambda _: None, on_end=lambda _: None, high_water_bytes=200_000)
    pump.start()
    raw = RawEnd(wire[1])
    piece = b"x" * 9_999 + b"\n"
    sent, most = 0, 0

    async def flood() -> None:
        nonlocal sent, most
        for _ in range(500):
            pump.write(piece, at_once=False)
            sent += 1
            most = max(most, pump.kept_bytes)
            await pump.drained()

    task = asyncio.create_task(flood())
    while pump.kept_bytes <= 200_000:
        await turns()
    before = sent
    await turns(50)
    assert sent == before
    assert not task.done()
    received = b""
    while len(received) < 500 * len(piece):
        received += await raw.read()
    await task
    assert received == piece * 500
    assert most <= 200_000 + len(piece)
    pump.close()
    raw.close()


async def test_waiting_for_room_ends_when_the_other_side_goes(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
    one.notify(NOTE, Text(text="x" * 3_000_000))
    waiting = asyncio.create_task(one.drained())
    await turns(20)
    assert not waiting.done()
    raw.close()
    with pytest.raises(PeerGone):
        await waiting
    with pytest.raises(PeerGone):
        await one.drained()
    await one.aclose()


async def test_a_wait_for_room_that_is_given_up_leaves_nothing_behind(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
    one.notify(NOTE, Text(text="x" * 3_000_000))
    for _ in range(100):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await one.drained()
    reading = asyncio.create_task(raw.line())
    await one.drained()
    assert (await reading)["params"]["text"] == "x" * 3_000_000
    await one.aclose()
    raw.close()


async def test_big_frames_go_both_ways_at_once(wire: Wire) -> None:
    one, other = peer_of(wire[0], Answers(echo=echo)), peer_of(wire[1], Answers(echo=echo))
    big = "é" * 3_000_000
    calls = [peer.call(ECHO, Text(text=big + str(n)), timeout_s=15) for n, peer in enumerate((one, other, one, other))]
    assert [reply.text[-1] for reply in await asyncio.gather(*calls)] == ["0", "1", "2", "3"]
    with pytest.raises(FrameTooLarge):
        await one.call(ECHO, Text(text="x" * (16 * 1024 * 1024)), timeout_s=5)
    assert (await one.call(ECHO, Text(text="small"), timeout_s=5)).text == "small"
    await one.aclose()
    await other.aclose()


async def test_what_was_written_is_sent_before_the_connection_is_closed(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
    for number in range(5):
        one.notify(NOTE, Text(text=str(number) * 700_000))
    reading = asyncio.create_task(raw.rest())
    await one.aclose()
    lines = (await reading).splitlines()
    assert [json.loads(line)["params"]["text"][0] for line in lines] == ["0", "1", "2", "3", "4"]
    raw.close()


async def test_closing_does_not_wait_for_ever_for_a_peer_that_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    (read_a, write_b), (read_b, write_a) = os.pipe(), os.pipe()
    one, raw = peer_of((read_a, write_a), Answers()), RawEnd((read_b, write_b))
    one.notify(NOTE, Text(text="x" * 3_000_000))
    async with asyncio.timeout(5):
        await one.aclose()
    assert "gave up sending" in caplog.text
    raw.close()


async def test_closing_cancels_what_is_answered_and_says_so_to_the_asker(wire: Wire) -> None:
    begun = asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        return await asyncio.Event().wait()

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(echo=wait))
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    await begun.wait()
    await asyncio.gather(other.aclose(), other.aclose())
    with pytest.raises(Cancelled):
        await call
    await other.aclose()
    await one.aclose()


async def test_a_close_that_is_itself_cancelled_still_gives_the_descriptors_back(wire: Wire) -> None:
    stubborn = asyncio.Event()
    begun = asyncio.Event()

    async def ignore(params: Any) -> object:
        begun.set()
        while not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue
        return None

    one, raw = peer_of(wire[0], Answers(ignore=ignore)), RawEnd(wire[1])
    await raw.send(id=1, method="ignore")
    await begun.wait()
    closing = asyncio.create_task(one.aclose())
    await turns()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert await raw.rest() == b""
    raw.close()
    stubborn.set()
    await one.idle(asyncio.get_running_loop().time() + 5)
    await turns()


async def test_requests_that_come_while_closing_are_refused_and_not_begun(wire: Wire) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def last_words(params: Any) -> object:
        begun.set()
        try:
            return await asyncio.Event().wait()
        finally:
            await release.wait()

    answers = Answers(slow=last_words, echo=echo)
    one, raw = peer_of(wire[0], answers), RawEnd(wire[1])
    await raw.send(id=1, method="slow")
    await begun.wait()
    closing = asyncio.create_task(one.aclose())
    await raw.send(id=2, method="echo", params={"text": "late"})
    refused = await raw.line()
    assert (refused["id"], refused["error"]["code"]) == (2, -32002)
    release.set()
    await closing
    assert json.loads(await raw.rest())["id"] == 1
    assert answers.log == ["slow"]
    raw.close()


async def test_notifications_are_heard_in_order_and_before_the_replys_caller_goes_on(wire: Wire) -> None:
    answers = Answers()
    one, raw = peer_of(wire[0], answers), RawEnd(wire[1])
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


async def test_notifications_of_a_handler_leave_before_its_answer(wire: Wire) -> None:
    async def talk(params: Any) -> object:
        for number in range(300):
            other.notify(NOTE, Text(text=str(number)))
            if number % 100 == 0:
                await other.drained()
        return {"text": "done"}

    heard = Answers()
    one, other = peer_of(wire[0], heard), peer_of(wire[1], Answers(echo=talk))
    await one.call(ECHO, Text(text="x"), timeout_s=5)
    assert heard.log == [str(number) for number in range(300)]
    await one.aclose()
    await other.aclose()


async def test_a_handler_that_fails_on_a_notification_costs_no_other_frame(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    class Deaf(Answers):
        def notification(self, peer: Peer, notification: Notification) -> None:
            raise RuntimeError("I did not expect that")

        def cancelled(self, peer: Peer, request_id: int | str) -> None:
            raise RuntimeError("nor that")

    one, raw = peer_of(wire[0], Deaf()), RawEnd(wire[1])
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


async def test_a_reply_that_was_sent_before_the_wire_broke_is_read(wire: Wire) -> None:
    heard = Answers()
    one, raw = peer_of(wire[0], heard), RawEnd(wire[1])
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    number = (await raw.line())["id"]
    last_words: list[dict[str, Any]] = [
        {"method": "note", "params": {"text": "n" * 50_000}},
        {"id": number, "result": {"text": "done"}},
    ]
    data = b"".join(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n" for frame in last_words)
    assert os.write(raw.write_fd, data) == len(data)
    raw.close()
    late = one.call(
        ECHO, Text(text="never taken"), timeout_s=5
    )  # its frame meets the broken wire before the reader does
    ends = await asyncio.gather(late, call, return_exceptions=True)
    assert isinstance(ends[0], PeerGone)
    assert ends[1] == Text(text="done")
    assert len(heard.log) == 1
    await one.aclose()


async def test_who_has_said_everything_still_gets_its_answers(wire: Wire) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def slow(params: Any) -> object:
        begun.set()
        await release.wait()
        return {"text": "x" * 2_000_000}

    one, raw = peer_of(wire[0], Answers(slow=slow, echo=echo)), RawEnd(wire[1])
    await raw.send(id=1, method="slow")
    await raw.write(b'{"jsonrpc":"2.0","id":2,"method":"echo","params":{"text":"no newline"}}')
    raw.stop_writing()
    assert await one.ended == "end of input"
    assert (await raw.line())["result"] == {"text": "no newline"}
    release.set()
    assert await one.idle(asyncio.get_running_loop().time() + 5)
    reading = asyncio.create_task(raw.line())
    await one.aclose()
    assert (await reading)["result"] == {"text": "x" * 2_000_000}
    raw.close()


async def test_an_id_may_be_used_again_at_once_after_its_answer_and_is_cancelled_as_the_new_request(wire: Wire) -> None:
    begun = asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        return await asyncio.Event().wait()

    one, raw = peer_of(wire[0], Answers(echo=echo, wait=wait)), RawEnd(wire[1])
    again = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "wait", "params": {}}).encode() + b"\n"
    send, first = one._send, True  # noqa: SLF001 - the only way to be as quick as a peer on another core can be

    def answer_and_ask_again(frame: bytes | None) -> None:
        nonlocal first
        send(frame)
        if first:
            first = False
            one._received(again)  # noqa: SLF001 - as above

    one._send = answer_and_ask_again  # type: ignore[method-assign]  # as above
    await raw.send(id=1, method="echo", params={"text": "x"})
    assert (await raw.line())["result"] == {"text": "x"}
    await begun.wait()
    await turns()
    assert one.open_requests == 1
    await raw.send(method="$/cancelRequest", params={"id": 1})
    assert (await raw.line())["error"]["code"] == -32002
    await one.aclose()
    raw.close()


async def test_garbage_costs_nothing_and_its_log_stays_short(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    one, raw = peer_of(wire[0], Answers(echo=echo)), RawEnd(wire[1])
    await raw.write(b"this is no JSON\n" * 5000)
    await raw.send(id=1, method="echo", params={"text": "x"})
    assert (await raw.line())["result"] == {"text": "x"}
    assert one.dropped_frames == 5000
    assert 16 <= caplog.text.count("dropped input") <= 32
    await one.aclose()
    raw.close()


async def test_a_call_and_its_cancellation_may_cross_the_answer(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
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


async def test_raw_json_goes_through_unchanged(wire: Wire) -> None:
    async def mirror(params: Any) -> object:
        return params

    one, other = peer_of(wire[0], Answers()), peer_of(wire[1], Answers(mirror=mirror))
    value = {"deep": [{"null": None, "float": 1.5, "text": "é\u2028\n"}], "big": 2**70}
    assert await one.call_raw("mirror", encode(value), timeout_s=5) == value
    assert await one.call_raw("mirror", encode(Empty()), timeout_s=5) == {}
    await one.aclose()
    await other.aclose()


async def test_closing_fails_our_own_calls_and_discards_later_frames(wire: Wire) -> None:
    one, raw = peer_of(wire[0], Answers()), RawEnd(wire[1])
    call = asyncio.create_task(one.call(PING, Empty(), timeout_s=5))
    assert (await raw.line())["method"] == "$/ping"
    await one.aclose()
    with pytest.raises(PeerGone, match="closed here"):
        await call
    one.notify(NOTE, Text(text="nobody hears this"))
    with pytest.raises(PeerGone):
        await one.drained()
    assert await raw.rest() == b""
    raw.close()
