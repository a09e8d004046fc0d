"""Clients that take nothing of an answer, or never finish what they began, with the server's patience shortened."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from animus_sdk.http import server
from animus_sdk.http.server import HttpServer, ServerTimings

BIG_BYTES = 20_000_000
BIG = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def big(_: Request) -> Response:
    return Response(b"x" * BIG_BYTES)


async def small(_: Request) -> Response:
    return Response(b"small")


class Stream:
    """Begins a big answer, and knows when the server has let go of the connection."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * BIG_BYTES, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.lost.set()


@asynccontextmanager
async def serving(timings: ServerTimings, stream: Stream | None = None) -> AsyncIterator[HttpServer]:
    listening = HttpServer("127.0.0.1", 0, timings)
    routes = [Route("/big", big), Route("/small", small), Route("/stream", stream or Stream())]
    listening.serve(Starlette(routes=routes))
    try:
        yield listening
    finally:
        await listening.close()


@contextmanager
def connected(listening: HttpServer) -> Iterator[socket.socket]:
    host, _, port = listening.address.rpartition(":")
    with socket.create_connection((host, int(port))) as client:
        client.setblocking(False)
        yield client


async def send(client: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(client, data)


async def receive(client: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(client, 65536)


async def drip(client: socket.socket) -> None:
    """Send one byte after the other, for ever."""
    while True:
        await send(client, b"x")
        await asyncio.sleep(0)


async def test_a_client_that_takes_nothing_of_an_answer_is_dropped() -> None:
    stream = Stream()
    async with serving(ServerTimings(taken_s=0.05), stream) as listening:
        with connected(listening) as client:
            await send(client, STREAM)
            await stream.lost.wait()


async def test_a_client_is_kept_as_long_as_it_takes_something() -> None:
    dropped = asyncio.Event()
    left_bytes = [70, 60, 60, 59, 59, 1, 1, 1, 0]  # asked twice where it goes on
    connection: Any = object.__new__(server._TimedProtocol)
    connection.config = SimpleNamespace(timings=ServerTimings(taken_s=0.0))
    connection.loop = asyncio.get_running_loop()
    connection.transport = SimpleNamespace(get_write_buffer_size=lambda: left_bytes.pop(0), abort=dropped.set)
    connection._expect_less()
    await dropped.wait()
    assert left_bytes == [0]


async def test_the_rest_of_a_body_that_nobody_waits_for_cannot_drip_for_ever() -> None:
    async with serving(ServerTimings(headers_s=0.05)) as listening:
        with connected(listening) as client:
            await send(client, b"GET /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
            answer = b""
            while not answer.endswith(b"small"):
                answer += await receive(client)
            with pytest.raises(ConnectionError):
                await drip(client)


async def test_a_client_that_takes_nothing_does_not_outlive_the_server() -> None:
    async with serving(ServerTimings(drain_s=0)) as listening:
        with connected(listening) as client:
            await send(client, BIG)
            received = len(await receive(client))
            await listening.close()
            with suppress(ConnectionError):  # the end may come as a reset
                while piece := await receive(client):
                    received += len(piece)
            assert 0 < received < BIG_BYTES
