"""A plugin's notifications for any number of listeners, none of which can hold up the plugin or each other.

Each subscriber has a bounded queue. By default one that is slow loses its own oldest and learns how many; one that
subscribes `lossless` loses nothing, and the plugin has to wait for it.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from animus_protocol.connection import Notification

__all__ = ["Broadcast", "Lagged", "Subscription", "broadcast_capacity"]

_DEFAULT_CAPACITY: Final = 256  # the default of published hosts
_MAX_CAPACITY: Final = 65_536  # the hint is the plugin's own word, and every subscriber's queue may grow so long
_CAPACITY_VARIABLE: Final = "ANIMUS_PLUGIN_BROADCAST_CAPACITY"


class Lagged(NamedTuple):
    """A subscriber was too slow: it has lost `missed` notifications before the next one."""

    missed: int


def broadcast_capacity(hint: int | None) -> int:
    """How many notifications a subscriber may be behind: the operator's variable, else the manifest's hint, else 256.

    Never more than 65,536. A variable that is not a positive number counts as unset.
    """
    text = os.environ.get(_CAPACITY_VARIABLE, "")
    wanted = int(text) if text.isdecimal() and int(text) > 0 else hint
    return min(_MAX_CAPACITY, wanted or _DEFAULT_CAPACITY)


class Subscription:
    """One listener's queue: `async for item in subscription` gives notifications and `Lagged`, until the end.

    Made by `Broadcast.subscribe`; use it as a context manager, so that it is taken out again.
    """

    def __init__(
        self, capacity: int, leave: Callable[[Subscription], None], flow: Callable[[bool], None] | None
    ) -> None:
        self._items: deque[Notification] = deque()
        self._capacity = capacity
        self._missed = 0
        self._leave = leave
        self._flow = flow
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Notification | Lagged:
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        # Before the next item: the loss is reported where it happened.
        if self._missed:
            missed, self._missed = self._missed, 0
            return Lagged(missed)
        item = self._items.popleft()
        # At half and not at one below full: else the plugin would be stopped and let go for each single item.
        if self._paused and len(self._items) <= self._capacity // 2:
            self._pause(False)
        return item

    def close(self) -> None:
        """Take nothing more. Safe to call again."""
        self._leave(self)
        self.end()

    def put(self, notification: Notification) -> None:
        """Queue one notification; for the broadcast, and never waits."""
        if self._flow is None and len(self._items) >= self._capacity:
            # The oldest goes: whoever is behind wants to know how things are now.
            self._items.popleft()
            self._missed += 1
        self._items.append(notification)
        if self._flow is not None and not self._paused and len(self._items) >= self._capacity:
            self._pause(True)
        self._wake()

    def end(self) -> None:
        """Nothing more can come; what is queued is still given. For the broadcast."""
        self._ended = True
        # A listener that ends must not leave the plugin's output stopped for the others.
        if self._paused:
            self._pause(False)
        self._wake()

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        if self._flow is not None:
            self._flow(paused)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Broadcast:
    """Gives every notification to every subscriber. `flow(who, paused)` stops the plugin's output and lets it go on."""

    def __init__(self, capacity: int, flow: Callable[[object, bool], None]) -> None:
        self._capacity = capacity
        self._flow = flow
        self._subscriptions: dict[Subscription, None] = {}
        self._ended = False

    def subscribe(self, *, capacity: int | None = None, lossless: bool = False) -> Subscription:
        """A new listener, from now on. `capacity` counts notifications.

        A `lossless` one that falls behind keeps the plugin's output from being read, replies included: whoever takes
        its items must not wait for a call to the same plugin before it has taken them.
        """

        def flow(paused: bool) -> None:
            self._flow(subscription, paused)

        subscription = Subscription(capacity or self._capacity, self._left, flow if lossless else None)
        self._subscriptions[subscription] = None
        if self._ended:
            subscription.end()
        return subscription

    def publish(self, notification: Notification) -> None:
        """Give it to everybody who listens now."""
        for subscription in self._subscriptions:
            subscription.put(notification)

    def end(self) -> None:
        """The plugin is gone: every listener gets what is queued for it and then the end."""
        self._ended = True
        # A copy: the end may make a listener leave, which changes the dict.
        for subscription in list(self._subscriptions):
            subscription.end()

    def _left(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription, None)
