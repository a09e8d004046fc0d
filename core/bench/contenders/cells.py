"""A contender's side of the line protocol: one JSON line asks for a cell, one JSON line answers with its sample.

Used by every `*_host.py`, and by `drivers.py`, the other side, for its types. Waiting for the next order blocks on
purpose: between two cells nothing of this process runs, and inside a cell nothing of the protocol does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import Any, Final, NamedTuple

from contenders.payload import CONCURRENT

__all__ = ["Order", "Sample", "Wrong", "orders", "repeat", "repeat_async", "repeat_concurrently", "report", "same"]

_BATCH: Final = 10


class Order(NamedTuple):
    """Run `cell` for about `seconds`; `amount` is how many notifications, or how many bytes, where that matters."""

    cell: str
    seconds: float
    amount: int = 0


class Sample(NamedTuple):
    """So often it was done in so many seconds."""

    done: int
    seconds: float


class Wrong(Exception):
    """A contender did not answer what it was asked."""


def orders(cells: tuple[str, ...]) -> Iterator[Order]:
    """Say which cells there are, then give each order until the other side closes."""
    _say({"cells": cells})
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        yield Order(asked["cell"], asked["seconds"], asked["amount"])


def report(sample: Sample) -> None:
    """Answer the order that was given last."""
    _say({"done": sample.done, "seconds": sample.seconds})


def same(expected: object, answer: object) -> None:
    """Raises Wrong unless a contender echoes what it was sent."""
    if answer != expected:
        raise Wrong(f"{answer!r:.300} instead of {expected!r:.300}")


def repeat(once: Callable[[], object], seconds: float) -> Sample:
    """Call `once` again and again, one after the other."""
    count, began = 0, perf_counter()
    end = began + seconds
    while (now := perf_counter()) < end:
        for _ in range(_BATCH):
            once()
        count += _BATCH
    return Sample(count, now - began)


async def repeat_async(once: Callable[[], Awaitable[object]], seconds: float) -> Sample:
    """`repeat` for a coroutine function."""
    count, began = 0, perf_counter()
    end = began + seconds
    while (now := perf_counter()) < end:
        for _ in range(_BATCH):
            await once()
        count += _BATCH
    return Sample(count, now - began)


async def repeat_concurrently(once: Callable[[], Awaitable[object]], seconds: float) -> Sample:
    """64 callers at once, each asking again as soon as it was answered."""
    count, began = 0, perf_counter()
    end = began + seconds

    async def caller() -> None:
        nonlocal count
        while perf_counter() < end:
            await once()
            count += 1

    await asyncio.gather(*(caller() for _ in range(CONCURRENT)))
    return Sample(count, perf_counter() - began)


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
