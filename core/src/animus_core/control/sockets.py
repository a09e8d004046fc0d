"""Unix sockets of a scope: bound with mode 0600, connected to, and handed to peers as descriptors.

Below lie the kernel and the protocol's peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from animus_core.errors import RetryLater
from animus_core.store.paths import check_socket_path
from animus_protocol.peer import Peer, PeerHandler

__all__ = ["Listener", "connect", "connect_while", "listen"]

_log = logging.getLogger("animus.control")
_BACKLOG: Final = 128  # all runners of a project dial again at once when its daemon comes back
_PAUSE_S: Final = 1.0  # time for somebody to close a descriptor; meanwhile clients wait in the backlog
_LAST_ANSWERS_S: Final = 15.0  # as long as a call to a plugin may take: its answer is still wanted
_CLOSE_S: Final = 2.0  # the peers are closed already; their tasks only have to notice
_POLL_S: Final = 0.02  # shorter than anybody notices


class Listener:
    """A bound socket that makes a peer of every connection; owns the peers."""

    def __init__(self, path: Path, sock: socket.socket, handler: PeerHandler, name: str) -> None:
        self._path = path
        self._sock = sock
        self._handler = handler
        self._name = name
        self._peers: set[Peer] = set()
        self._on_left: list[Callable[[Peer], None]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._listen()

    def on_left(self, call: Callable[[Peer], None]) -> None:
        """`call` is called with every peer whose connection has ended."""
        self._on_left.append(call)

    async def close(self) -> None:
        """Stop listening, remove the socket's file, close every connection."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        with contextlib.suppress(FileNotFoundError):
            # Before the connections: nobody new comes while the last answers are given.
            self._path.unlink()
        self._sock.close()
        await asyncio.gather(*(peer.aclose() for peer in list(self._peers)))
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_S)

    def _listen(self) -> None:
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptors left: asking again at once would only burn the CPU
            _log.error("%s: cannot accept: %s", self._path, error.strerror)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._sock.fileno())
            loop.call_later(_PAUSE_S, self._listen)
            return
        fd = connection.detach()
        peer = Peer(fd, fd, self._handler, name=self._name)
        self._peers.add(peer)
        peer.ended.add_done_callback(lambda _: self._left(peer))

    def _left(self, peer: Peer) -> None:
        self._peers.discard(peer)
        for call in self._on_left:
            call(peer)
        task = asyncio.ensure_future(_close(peer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _close(peer: Peer) -> None:
    """A peer that has finished sending may still wait for answers: give them, within a bound, then close."""
    await peer.idle(asyncio.get_running_loop().time() + _LAST_ANSWERS_S)
    await peer.aclose()


def listen(path: Path, handler: PeerHandler, name: str) -> Listener:
    """Bind `path` with mode 0600. What is at that path is removed: the caller holds the lock that allows it.

    Raises InvalidInput when the path is too long for a socket, RetryLater when it cannot be bound.
    """
    check_socket_path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    with contextlib.suppress(FileNotFoundError):
        # A killed process leaves its file, and bind refuses a path that exists.
        path.unlink()
    # By the umask and not by chmod afterwards: in between anybody could connect.
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise RetryLater(f"{path}: the socket cannot be bound: {error.strerror}") from error
    finally:
        os.umask(before)
    return Listener(path, sock, handler, name)


async def connect(path: Path, handler: PeerHandler, *, name: str, timeout_s: float = 2.0) -> Peer:
    """Connect to `path`. Raises RetryLater when nobody listens there."""
    check_socket_path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, str(path))
    except (OSError, TimeoutError) as error:
        sock.close()
        raise RetryLater(f"{path}: nobody answers there") from error
    fd = sock.detach()
    return Peer(fd, fd, handler, name=name)


async def connect_while(
    path: Path, handler: PeerHandler, is_expected: Callable[[], Awaitable[bool]], *, name: str, timeout_s: float
) -> Peer | None:
    """Connect to `path` as soon as somebody listens there; None if nobody is expected to, or not within `timeout_s`.

    `is_expected` is asked after each attempt that found nobody; what it raises is raised.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            return await connect(path, handler, name=name)
        except RetryLater:
            if not await is_expected() or asyncio.get_running_loop().time() > deadline:
                return None
        await asyncio.sleep(_POLL_S)  # no event says that somebody listens there, or that a lock is free
