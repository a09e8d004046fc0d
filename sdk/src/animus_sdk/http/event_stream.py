"""What happens in the daemon, as server-sent events: one stream of the control socket for each client.

Below lies the control client. A client that reads slowly makes the daemon wait in its own stream and nobody else; one
that takes nothing for 30 s is dropped. When the daemon is restarted, the stream goes on after the last event that was
sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, NamedTuple

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from animus_protocol.errors import ProtocolError
from animus_protocol.reading import read_params
from animus_sdk.control import Control, NoDaemon
from animus_sdk.http.exchange import read_query
from animus_sdk.http.routes import Feed

__all__ = ["EventStream", "StreamTimings"]

# Each has a connection to the daemon of its own; far below the 128 of the server, so that calls get through.
_MAX_CLIENTS: Final = 32
_HEARTBEAT: Final = b":\n\n"
_AWAY: Final = b": the daemon is away\n\n"
_BACK: Final = b": the daemon is back\n\n"


class StreamTimings(NamedTuple):
    """How long a stream waits, in seconds.

    For an event before it sends a comment, for a client that takes a piece, for one that takes the end, and before it
    asks again for a daemon that is away.
    """

    # Proxies drop connections that are silent; the HTML standard advises a comment every 15 s or so.
    heartbeat_s: float = 15.0
    send_s: float = 30.0
    last_s: float = 1.0
    redial_s: float = 1.0


class EventStream:
    """An ASGI endpoint. It ends every response when `closing` is set."""

    def __init__(
        self,
        feed: Feed,
        control: Control,
        closing: asyncio.Event,
        timings: StreamTimings = StreamTimings(),  # noqa: B008 - a tuple of constants
    ) -> None:
        self._feed = feed
        self._control = control
        self._closing = closing
        self._timings = timings
        self._clients = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one client. Raises RpcError and HTTPException as long as nothing was sent."""
        request = Request(scope, receive)
        if request.method != "GET":
            raise HTTPException(405, "GET is the only method here", {"allow": "GET"})
        if self._clients >= _MAX_CLIENTS:
            raise HTTPException(503, f"{_MAX_CLIENTS} streams are open already")
        query = read_query(request.query_params, self._feed.method.params)
        # A browser that reconnects asks for the same URL, so its `since` is older than what this header says.
        if "last-event-id" in request.headers:
            query["since"] = request.headers["last-event-id"]
        # Now, when a mistake can still be answered with a status.
        read_params(self._feed.method, query)
        client = _Client(send, self._timings)
        self._clients += 1
        try:
            await _until_first(self._tell(client, query), _disconnected(receive), self._closing.wait())
        finally:
            self._clients -= 1
        if not client.started:
            raise HTTPException(503, "this server is being closed")
        await client.finish()

    async def _tell(self, client: _Client, query: dict[str, Any]) -> None:
        """Send events until the client does not take them, or the daemon refuses to go on."""
        while True:
            try:
                async with self._control.stream(self._feed.method.name, {**query, **self._feed.fixed}) as items:
                    # At once, although nothing has happened yet: it carries the header, by which the client knows that
                    # it is open.
                    taken = await client.send(_BACK if client.started else _HEARTBEAT)
                    while taken:
                        taken = await self._tell_one(client, query, await self._next(items))
                return
            except NoDaemon:
                if not client.started:
                    raise
            except ProtocolError:
                if not client.started:
                    raise
                return  # a daemon that does not know the cursor any more: the client may ask again
            if not await client.send(_AWAY):
                return
            await asyncio.sleep(self._timings.redial_s)  # a socket that comes back has no event to wait for

    async def _tell_one(self, client: _Client, query: dict[str, Any], item: Any) -> bool:
        if item is None:
            return await client.send(_HEARTBEAT)
        cursor = item.get(self._feed.cursor) if isinstance(item, dict) else None
        # A line break in it would end the field `id` and begin another one.
        if not isinstance(cursor, str) or not cursor.isprintable():
            cursor = None
        taken = await client.send(_event(item, cursor))
        query.update({} if cursor is None else {"since": cursor})
        return taken

    async def _next(self, items: AsyncIterator[Any]) -> Any:
        """The next item, or None when there was none for 15 s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timings.heartbeat_s):
                return await anext(items)
        return None


class _Client:
    """The response to one client, in pieces."""

    def __init__(self, send: Send, timings: StreamTimings) -> None:
        self._send = send
        self._timings = timings
        self.started = False

    async def send(self, piece: bytes) -> bool:
        """Send `piece`, after the header when it is the first; False when the client does not take it in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timings.send_s):
                if not self.started:
                    start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
                    MutableHeaders(scope=start)["content-type"] = "text/event-stream"
                    await self._send(start)
                    self.started = True
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            return True
        return False

    async def finish(self) -> None:
        """End the response properly, if the client still takes it."""
        if self.started:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timings.last_s):
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(item: Any, cursor: str | None) -> bytes:
    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    name = "" if cursor is None else f"id: {cursor}\n"
    return f"{name}data: {text}\n\n".encode()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_first(*doing: Coroutine[Any, Any, object]) -> None:
    """Do all of it until the first is done, and raise what that one raises."""
    tasks = [asyncio.ensure_future(one) for one in doing]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
