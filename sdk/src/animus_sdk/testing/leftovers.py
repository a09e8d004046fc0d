"""What a plugin leaves running when it should have ended: tasks, and threads of its plain functions.

They are compared before the plugin begins and after it ended.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["LeftBehind", "Leftovers"]

_GRACE_S: Final = 1.0
_alive: Final[list[Leftovers]] = []


class LeftBehind(AssertionError):
    """The plugin has ended and something of it goes on: end it in `stop`, or await it."""


class Leftovers:
    """Compares the tasks that run with those that ran when this object was made, and looks at the plugin's own threads.

    A task does not tell whose it is. So where several harnesses live on one loop, the last one to leave compares.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        beside = self._beside()
        self._tasks: set[asyncio.Task[Any]] = beside[0]._tasks if beside else asyncio.all_tasks()
        self._threads: Iterable[threading.Thread] = ()
        _alive.append(self)

    def watch_threads(self, threads: Iterable[threading.Thread]) -> None:
        """Report those of `threads` that still run at the end; threads that join the collection later count, too."""
        self._threads = threads

    async def check(self) -> None:
        """Wait a second for what is about to end. Raises LeftBehind; the tasks among it are cancelled."""
        _alive.remove(self)
        # One deadline for all: many threads that hang must not cost a second each.
        deadline = time.monotonic() + _GRACE_S
        tasks = set() if self._beside() else asyncio.all_tasks() - self._tasks - {asyncio.current_task()}
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=_GRACE_S)
        for thread in self._running():
            await asyncio.to_thread(thread.join, max(0.0, deadline - time.monotonic()))
        left = [*map(repr, tasks), *map(repr, self._running())]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_S)
        if left:
            raise LeftBehind(f"the plugin leaves {len(left)} running:\n" + "\n".join(left))

    def _beside(self) -> list[Leftovers]:
        return [leftovers for leftovers in _alive if leftovers._loop is self._loop]

    def _running(self) -> list[threading.Thread]:
        return [thread for thread in self._threads if thread.is_alive()]
