"""HTTP answers in every framing, addresses in every spelling, and who listens on a port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

import pytest

from animus_conformance.wire.http import Address, HttpTrouble, Request, Response, fetch, read_address
from animus_conformance.wire.listeners import listening_hosts

WITHIN_S: Final = 5.0


@contextlib.asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[Address]:
    """Whatever is asked, says `answer` and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield Address(*listening.sockets[0].getsockname())


async def fetched(answer: bytes, within_s: float = WITHIN_S) -> Response:
    async with server(answer) as address:
        return await fetch(address, Request("/"), within_s)


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        b"\r\nhello",
    ],
)
async def test_a_body_is_read_in_every_framing(rest: bytes) -> None:
    assert (await fetched(b"HTTP/1.1 200 OK\r\n" + rest)).body == b"hello"


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 99999999999\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\nhello"]
)
async def test_an_answer_that_announces_too_much_is_not_waited_for(rest: bytes) -> None:
    with pytest.raises(HttpTrouble, match=r"announces [0-9,]+ bytes"):
        await fetched(b"HTTP/1.1 200 OK\r\n" + rest)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlong\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_trouble(answer: bytes) -> None:
    with pytest.raises(HttpTrouble):
        await fetched(answer)


async def test_nobody_there_is_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = Address(*sock.getsockname())
    with pytest.raises(HttpTrouble, match="got no answer"):
        await fetch(address, Request("/"), WITHIN_S)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a": ["\\u00e9", 7]}', "é\n7"),
        ("<p>Größe &amp; Dauer".encode(), "<p>Größe & Dauer"),
    ],
)
def test_the_text_of_an_answer_is_what_people_read(body: bytes, text: str) -> None:
    assert Response(200, {}, body).text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("[::1]:80", Address("::1", 80)),
        ("http://localhost:8080/ui/", Address("localhost", 8080, "/ui/")),
        ("http://localhost", Address("localhost", 80)),
        ("the loopback", None),
        ("127.0.0.1", None),
        ("", None),
    ],
)
def test_an_address_is_read_in_every_spelling(text: str, expected: Address | None) -> None:
    assert read_address(text) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - for a moment, and nobody answers
def test_the_system_tells_who_listens(host: str) -> None:
    with socket.create_server((host, 0)) as sock:
        port = sock.getsockname()[1]
        assert listening_hosts(port) in ({host}, None)
    assert not listening_hosts(port)
