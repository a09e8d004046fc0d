"""Wakes everybody who waits for a commit, and wakes the loop.

It carries no messages: what was committed is in the database, and a reader that is woken reads from its own cursor. So
nothing is buffered for anybody, and a slow reader loses no event.
"""

from __future__ import annotations

import asyncio

__all__ = ["CommitSignal"]


class CommitSignal:
    """A counter of commits, and those who wait until it grows. `nudged` is set for the loop, which clears it."""

    def __init__(self) -> None:
        self.nudged = asyncio.Event()
        self._version = 0
        self._grown = asyncio.Event()

    @property
    def version(self) -> int:
        """How often something was published."""
        return self._version

    def publish(self) -> None:
        """Wake everybody; call it after the commit, never before."""
        self._version += 1
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def nudge(self) -> None:
        """Let the loop tick soon, if there is one; many nudges before the next tick are one."""
        self.nudged.set()

    async def wait_newer_than(self, version: int) -> int:
        """Wait until something newer than `version` was published; the version then."""
        while self._version <= version:
            await self._grown.wait()
        return self._version
