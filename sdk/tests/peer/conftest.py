"""A wire of pipes or of a socket pair, and what may stand at its ends: a peer with a handler, or raw lines."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from animus_protocol.connection import Notification, Request
from animus_protocol.peer import Peer


class Answers:
    """A handler whose methods are functions in a table; it remembers what it was told."""

    def __init__(self, **methods: Callable[[Any], Awaitable[object]]) -> None:
        self.methods = methods
        self.log: list[Any] = []
        self.received = asyncio.Event()

    async def request(self, peer: Peer, request: Request) -> object:
        self.log.append(request.method)
        return await self.methods[request.method](request.params)

    def notification(self, peer: Peer, notification: Notification) -> None:
        self.log.append(notification.params.get("text", notification.method))
        self.received.set()

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        self.log.append(("cancelled", request_id))
        self.received.set()


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
        """Say that this was all; the other direction stays."""
        if self.read_fd == self.write_fd:
            self._shut(socket.SHUT_WR)
        else:
            os.close(self.write_fd)
            self.write_fd = -1

    def stop_reading(self) -> None:
        """Take nothing more; the other direction stays."""
        if self.read_fd == self.write_fd:
            self._shut(socket.SHUT_RD)
        else:
            os.close(self.read_fd)
            self.read_fd = -1

    def _shut(self, direction: int) -> None:
        with socket.socket(fileno=os.dup(self.write_fd)) as copy:
            copy.shutdown(direction)

    def close(self) -> None:
        for fd in {self.read_fd, self.write_fd} - {-1}:
            os.close(fd)


class Wire:
    """Two ends, 0 and 1; who takes one closes it."""

    def __init__(self, kind: str) -> None:
        if kind == "sockets":
            one, other = (end.detach() for end in socket.socketpair())
            self.ends = ((one, one), (other, other))
        else:
            (read_a, write_b), (read_b, write_a) = os.pipe(), os.pipe()
            self.ends = ((read_a, write_a), (read_b, write_b))

    def answers(self, **methods: Callable[[Any], Awaitable[object]]) -> Answers:
        return Answers(**methods)

    def peer(self, side: int, *, handler: Any = None, **options: Any) -> Peer:
        """A peer at one end, called "other"; its handler answers with the functions among `options`."""
        methods = {name: options.pop(name) for name in set(options) - {"on_end", "max_frame_bytes"}}
        return Peer(*self.ends[side], handler or Answers(**methods), name="other", **options)

    def raw(self) -> RawEnd:
        """Raw lines at end 1."""
        return RawEnd(self.ends[1])


@pytest.fixture(params=["pipes", "sockets"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)
