"""Plain HTTP/1.1 towards a transport's address: one request a connection, whole answers and streams.

Below it lie asyncio's streams. Redirects are the caller's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Address", "HttpTrouble", "Request", "Response", "fetch", "read_address", "streaming"]

_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one answer, or of one line in it: whatever a plugin sends, the suite keeps no more."""
_READ_BYTES: Final = 64 * 1024
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^:/\[\]\s]+)):(?P<port>[0-9]{1,5})")
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to connect, not where to listen


class HttpTrouble(Exception):
    """No HTTP answer came, or no whole one: what happened instead. The check that asked makes a verdict of it."""


class Address(NamedTuple):
    """Where a transport listens. `path` is where a URL points, else `/`."""

    host: str
    port: int
    path: str = "/"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine."""
        return self.host in _WILDCARDS

    async def connect(self, within_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection. Raises OSError, which a TimeoutError is, too."""
        host = _WILDCARDS.get(self.host, self.host)
        async with asyncio.timeout(within_s):
            return await asyncio.open_connection(host, self.port, limit=_MAX_BYTES)

    async def is_reachable(self, within_s: float) -> bool:
        """Whether a TCP connection succeeds."""
        try:
            _, writer = await self.connect(within_s)
        except OSError:
            return False
        writer.close()
        return True


class Request(NamedTuple):
    """What to ask for."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = {}
    body: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Response(NamedTuple):
    """An answer; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.status} {self.media_type} {self.body[:200]!r}"

    @property
    def media_type(self) -> str:
        """`content-type` without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """What people would read, with the escapes of JSON and HTML undone."""
        text = self.body.decode(errors="replace")
        with contextlib.suppress(ValueError, RecursionError):
            return "\n".join(_texts(json.loads(text)))
        return html.unescape(text)


def read_address(text: str) -> Address | None:
    """`host:port`, `[v6]:port` or a URL with a port; None for anything else."""
    path = "/"
    if "://" in text:
        parts = urlsplit(text)
        has_port = re.search(r":[0-9]+$", parts.netloc)
        text, path = parts.netloc if has_port else f"{parts.netloc}:80", parts.path or "/"
    match = _ADDRESS.fullmatch(text)
    return None if match is None else Address(match["v6"] or match["name"], int(match["port"]), path)


async def fetch(address: Address, request: Request, within_s: float) -> Response:
    """The whole answer. Raises HttpTrouble."""
    body = bytearray()
    async with _within(request, within_s), streaming(address, request, within_s) as (response, pieces):
        async for piece in pieces:
            body += piece
            if len(body) > _MAX_BYTES:
                raise HttpTrouble(f"{request} got more than {_MAX_BYTES:,} bytes")
    return response._replace(body=bytes(body))


@contextlib.asynccontextmanager
async def streaming(
    address: Address, request: Request, within_s: float
) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
    """The head of an answer, which has `within_s` seconds to come, and the pieces of its body. Raises HttpTrouble."""
    async with _within(request, within_s):
        reader, writer = await address.connect(within_s)
        try:
            writer.write(_bytes_of(address, request))
            response = await _read_head(reader)
        except BaseException:
            writer.transport.abort()
            raise
    try:
        yield response, _pieces(reader, response, request)
    finally:
        writer.transport.abort()


def _bytes_of(address: Address, request: Request) -> bytes:
    body = request.body.encode()
    # One request a connection: so an answer without a length ends with it.
    headers = {"Host": str(address), "Connection": "close", "Accept": "*/*", **request.headers}
    if body:
        headers |= {"Content-Length": str(len(body))}
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _read_head(reader: asyncio.StreamReader) -> Response:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] ([1-5]\d\d)(?: .*)?", first)
    if match is None:
        raise HttpTrouble(f"the answer is no HTTP: {first[:100]!r}")
    pairs = (line.partition(":") for line in lines if line)
    return Response(int(match[1]), {name.strip().lower(): value.strip() for name, _, value in pairs})


async def _pieces(reader: asyncio.StreamReader, response: Response, request: Request) -> AsyncIterator[bytes]:
    try:
        if response.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readline()).partition(b";")[0], 16):
                # Each chunk ends in CR LF, which is not part of it.
                yield (await reader.readexactly(_bounded(size) + 2))[:-2]
        elif "content-length" in response.headers:
            yield await reader.readexactly(_bounded(int(response.headers["content-length"])))
        else:
            while piece := await reader.read(_READ_BYTES):
                yield piece
    except (OSError, EOFError, ValueError) as error:
        raise HttpTrouble(f"the answer to {request} ended in the middle: {error}") from error


def _bounded(size_bytes: int) -> int:
    """What is announced is read in one piece, so it must not be too much. Raises HttpTrouble."""
    if size_bytes > _MAX_BYTES:
        raise HttpTrouble(f"the answer announces {size_bytes:,} bytes, and {_MAX_BYTES:,} are read")
    return size_bytes


@contextlib.asynccontextmanager
async def _within(request: Request, within_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError:
        raise HttpTrouble(f"{request} got no whole answer within {within_s:g} s") from None
    except asyncio.IncompleteReadError as error:
        raise HttpTrouble(f"{request} got {error.partial[:100]!r} and then the end of the connection") from error
    except (OSError, asyncio.LimitOverrunError) as error:
        raise HttpTrouble(f"{request} got no answer: {error}") from error


def _texts(value: Any) -> list[str]:
    """Every text and number of a JSON value."""
    if isinstance(value, dict):
        return [text for member in value.values() for text in _texts(member)]
    if isinstance(value, list):
        return [text for member in value for text in _texts(member)]
    return [str(value)]
