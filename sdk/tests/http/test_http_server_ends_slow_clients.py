"""Clients that take nothing of an answer, or never finish what they began, with the server's patience shortened."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from animus_sdk.http import server
from animus_sdk.http.server import HttpServer

BIG = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def big(_: Request) -> Response:
    return Response(b"x" * 20_000_000)


async def small(_: Request) -> Response:
    return Response(b"small")


@asynccontextmanager
async def serving() -> AsyncIterator[HttpServer]:
    listening = HttpServer("127.0.0.1", 0)
    listening.serve(Starlette(routes=[Route("/big", big), Route("/small", small)]))
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


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the server has let go of a connection."""
    event = asyncio.Event()

    class Told(server._TimedProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            event.set()

    monkeypatch.setattr(server, "_TimedProtocol", Told)
    return event


async def test_a_client_that_takes_nothing_of_an_answer_is_dropped(
    monkeypatch: pytest.MonkeyPatch, lost: asyncio.Event
) -> None:
    monkeypatch.setattr(server, "_TAKEN_S", 0.05)
    async with serving() as listening:
        with connected(listening) as client:
            await send(client, BIG)
            await lost.wait()


async def test_a_client_is_kept_as_long_as_it_takes_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_TAKEN_S", 0.0)
    dropped = asyncio.Event()
    left_bytes = [70, 60, 60, 59, 59, 1, 1, 1, 0]  # asked twice where it goes on
    connection: Any = object.__new__(server._TimedProtocol)
    connection.loop = asyncio.get_running_loop()
    connection.transport = SimpleNamespace(get_write_buffer_size=lambda: left_bytes.pop(0), abort=dropped.set)
    connection._expect_less()
    await dropped.wait()
    assert left_bytes == [0]


async def test_the_rest_of_a_body_that_nobody_waits_for_cannot_drip_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HEADERS_S", 0.05)
    async with serving() as listening:
        with connected(listening) as client:
            await send(client, b"GET /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
            answer = b""
            while not answer.endswith(b"small"):
                answer += await receive(client)
            with pytest.raises(ConnectionError):
                await drip(client)


async def test_a_client_that_takes_nothing_does_not_outlive_the_server(
    monkeypatch: pytest.MonkeyPatch, lost: asyncio.Event
) -> None:
    monkeypatch.setattr(server, "_DRAIN_S", 0)
    async with serving() as listening:
        with connected(listening) as client:
            await send(client, BIG)
            assert await receive(client)
            assert not lost.is_set()
            await listening.close()
            await lost.wait()
