"""Tells whoever waits that something was committed, and the loop that it should look again.

What was committed stands in the database: subscribers and projectors wait here and then read from their own cursors. So
nothing is buffered for anybody, and nobody slow loses an event.
"""

from __future__ import annotations

import asyncio

__all__ = ["Bus"]


class Bus:
    """A counter that rises, and those who wait for it to rise. `nudged` is set for the loop, which clears it."""

    def __init__(self) -> None:
        self.nudged = asyncio.Event()
        self._version = 0
        self._risen = asyncio.Event()

    @property
    def version(self) -> int:
        """How often something was published."""
        return self._version

    def publish(self) -> None:
        """Wake everybody; call it after the commit, never before."""
        self._version += 1
        risen, self._risen = self._risen, asyncio.Event()
        risen.set()

    def nudge(self) -> None:
        """Let the loop tick soon, if there is one; many nudges before the next tick are one."""
        self.nudged.set()

    async def wait_beyond(self, version: int) -> int:
        """Wait until `version` is in the past; the version now."""
        while self._version <= version:
            await self._risen.wait()
        return self._version
