"""The host's side of a harness: the plugin's notifications are kept until the test takes them.

The peer hands them over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from animus_protocol.connection import Notification, Request
from animus_protocol.errors import MethodNotFound
from animus_protocol.peer import Peer

__all__ = ["Notifications"]

_MAX_KEPT: Final = 10_000


class Notifications:
    """Keeps the newest 10,000 notifications that nobody has taken; a plugin's requests are not known here."""

    def __init__(self) -> None:
        self._kept: deque[Notification] = deque()
        self._dropped = 0
        self._came = asyncio.Event()

    def request(self, peer: Peer, request: Request) -> object:
        """Refuse it, like every host today (protocol §1). Raises MethodNotFound."""
        raise MethodNotFound(request.method)

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Keep the notification until a test takes it."""
        self._kept.append(notification)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popleft()
            self._dropped += 1
        self._came.set()

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """The plugin asks nothing, so it cancels nothing."""

    def take_all(self, method: str) -> list[Any]:
        """The params of all that came under `method`, and out with them."""
        self._check_whole()
        taken = [kept.params for kept in self._kept if kept.method == method]
        self._kept = deque(kept for kept in self._kept if kept.method != method)
        return taken

    async def take(self, method: str, *, timeout_s: float) -> Any:
        """The params of the first one of `method`, waiting for it. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._check_whole()
                for place, kept in enumerate(self._kept):
                    if kept.method == method:
                        del self._kept[place]
                        return kept.params
                self._came.clear()
                await self._came.wait()

    def _check_whole(self) -> None:
        # A test that waits for one of these would only run into its deadline, and not learn why.
        if self._dropped:
            raise OverflowError(f"{self._dropped} notifications were dropped: take them while they come")
