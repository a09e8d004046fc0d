"""What a plugin leaves running when it should have ended: tasks, and threads of its plain functions.

Used by `harness.py`, which looks before the plugin begins and after it ended.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Final

__all__ = ["LeftBehind", "Leftovers"]

_GRACE_S: Final = 1.0


class LeftBehind(AssertionError):
    """The plugin has ended and something of it goes on: end it in `stop`, or await it."""


class Leftovers:
    """Compares what runs with what ran when this object was made."""

    def __init__(self) -> None:
        self._tasks = asyncio.all_tasks()
        self._threads = set(threading.enumerate())

    async def check(self) -> None:
        """Wait a second for what is about to end. Raises LeftBehind; the tasks among it are cancelled."""
        deadline = time.monotonic() + _GRACE_S
        tasks = asyncio.all_tasks() - self._tasks - {asyncio.current_task()}
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=_GRACE_S)
        for thread in self._handlers():
            await asyncio.to_thread(thread.join, max(0.0, deadline - time.monotonic()))
        left = [*map(repr, tasks), *map(repr, self._handlers())]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_S)
        if left:
            raise LeftBehind(f"the plugin leaves {len(left)} running:\n" + "\n".join(left))

    def _handlers(self) -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one not in self._threads and one.name.startswith("handler")]
