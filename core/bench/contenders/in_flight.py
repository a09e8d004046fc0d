"""Keeps 64 futures in flight from one thread, for the contenders whose API is threads and futures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, Protocol

from contenders.cells import Sample
from contenders.payload import CONCURRENT

__all__ = ["Waits", "repeat_in_flight"]

_TIMEOUT_S: Final = 30.0


class Waits(Protocol):
    """A future of any library."""

    def result(self, timeout: float) -> Any:
        """The answer, waited for at most `timeout` seconds."""
        ...


def repeat_in_flight(ask: Callable[[], Waits], seconds: float) -> Sample:
    """Wait for the oldest of 64 calls and ask again, until the time is over."""
    count, began = 0, perf_counter()
    end = began + seconds
    waiting = deque(ask() for _ in range(CONCURRENT))
    while waiting:
        waiting.popleft().result(_TIMEOUT_S)
        count += 1
        if perf_counter() < end:
            waiting.append(ask())
    return Sample(count, perf_counter() - began)
