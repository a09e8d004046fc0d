"""One host's connection to one plugin: the life cycle as a table, and every request on its way to a handler.

Driven by `serve.py` (a process) and `testing` harnesses; below it lie the peer and the author's plugin object.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from animus_protocol.connection import Notification, Request
from animus_protocol.crash_points import declare, reach
from animus_protocol.errors import Code, InvalidParams, MethodNotFound, NotSupported, PeerGone, RpcError
from animus_protocol.models import lifecycle
from animus_protocol.models.base import Empty, Method, WireModel
from animus_protocol.peer import Peer, read_params
from animus_protocol.version import PROTOCOL_VERSION, is_compatible
from animus_sdk.errors import PluginError, to_rpc_error
from animus_sdk.plugin import Plugin, Route

__all__ = ["Call", "Session", "State"]

_log = logging.getLogger("animus.plugin")
_T = TypeVar("_T")
_DRAIN_S: Final = 1.2
_CANCEL_S: Final = 0.4

_TAKEN: Final = declare("plugin.taken", "a request was read, its handler has not begun")
_HANDLED: Final = declare("plugin.handled", "the handler is done, the host does not know")


class State(StrEnum):
    """Where a session is in the life cycle of protocol §2."""

    CREATED = "created"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"


_NEXT: Final[dict[tuple[State, str], State]] = {
    (State.CREATED, "initialize"): State.STARTING,
    (State.STARTING, "started"): State.READY,
    (State.STARTING, "failed"): State.CREATED,
    (State.CREATED, "shutdown"): State.DRAINING,
    (State.STARTING, "shutdown"): State.DRAINING,
    (State.READY, "shutdown"): State.DRAINING,
    (State.CREATED, "exit"): State.ENDED,
    (State.STARTING, "exit"): State.ENDED,
    (State.READY, "exit"): State.ENDED,
    (State.DRAINING, "exit"): State.ENDED,
}


class Call:
    """What a handler may know of the request beside its params: the way back to the asker."""

    def __init__(self, session: Session, peer: Peer, request_id: int | str) -> None:
        self._session = session
        self._peer = peer
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

        task = asyncio.get_running_loop().create_task(_unless_exit(forward()))
        try:
            await asyncio.sleep(0)  # one turn of the loop: the iterator reaches its first wait
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done() and (error := task.exception()) is not None:
            raise error
        self._session.keep_stream(self.request_id, task)

    def end_stream(self, stream_id: int | str) -> bool:
        """End the stream that the request `stream_id` opened; whether there was one."""
        return self._session.end_stream(stream_id)


class Session:
    """Answers one host for one plugin object. `ended` is set when the process may leave."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.state = State.CREATED
        self.ended = asyncio.Event()
        self._routes: dict[str, Route] = {route.method.name: route for route in plugin.routes()}
        self._streams: dict[int | str, asyncio.Task[None]] = {}
        self._started_at = time.monotonic()
        self._stopped = False

    async def request(self, peer: Peer, request: Request) -> object:
        """The answer to one request. Raises RpcError."""
        match request.method:
            case "initialize":
                return await self._initialize(read_params(lifecycle.INITIALIZE, request.params))
            case "$/ping":
                return Empty()
            case "health/check":
                return await self._guard(self._health())
            case "shutdown":
                return await self._shutdown(peer)
        return await self._domain(peer, request)

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Take a notification: only `initialized` and `exit` mean something to a plugin of these kinds."""
        if notification.method == "exit":
            if self.state is not State.ENDED:
                self._move("exit")
            self.ended.set()
        elif not notification.method.startswith(("initialized", "$/")):
            _log.debug("ignored notification %s", notification.method)

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """A `$/cancelRequest` for a request that was answered: ends its stream."""
        self.end_stream(request_id)

    def keep_stream(self, stream_id: int | str, task: asyncio.Task[None]) -> None:
        """Own a running stream until it ends; an older one of the same id ends now."""
        self.end_stream(stream_id)
        self._streams[stream_id] = task
        task.add_done_callback(lambda done: self._stream_done(stream_id, done))

    def end_stream(self, stream_id: int | str) -> bool:
        """Cancel a stream; whether there was one."""
        task = self._streams.get(stream_id)
        return task is not None and task.cancel()

    async def close(self) -> None:
        """End the streams and stop the plugin; whatever `stop` raises is logged."""
        tasks = list(self._streams.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_S)
        if not self._stopped:
            self._stopped = True
            try:
                await self.plugin.stop()
            except Exception:  # noqa: BLE001 - the boundary: an author's stop() must not keep the process alive
                _log.error("stop() failed\n%s", traceback.format_exc())

    async def _initialize(self, params: lifecycle.InitializeParams) -> lifecycle.InitializeResult:
        if not is_compatible(params.protocol_version):
            raise RpcError(
                Code.INVALID_REQUEST,
                f"protocol {params.protocol_version} asked, {PROTOCOL_VERSION} spoken here: the majors differ",
            )
        try:
            project = params.project_binding() or lifecycle.ProjectBinding(project_root=os.getcwd())
        except ValidationError as error:
            raise InvalidParams("init_extensions.project_binding: project_root is missing or no text") from error
        self._move("initialize")
        event = "failed"
        try:
            await self._guard(self.plugin.start(project))
            event = "started"
        finally:
            if self.state is State.STARTING:
                self._move(event)
        return lifecycle.InitializeResult(
            protocol_version=PROTOCOL_VERSION,
            plugin_info=self.plugin.info(),
            capabilities=self.plugin.capabilities(),
        )

    async def _domain(self, peer: Peer, request: Request) -> object:
        route = self._routes.get(request.method) or self.plugin.find(request.method)
        if route is None:
            if request.method in self.plugin.known_methods():
                raise NotSupported(request.method)
            raise MethodNotFound(request.method)
        if self.state in (State.CREATED, State.STARTING):
            raise RpcError(Code.NOT_INITIALIZED, f"{request.method} before initialize")
        if self.state is not State.READY:
            raise RpcError(Code.INVALID_REQUEST, f"{request.method} after shutdown")
        params = read_params(route.method, request.params)
        reach(_TAKEN)
        answer = await self._guard(route.handler(params, Call(self, peer, request.id)))
        reach(_HANDLED)
        return answer

    async def _guard(self, answer: Awaitable[object]) -> object:
        try:
            return await _unless_exit(answer)
        except PluginError as error:
            raise to_rpc_error(error) from error

    async def _health(self) -> lifecycle.HealthCheckResult:
        health = await self.plugin.health()
        if health.uptime_ms is None:
            uptime_ms = int((time.monotonic() - self._started_at) * 1000)
            health = health.model_copy(update={"uptime_ms": uptime_ms})
        return health

    async def _shutdown(self, peer: Peer) -> Empty:
        self._move("shutdown")
        deadline = asyncio.get_running_loop().time() + _DRAIN_S
        if not await peer.idle(deadline):
            await peer.cancel_requests(deadline + _CANCEL_S)
        await self.close()
        return Empty()

    def _move(self, event: str) -> None:
        following = _NEXT.get((self.state, event))
        if following is None:
            raise RpcError(Code.INVALID_REQUEST, f"{event} in state {self.state}")
        self.state = following

    def _stream_done(self, stream_id: int | str, task: asyncio.Task[None]) -> None:
        if self._streams.get(stream_id) is task:
            del self._streams[stream_id]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, PeerGone):
            _log.error("stream %s failed: %s", stream_id, error, exc_info=error)


async def _unless_exit(answer: Awaitable[_T]) -> _T:
    """`answer`, except that the author's code (or a library below it) cannot end the process from inside a call."""
    try:
        return await answer
    except SystemExit as error:
        raise RuntimeError(f"the plugin's code called sys.exit({error.code!r})") from error
