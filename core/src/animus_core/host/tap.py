"""Shows what goes over the wire between a plugin and its session, byte for byte, without touching it.

A relay stands on either side: what it reads it shows, then writes on. Each keeps 1 MiB at most and then lets its writer
wait, so that a slow side slows the other one down as it would without it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, Literal

from animus_protocol.pump import Pump

__all__ = ["Direction", "Tap"]

Direction = Literal[">", "<"]
"""`>` to the plugin, `<` from it."""

_KEPT_BYTES: Final = 1024 * 1024  # above it the writer waits, as it would at a full pipe without a tap
_CLOSE_S: Final = 0.5
"""Both ends are gone already: the relays only have to notice."""


class Tap:
    """The two relays of one plugin process. `show(direction, chunk)` is called on the loop, before a chunk goes on.

    At the end of its input a relay shows one empty chunk, and closes both its descriptors once all has left.
    """

    def __init__(self, show: Callable[[Direction, bytes], None]) -> None:
        self._show = show
        self._relays: list[_Relay] = []

    def between(self, read_fd: int, write_fd: int) -> tuple[int, int]:
        """Take over a plugin's stdout and stdin; the descriptors for the session, which belong to the caller."""
        ours_read, outgoing = os.pipe()
        incoming, ours_write = os.pipe()
        self._relays = [
            _Relay(read_fd, outgoing, lambda chunk: self._show("<", chunk)),
            _Relay(incoming, write_fd, lambda chunk: self._show(">", chunk)),
        ]
        return ours_read, ours_write

    def hang_up(self, then: Callable[[], None]) -> None:
        """The process has exited: pass its last words on, though others may hold its pipe, and call `then`."""
        self._relays[0].finish(then)

    async def aclose(self) -> None:
        """Both ends have gone: wait until the relays have noticed, at most half a second, and close them."""
        for relay in self._relays:
            await relay.aclose()


class _Relay:
    """One direction: a pump that writes what it reads."""

    def __init__(self, read_fd: int, write_fd: int, show: Callable[[bytes], None]) -> None:
        self._show = show
        loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._pump = Pump(read_fd, write_fd, self._pass_on, self._end, self._go_on, _KEPT_BYTES)
        self._pump.start()
        self._passing = loop.create_task(self._close_at_the_end())

    def finish(self, then: Callable[[], None]) -> None:
        """Read what is there, end, and call `then` when the reader has taken all of it, or has left."""
        self._pump.finish("the process has exited")
        self._passing.add_done_callback(lambda _: then())

    async def aclose(self) -> None:
        """Wait for the end, at most 0.5 s, and close."""
        await asyncio.wait([self._passing], timeout=_CLOSE_S)
        self._passing.cancel()
        self._pump.close()

    def _pass_on(self, chunk: bytes) -> None:
        # Before it goes on: a frame that kills its reader has been shown by then.
        self._show(chunk)
        self._pump.write(chunk, at_once=True)
        if self._pump.kept_bytes > _KEPT_BYTES:
            self._pump.pause()

    def _go_on(self) -> None:
        self._pump.resume()

    def _end(self, _reason: str) -> None:
        self._show(b"")
        self._ended.set()

    async def _close_at_the_end(self) -> None:
        await self._ended.wait()
        await self._pump.flushed()
        self._pump.close()
