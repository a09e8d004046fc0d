"""How whoever has an event loop reaches a running daemon: typed calls, and streams while they go on.

What only asks one thing does so through `ask.py`. Below lie the sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from animus_core.control.errors import from_protocol, to_rpc
from animus_core.control.presence import CALL_S, COMING_S, TURN_S, daemon_is_running, silent_holder
from animus_core.control.sockets import connect_while
from animus_core.errors import no_daemon
from animus_core.store.locks import HeldLock, acquire
from animus_core.store.paths import Scope
from animus_protocol.connection import Notification
from animus_protocol.dispatcher import Dispatcher
from animus_protocol.errors import ProtocolError
from animus_protocol.models.base import Method, Params, Result
from animus_protocol.peer import Peer

__all__ = ["Control", "connect_control", "own_or_connect"]


class Control(Protocol):
    """Somebody who answers control methods."""

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float = CALL_S) -> Result:
        """Ask. Raises AnimusError."""
        ...

    async def ended(self) -> str:
        """Wait until the other side is gone; why."""
        ...


class _Remote:
    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float = CALL_S) -> Result:
        try:
            return await self.peer.call(method, params, timeout_s=timeout_s)
        except ProtocolError as error:
            raise from_protocol(error) from error

    async def ended(self) -> str:
        return await asyncio.shield(self.peer.ended)


@contextlib.asynccontextmanager
async def connect_control(
    scope: Scope, on_notification: Callable[[Notification], None] | None = None
) -> AsyncIterator[Control]:
    """The running daemon. Raises RetryLater when there is none, Conflict when it does not open its socket in 10 s."""

    async def is_running() -> bool:
        if not daemon_is_running(scope):
            raise no_daemon()
        return True

    handler = _NotificationHandler(on_notification)
    peer = await connect_while(scope.control_socket, handler, is_running, name="daemon", timeout_s=COMING_S)
    if peer is None:
        raise silent_holder(scope)
    try:
        yield _Remote(peer)
    finally:
        await peer.aclose()


async def own_or_connect(scope: Scope) -> HeldLock | Peer | None:
    """The scope's lock, or a connection to the daemon that holds it; None when its holder does neither in 30 s.

    A command that works without a daemon holds the lock for a moment, a daemon answers at its socket.
    """
    taken: list[HeldLock] = []

    async def is_owned() -> bool:
        # Only the lock says whether a daemon lives; the socket's file may be left from a daemon that was killed.
        held = acquire(scope.daemon_lock)
        if held is not None:
            taken.append(held)
        return held is None

    handler = _NotificationHandler(None)
    peer = await connect_while(scope.control_socket, handler, is_owned, name="daemon", timeout_s=TURN_S)
    return taken[0] if taken else peer


class _NotificationHandler(Dispatcher):
    """A client answers nothing; the notifications of its streams go to `on_notification`."""

    def __init__(self, on_notification: Callable[[Notification], None] | None) -> None:
        super().__init__(to_rpc)
        self._on_notification = on_notification

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Give it on, if somebody wants it."""
        if self._on_notification is not None:
            self._on_notification(notification)
