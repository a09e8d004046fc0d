"""Ends the suite's work on SIGINT, SIGTERM and SIGHUP, once, so that it can kill its processes and remove its folders.

Below it lies asyncio.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

__all__ = ["unless_interrupted"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNAL_EXIT: Final = 128


async def unless_interrupted(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of `work`, or what a shell says of a signal (130 for SIGINT). Later signals do not hurry it."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    received: list[int] = []

    def interrupt(number: int) -> None:
        received.append(number)
        if len(received) == 1:  # a second cancellation would break into the tidying up that the first one began
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return _SIGNAL_EXIT + received[0]
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
