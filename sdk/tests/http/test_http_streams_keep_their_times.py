"""The times of an event stream, shortened: heartbeats while nothing happens, and clients that take nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from animus_sdk.http.event_stream import EventStream, StreamTimings
from animus_sdk.http.routes import FEEDS
from animus_sdk.http.server import HttpServer, ServerTimings

DEADLINE_S = 20.0
EVENTS = next(feed for feed in FEEDS if feed.path.endswith("/events"))


class Silence:
    """Stands for the control client: streams on which `items` come and then nothing more."""

    def __init__(self, *items: Any) -> None:
        self._items = list(items)
        self.open = 0

    @contextlib.asynccontextmanager
    async def stream(self, method: str, params: Any) -> AsyncIterator[AsyncIterator[Any]]:
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return self._items.pop(0) if self._items else await asyncio.Event().wait()


async def answer(stream: EventStream, send: Callable[[Any], Awaitable[None]]) -> None:
    """What the server does for one request whose client stays."""

    async def receive() -> Any:
        return await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": EVENTS.path, "query_string": b"", "headers": []}
    async with asyncio.timeout(DEADLINE_S):
        await stream(scope, receive, send)


async def test_comments_come_while_nothing_happens_until_the_server_closes() -> None:
    control = Silence()
    sent: list[Any] = []

    closing = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 6:
            closing.set()

    await answer(EventStream(EVENTS, control, closing, StreamTimings(heartbeat_s=0.01)), send)
    assert sent[0]["type"] == "http.response.start"
    assert {message["body"] for message in sent[1:-1]} == {b":\n\n"}
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert control.open == 0


async def test_a_client_that_takes_nothing_is_dropped() -> None:
    control = Silence({"id": "1"})
    tried: list[bytes] = []

    async def send(message: Any) -> None:
        tried.append(message.get("body", b""))
        if b"data" in tried[-1]:
            await asyncio.Event().wait()

    await answer(EventStream(EVENTS, control, asyncio.Event(), StreamTimings(send_s=0.01, last_s=0.01)), send)
    assert tried == [b"", b":\n\n", b'id: 1\ndata: {"id":"1"}\n\n', b""]
    assert control.open == 0


async def test_a_stream_that_is_asked_for_while_the_server_closes_is_refused() -> None:
    async def follow() -> None:
        closing = asyncio.Event()
        closing.set()
        await answer(EventStream(EVENTS, Silence(), closing), lambda _: asyncio.Event().wait())

    with pytest.raises(HTTPException, match="503"):
        await follow()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost:"])
async def test_a_connection_whose_header_does_not_come_is_closed(said: bytes) -> None:
    listening = HttpServer("127.0.0.1", 0, ServerTimings(headers_s=0.02))
    listening.serve(Starlette())
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(*listening.address.split(":"))
        writer.write(said)
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
        await listening.close()
    assert rest == b""
