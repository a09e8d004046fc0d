"""The notifications of one connection, kept in their order, and waited for with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from animus_conformance.wire.messages import Notification

__all__ = ["Notifications"]

_MAX_KEPT: Final = 100_000
"""No check causes a tenth of it; a plugin that never stops telling must not fill the suite's memory."""


class Notifications:
    """Every notification so far, the first 100,000 of them. A number counts them from 0, in the order of their coming.

    `event_s` is how long is waited for one where the caller does not say.
    """

    def __init__(self, event_s: float) -> None:
        self._event_s = event_s
        self._kept: list[Notification] = []
        self._news = asyncio.Event()
        self._is_over = False

    @property
    def count(self) -> int:
        """How many have come: the number of the next one."""
        return len(self._kept)

    def since(self, number: int, until: int | None = None) -> list[Notification]:
        """Those from `number` on, up to but without `until`."""
        return self._kept[number:until]

    def add(self, notification: Notification) -> None:
        """One more."""
        # The first ones are kept and not the last: callers remember places by their number.
        if len(self._kept) < _MAX_KEPT:
            self._kept.append(notification)
            self._news.set()

    def end(self) -> None:
        """No more will come: whoever waits need wait no longer."""
        self._is_over = True
        self._news.set()

    async def next(
        self,
        method: str | frozenset[str],
        where: Callable[[Any], bool] = lambda _: True,
        *,
        after: int = 0,
        within_s: float | None = None,
    ) -> Notification | None:
        """The first of `method` (or one of several) with params that pass `where`, from number `after` on.

        None when none comes in time, or the connection ends before.
        """
        deadline = self._deadline(within_s)
        methods = frozenset({method}) if isinstance(method, str) else method
        number = after
        while True:
            for notification in self._kept[number:]:
                number += 1
                if notification.method in methods and where(notification.params):
                    return notification
            if not await self._something_new(deadline):
                return None

    def _deadline(self, within_s: float | None) -> float:
        return asyncio.get_running_loop().time() + (self._event_s if within_s is None else within_s)

    async def _something_new(self, deadline: float) -> bool:
        """Whether another one came before the deadline; what has come already is the caller's to look at first."""
        self._news.clear()
        if self._is_over:
            return False
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            return False
        return True
