"""Two live peers, or one and a raw end: room, large frames, and every way to end; the same over pipes and sockets.

Every test is a coroutine of its own loop under a deadline; left-over tasks, descriptors and unhandled errors fail it.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from animus_protocol.errors import Cancelled, FrameTooLarge, PeerGone
from animus_protocol.models.base import Empty, Method, WireModel
from animus_protocol.models.lifecycle import PING
from animus_protocol.pump import Pump


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


async def test_a_peer_that_does_not_read_stops_a_sender_that_waits_for_room(wire: Any) -> None:
    read_fd, write_fd = wire.ends[0]
    pump = Pump(read_fd, write_fd, on_data=lambda _: None, on_end=lambda _: None, high_water_bytes=200_000)
    pump.start()
    raw = wire.raw()
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
    assert not asyncio.get_running_loop().remove_writer(write_fd), "the empty output is still watched"
    assert most <= 200_000 + len(piece)
    pump.close()
    raw.close()


async def test_waiting_for_room_ends_when_the_other_side_goes(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
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


async def test_a_wait_for_room_that_is_given_up_leaves_nothing_behind(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
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


async def test_big_frames_go_both_ways_at_once(wire: Any) -> None:
    one, other = wire.peer(0, echo=echo), wire.peer(1, echo=echo)
    big = "é" * 3_000_000
    calls = [peer.call(ECHO, Text(text=big + str(n)), timeout_s=15) for n, peer in enumerate((one, other, one, other))]
    assert [reply.text[-1] for reply in await asyncio.gather(*calls)] == ["0", "1", "2", "3"]
    with pytest.raises(FrameTooLarge):
        await one.call(ECHO, Text(text="x" * (16 * 1024 * 1024)), timeout_s=5)
    assert (await one.call(ECHO, Text(text="small"), timeout_s=5)).text == "small"
    await one.aclose()
    await other.aclose()


async def test_what_was_written_is_sent_before_the_connection_is_closed(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
    for number in range(5):
        one.notify(NOTE, Text(text=str(number) * 700_000))
    reading = asyncio.create_task(raw.rest())
    await one.aclose()
    lines = (await reading).splitlines()
    assert [json.loads(line)["params"]["text"][0] for line in lines] == ["0", "1", "2", "3", "4"]
    raw.close()


async def test_closing_does_not_wait_for_ever_for_a_peer_that_does_not_read(
    wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one, raw = wire.peer(0), wire.raw()
    one.notify(NOTE, Text(text="x" * 3_000_000))
    async with asyncio.timeout(5):
        await one.aclose(flush_s=0.1)
    assert "gave up sending" in caplog.text
    raw.close()


async def test_closing_cancels_what_is_answered_and_says_so_to_the_asker(wire: Any) -> None:
    begun = asyncio.Event()

    async def wait(params: Any) -> object:
        begun.set()
        return await asyncio.Event().wait()

    one, other = wire.peer(0), wire.peer(1, echo=wait)
    call = asyncio.create_task(one.call(ECHO, Text(text="x"), timeout_s=5))
    await begun.wait()
    await asyncio.gather(other.aclose(), other.aclose())
    with pytest.raises(Cancelled):
        await call
    await other.aclose()
    await one.aclose()


async def test_a_close_that_is_itself_cancelled_still_gives_the_descriptors_back(wire: Any) -> None:
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

    one, raw = wire.peer(0, ignore=ignore), wire.raw()
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


async def test_requests_that_come_while_closing_are_refused_and_not_begun(wire: Any) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def last_words(params: Any) -> object:
        begun.set()
        try:
            return await asyncio.Event().wait()
        finally:
            await release.wait()

    answers = wire.answers(slow=last_words, echo=echo)
    one, raw = wire.peer(0, handler=answers), wire.raw()
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


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "only stops reading"])
async def test_what_was_sent_before_the_wire_broke_is_read_before_the_end_is_told(wire: Any, leaves: bool) -> None:
    received: list[bytes] = []
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    read_fd, write_fd = wire.ends[0]
    pump = Pump(read_fd, write_fd, received.append, ended.set_result)
    pump.start()
    raw = wire.raw()
    last_words = b"x" * 60_000 + b"\n"
    assert os.write(raw.write_fd, last_words) == len(last_words)
    if leaves:
        raw.close()
    else:
        raw.stop_reading()
    pump.write(b"nobody takes this\n", at_once=True)  # meets the broken wire before the reader has run
    assert not ended.done()
    assert (await ended).startswith("write failed") is not leaves
    assert b"".join(received) == last_words
    with pytest.raises(PeerGone):
        await pump.drained()
    pump.close()
    if not leaves:
        raw.close()


async def test_who_has_said_everything_still_gets_its_answers(wire: Any) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def slow(params: Any) -> object:
        begun.set()
        await release.wait()
        return {"text": "x" * 2_000_000}

    one, raw = wire.peer(0, slow=slow, echo=echo), wire.raw()
    await raw.send(id=1, method="slow")
    await raw.write(b'{"jsonrpc":"2.0","id":2,"method":"echo","params":{"text":"no newline"}}')
    raw.stop_writing()
    assert await one.ended == "end of input"
    assert not asyncio.get_running_loop().remove_reader(wire.ends[0][0]), "the ended input is still watched"
    assert (await raw.line())["result"] == {"text": "no newline"}
    release.set()
    assert await one.idle(asyncio.get_running_loop().time() + 5)
    reading = asyncio.create_task(raw.line())
    await one.aclose()
    assert (await reading)["result"] == {"text": "x" * 2_000_000}
    raw.close()


async def test_closing_fails_our_own_calls_and_discards_later_frames(wire: Any) -> None:
    one, raw = wire.peer(0), wire.raw()
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


async def test_an_answer_without_its_line_end_reaches_its_caller_also_when_we_close(wire: Any) -> None:
    asking, raw = wire.peer(0), wire.raw()
    call = asyncio.ensure_future(asking.call(ECHO, Text(text="x"), timeout_s=10))
    request = await raw.line()
    received = asking.received_bytes
    await raw.write(b'{"jsonrpc":"2.0","id":%d,"result":{"text":"y"}}' % request["id"])
    while asking.received_bytes == received:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0)
    await asking.aclose()  # inside this task, which must not be left for the caller's
    assert (await call).text == "y"
    raw.close()
