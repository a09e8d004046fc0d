"""What a handler may know of its request beside the params: the way back to the asker, also after the reply.

Used by the role classes; made by `session.py`, which owns the streams. Below it lies the peer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from animus_protocol.errors import PeerGone
from animus_protocol.models.base import Method, WireModel
from animus_protocol.peer import Peer

__all__ = ["Call", "Streams", "exit_refused", "unless_exit"]

_log = logging.getLogger("animus.plugin")
_T = TypeVar("_T")


class Streams:
    """The streams that requests have opened and that go on after the reply, by the request's id."""

    def __init__(self) -> None:
        self._tasks: dict[int | str, asyncio.Task[None]] = {}

    def keep(self, stream_id: int | str, task: asyncio.Task[None]) -> None:
        """Own a running stream until it ends; an older one of the same id ends now."""
        self.end(stream_id)
        self._tasks[stream_id] = task
        task.add_done_callback(lambda done: self._done(stream_id, done))

    def end(self, stream_id: int | str) -> bool:
        """Cancel a stream; whether there was one."""
        task = self._tasks.get(stream_id)
        return task is not None and task.cancel()

    async def close(self, *, timeout_s: float) -> None:
        """Cancel all of them and wait for their ends, at most `timeout_s` seconds."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def _done(self, stream_id: int | str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(stream_id) is task:
            del self._tasks[stream_id]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, PeerGone):
            _log.error("stream %s failed: %s", stream_id, error, exc_info=error)


class Call:
    """One request on its way: who asked, and under which id."""

    __slots__ = ("_peer", "_streams", "request_id")

    def __init__(self, peer: Peer, request_id: int | str, streams: Streams) -> None:
        self._peer = peer
        self._streams = streams
        self.request_id = request_id

    async def notify(self, method: Method[Any, None], params: WireModel) -> None:
        """Send a notification and wait until there is room for the next one."""
        self._peer.notify(method, params)
        await self._peer.drained()

    async def stream(
        self, items: AsyncIterator[Any], send: Callable[[Any], WireModel], method: Method[Any, None]
    ) -> None:
        """Send every item from now on, beside the reply; ends with the items, a cancellation, or the connection.

        The iterator has run to its first real wait when this returns, so a source that subscribes before it waits
        misses nothing. An error before the first item is raised here and becomes the error reply.
        """

        async def forward() -> None:
            try:
                async for item in items:
                    await self.notify(method, send(item))
            finally:
                if isinstance(items, AsyncGenerator):
                    await items.aclose()  # a cancellation may have met the notification and not the generator

        task = asyncio.get_running_loop().create_task(unless_exit(forward()))
        try:
            await asyncio.sleep(0)  # one turn of the loop: the iterator reaches its first wait
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done() and (error := task.exception()) is not None:
            raise error
        self._streams.keep(self.request_id, task)

    def end_stream(self, stream_id: int | str) -> bool:
        """End the stream that the request `stream_id` opened; whether there was one."""
        return self._streams.end(stream_id)


async def unless_exit(answer: Awaitable[_T]) -> _T:
    """`answer`, except that the author's code (or a library below it) cannot end the process from inside a call."""
    try:
        return await answer
    except SystemExit as error:
        raise exit_refused(error) from error


def exit_refused(error: SystemExit) -> RuntimeError:
    """What becomes of the author's `sys.exit` inside a call."""
    return RuntimeError(f"the plugin's code called sys.exit({error.code!r})")
