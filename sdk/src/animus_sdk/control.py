"""The way of a plugin to its daemon: calls and streams on the control socket (protocol §5).

Below lies the protocol's peer. Calls share one connection. Every stream has one of its own: whoever reads a stream
slowly holds up the daemon's end of that stream, and neither a call that is made meanwhile nor another stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from animus_protocol.connection import Notification
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import CallTimeout, PeerGone, PeerStuck, ProtocolError, Unavailable
from animus_protocol.models.base import Method, Params, Result, WireModel, encode
from animus_protocol.models.control.daemon import SUBSCRIPTION_CLOSED
from animus_protocol.models.lifecycle import CANCEL_REQUEST, CancelParams
from animus_protocol.peer import Peer

__all__ = ["Control", "NoDaemon", "connect_control"]

_CALL_S: Final = 30.0
# A local socket connects at once, unless the backlog of a daemon that accepts nothing is full.
_DIAL_S: Final = 2.0
_MAX_WAITING: Final = 64


class NoDaemon(Unavailable):
    """No daemon answers at the control socket now. What a daemon that is there refuses is any other RpcError."""


@contextlib.asynccontextmanager
async def connect_control(path: str | Path, *, name: str = "daemon") -> AsyncIterator[Control]:
    """The daemon whose control socket is at `path`; `name` is what errors call it. It need not run yet."""
    control = Control(path, name=name)
    try:
        yield control
    finally:
        await control.aclose()


class Control:
    """A daemon, asked over its control socket: connects when it is first asked, and anew after the daemon's restart.

    Every method raises NoDaemon, which names the socket, when there is no daemon, when it leaves before it has
    answered, or when it does not answer in `timeout_s` seconds; what the daemon refuses is raised as RpcError.
    """

    def __init__(self, path: str | Path, *, name: str = "daemon") -> None:
        self._path = str(path)
        self._name = name
        self._peer: Peer | None = None
        # Calls that begin together would else make a connection each.
        self._turn = asyncio.Lock()

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float = _CALL_S) -> Result:
        """Ask and wait for the typed result. Raises BadReply when the daemon's answer does not fit."""
        peer = await self._connected()
        with self._loss_as_no_daemon():
            return await peer.call(method, params, timeout_s=timeout_s)

    async def request(
        self, method: str, params: WireModel | Mapping[str, Any] | None = None, *, timeout_s: float = _CALL_S
    ) -> Any:
        """`call` by the method's name: JSON in, JSON out, nothing added and nothing left out."""
        peer = await self._connected()
        with self._loss_as_no_daemon():
            return await peer.call_raw(method, encode(params or {}), timeout_s=timeout_s)

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, params: WireModel | Mapping[str, Any] | None = None, *, timeout_s: float = _CALL_S
    ) -> AsyncIterator[AsyncIterator[Any]]:
        """Open a stream; the block gets an async iterator of the `data` of its notifications, as JSON.

        64 items and one read (64 KiB) wait at most; then the daemon has to wait. The iterator raises NoDaemon when
        the daemon ends the stream or is gone, after the last item that came. Leaving the block ends the stream.
        """
        items = _Items(method)
        peer = await self._dial(items, items.end)
        try:
            with self._loss_as_no_daemon():
                await peer.call_raw(method, encode(params or {}), timeout_s=timeout_s, sent=items.opened_by)
            try:
                yield items
            finally:
                with contextlib.suppress(ProtocolError):  # a daemon that reads nothing learns it from the closing
                    peer.notify(CANCEL_REQUEST, CancelParams(id=items.number))
        finally:
            await peer.aclose()

    async def aclose(self) -> None:
        """Close the connection of the calls. Streams end with their blocks."""
        async with self._turn:
            if self._peer is not None:
                await self._peer.aclose()
                self._peer = None

    async def _connected(self) -> Peer:
        async with self._turn:
            if self._peer is not None and self._peer.ended.done():
                await self._peer.aclose()
                self._peer = None
            if self._peer is None:
                self._peer = await self._dial(Dispatcher())
            return self._peer

    async def _dial(self, handler: Dispatcher, on_end: Callable[[str], None] | None = None) -> Peer:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_DIAL_S):
                await asyncio.get_running_loop().sock_connect(sock, self._path)
        except OSError as error:  # a TimeoutError is one, too
            reason = error.strerror or str(error) or f"nobody answers within {_DIAL_S:g} s"
            raise NoDaemon(f"no {self._name} at {self._path}: {reason}") from error
        else:
            fd = sock.detach()
            return Peer(fd, fd, handler, name=self._name, on_end=on_end)
        finally:
            # After `detach` there is nothing left that this could close.
            sock.close()

    @contextlib.contextmanager
    def _loss_as_no_daemon(self) -> Iterator[None]:
        try:
            yield
        except (PeerGone, PeerStuck, CallTimeout) as error:
            raise NoDaemon(f"{self._path}: {error}") from error


class _Items(Dispatcher):
    """The handler of a stream's connection, and the iterator over its items."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.number = 0
        self._method = method
        self._waiting: deque[Any] = deque()
        self._news = asyncio.Event()
        self._paused: Peer | None = None
        self._ended: str | None = None

    def opened_by(self, number: int) -> None:
        """The id of the request that opens the stream: its notifications carry it."""
        self.number = number

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Keep an item, or note the end."""
        params = notification.params
        if not isinstance(params, dict) or params.get("id") != self.number:
            return
        if notification.method == SUBSCRIPTION_CLOSED.name:
            self.end(f"closed by the {peer.name}: {params.get('reason') or 'no reason given'}")
        elif "data" in params and self._ended is None:
            self._waiting.append(params["data"])
            self._news.set()
            if len(self._waiting) >= _MAX_WAITING:
                self._paused = peer
                peer.pause(self)

    def end(self, reason: str) -> None:
        """Nothing more comes; the first reason counts."""
        self._ended = self._ended or reason
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._waiting:
            if self._ended is not None:
                raise NoDaemon(f"the stream {self._method} has ended: {self._ended}")
            self._news.clear()
            await self._news.wait()
        item = self._waiting.popleft()
        # Only at half: resumed at each item, reading would be switched off and on for every single one.
        if self._paused is not None and len(self._waiting) <= _MAX_WAITING // 2:
            self._paused.resume(self)
            self._paused = None
        return item
