"""Notifications of the host on their way to the plugin, one after the other and in their order.

A host that tells more than the plugin can take has to wait. Below it lies the peer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from animus_protocol.connection import Notification
from animus_protocol.peer import Peer

__all__ = ["NotificationQueue"]

_log = logging.getLogger("animus.plugin")
_MAX_WAITING: Final = 256


class NotificationQueue:
    """Hands each notification to `handle` once the one before it is done; reads nothing more while 256 wait."""

    def __init__(self, handle: Callable[[Peer, Notification], Awaitable[None]]) -> None:
        self._handle = handle
        self._waiting: deque[tuple[Peer, Notification]] = deque()
        self._task: asyncio.Task[None] | None = None

    def take(self, peer: Peer, notification: Notification) -> None:
        """Put one at the end of the queue; returns at once."""
        self._waiting.append((peer, notification))
        if len(self._waiting) >= _MAX_WAITING:
            peer.pause(self)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self, *, timeout_s: float) -> None:
        """Wait until all are handled, at most `timeout_s` seconds; what is left then is logged and dropped."""
        task = self._task
        if task is None:
            return
        await asyncio.wait([task], timeout=timeout_s)
        if not task.done():
            _log.warning("%d notifications of the host were not handled", len(self._waiting) + 1)
            task.cancel()
            await asyncio.wait([task], timeout=timeout_s)
            for peer in {peer for peer, _ in self._waiting}:
                peer.resume(self)  # the host still has to tell us to leave
            self._waiting.clear()

    async def _work(self) -> None:
        try:
            while self._waiting:
                peer, notification = self._waiting.popleft()
                # Only at half: resumed at each one, reading would be switched off and on for every notification.
                if len(self._waiting) == _MAX_WAITING // 2:
                    peer.resume(self)
                await self._handle_one(peer, notification)
        finally:
            self._task = None

    async def _handle_one(self, peer: Peer, notification: Notification) -> None:
        """One notification; whatever its handler raises must not cost the notifications behind it."""
        task = asyncio.current_task()
        try:
            await self._handle(peer, notification)
        except asyncio.CancelledError:
            # Somebody has cancelled this task; without that, the handler raised CancelledError by itself.
            if task is not None and task.cancelling():
                raise
            _log.exception("the notification %s cancelled itself", notification.method)
        except Exception:  # noqa: BLE001 - the boundary: what an author's code raises
            _log.exception("the notification %s failed", notification.method)
