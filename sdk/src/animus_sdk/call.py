"""What a handler may know of its request beside the params: the way back to the asker, also after the reply.

Below it lies the peer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_protocol.errors import Code, PeerGone, RpcError
from animus_sdk.errors import authors_code
from animus_sdk.handlers import Threads, stream_of

if TYPE_CHECKING:
    from animus_protocol.models.base import Method, WireModel
    from animus_protocol.models.envelope import RpcErrorObject
    from animus_protocol.peer import Peer
    from animus_sdk.functions import Stream

__all__ = ["CURRENT", "Call", "Streams"]

_log = logging.getLogger("animus.plugin")

CURRENT: Final[ContextVar[Call]] = ContextVar("animus_call")
"""The call that the running handler answers; set by the session."""


class Streams:
    """The streams that requests have opened and that continue after the reply, by the request's id."""

    def __init__(self) -> None:
        self._open: dict[int | str, _Open] = {}

    def keep(self, call: Call, task: asyncio.Task[None]) -> None:
        """Own the running stream of `call` until it ends; an older one of the same id ends now."""
        stream_id = call.request_id
        self.end(stream_id)
        self._open[stream_id] = _Open(call, task)
        task.add_done_callback(lambda done: self._done(stream_id, done))

    async def over(self, stream_id: int | str, *, timeout_s: float) -> bool:
        """Whether the stream has ended, or never was; a cancelled one is waited for, `timeout_s` seconds at most."""
        found = self._open.get(stream_id)
        if found is not None and found.task.cancelling():
            await asyncio.wait([found.task], timeout=timeout_s)
        return found is None or found.task.done()

    def end(self, stream_id: int | str) -> bool:
        """Cancel a stream; whether there was one."""
        found = self._open.get(stream_id)
        return found is not None and found.cancel()

    async def close(self, *, timeout_s: float) -> None:
        """Cancel all of them and wait for their ends, at most `timeout_s` seconds."""
        streams = list(self._open.values())
        for stream in streams:
            stream.cancel()
        if streams:
            await asyncio.wait([stream.task for stream in streams], timeout=timeout_s)

    def _done(self, stream_id: int | str, task: asyncio.Task[None]) -> None:
        # The id may have been used again, and then names another stream by now.
        if stream_id in self._open and self._open[stream_id].task is task:
            del self._open[stream_id]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, PeerGone):
            _log.error("stream %s failed: %s", stream_id, error, exc_info=error)


class _Open(NamedTuple):
    """A stream that goes on: the call that opened it, and the task that sends its items."""

    call: Call
    task: asyncio.Task[None]

    def cancel(self) -> bool:
        """Cancel the task unless it is being cancelled: a second time would cut off the wait for its generator.

        Returns whether the task was still running.
        """
        self.call.mark_cancelled()  # before anything waits: a plain generator, on its thread, looks there
        return self.task.cancelling() > 0 or self.task.cancel()


class Call:
    """One request on its way: who asked, and under which id."""

    __slots__ = ("_cancelled", "_peer", "_streams", "request_id", "threads")

    def __init__(self, peer: Peer, request_id: int | str, streams: Streams, threads: Threads) -> None:
        self._peer = peer
        self._streams = streams
        self.request_id = request_id
        self.threads = threads
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether the host has given the request, or the stream that it opened, up."""
        return self._cancelled

    def mark_cancelled(self) -> None:
        """The host has given it up: whoever works for it, on whichever thread, finds `cancelled` true."""
        self._cancelled = True

    async def notify(self, method: Method[Any, None], params: WireModel) -> None:
        """Send a notification and wait until there is room for the next one."""
        self._peer.notify(method, params)
        await self._peer.drained()

    async def stream(
        self,
        source: Stream[Any],
        send: Callable[[Any], WireModel],
        method: Method[Any, None],
        *,
        failed: Callable[[RpcErrorObject], WireModel] | None = None,
    ) -> None:
        """Send every item from now on, beside the reply; ends with the items, a cancellation, or the connection.

        An async iterator has run to its first real wait when this returns, so a source that subscribes before it waits
        misses nothing. An error before that is raised here and becomes the error reply; a later one is sent as what
        `failed` makes of it, and logged.
        """
        items = source if isinstance(source, AsyncIterator) else stream_of(source, self.threads, until_closed=True)
        replied = False

        async def forward() -> None:
            try:
                with authors_code:
                    async for item in items:
                        await self.notify(method, send(item))
            except PeerGone:
                raise
            except Exception as error:  # sent to the host, and raised again
                if replied and failed is not None:
                    await self.notify(method, failed(_to_wire(error)))
                raise
            finally:
                if isinstance(items, AsyncGenerator):
                    await items.aclose()  # a cancellation may have met the notification and not the generator

        task = asyncio.get_running_loop().create_task(forward())
        try:
            await asyncio.sleep(0)  # one turn of the loop: the iterator reaches its first wait
        except asyncio.CancelledError:
            _Open(self, task).cancel()
            raise
        if task.done() and (error := task.exception()) is not None:
            raise error
        replied = True
        self._streams.keep(self, task)

    async def stream_over(self, stream_id: int | str, *, timeout_s: float) -> bool:
        """Whether the stream of `stream_id` has ended; a cancelled one is waited for, `timeout_s` seconds at most."""
        return await self._streams.over(stream_id, timeout_s=timeout_s)

    def end_stream(self, stream_id: int | str) -> bool:
        """End the stream that the request `stream_id` opened; whether there was one."""
        return self._streams.end(stream_id)


def _to_wire(error: Exception) -> RpcErrorObject:
    """What the host may know of an error that ends a stream."""
    from animus_protocol.models.envelope import RpcErrorObject  # models of a rare case, left out of the start

    if isinstance(error, RpcError):
        return RpcErrorObject(code=error.code, message=error.message, data=error.data)
    return RpcErrorObject(code=Code.INTERNAL_ERROR, message="internal error")
