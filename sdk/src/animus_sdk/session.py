"""One host's connection to one plugin: the life cycle as a table, and every request on its way to a handler.

Below it lie the peer and the author's plugin object.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from animus_protocol.connection import Notification, Request
from animus_protocol.crash_points import declare, reach
from animus_protocol.errors import Code, MethodNotFound, NotSupported, RpcError
from animus_protocol.peer import Peer
from animus_protocol.reading import read_params
from animus_protocol.version import PROTOCOL_VERSION
from animus_sdk.call import CURRENT, Call, Streams
from animus_sdk.errors import authors_code
from animus_sdk.greeting import read_greeting
from animus_sdk.handlers import Threads
from animus_sdk.lazy_names import LazyModule
from animus_sdk.notifications import NotificationQueue
from animus_sdk.plugin import Plugin, Route, is_inherited

if TYPE_CHECKING:
    from animus_protocol.models import lifecycle
else:
    lifecycle = LazyModule("animus_protocol.models.lifecycle")

__all__ = ["Session", "State"]

_log = logging.getLogger("animus.plugin")
# A host waits 2 s for the answer to `shutdown` (protocol §2): both waits together leave `stop` the rest.
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


_LIFE_CYCLE: Final = frozenset({"initialize", "$/ping", "health/check", "shutdown"})
_OF_THE_LIFE_CYCLE: Final = ("initialized", "$/")
# Every request compares with it, and looking a member up in its enum takes several times as long as reading a name.
_READY: Final = State.READY
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


class Session:
    """Answers one host for one plugin object. `ended` is set when the process may leave."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.state = State.CREATED
        self.ended = asyncio.Event()
        self._routes: dict[str, Route] = {}
        self._listeners: dict[str, Route] = {}
        self._has_routes = False
        if plugin.own_methods():  # a hint in them that means nothing is a mistake that ends the start
            self._add_routes()
        self.threads = Threads(plugin.threads)
        self._streams = Streams()
        self._notifications = NotificationQueue(self._on_notification)
        self._started_at = time.monotonic()
        self._ending: asyncio.Task[None] | None = None

    def request(self, peer: Peer, request: Request) -> object:
        """The answer to one request, or a coroutine that makes it. Raises RpcError."""
        route = self._routes.get(request.method)
        if route is None:
            if self._has_routes or request.method in _LIFE_CYCLE:
                return self._request(peer, request)
            self._add_routes()
            return self.request(peer, request)
        if route.inline:
            return self._inline(route, peer, request)
        return self._domain(route, peer, request)

    def _add_routes(self) -> None:
        """Fill the tables. The models of the kind are imported for it: a plugin that is only greeted needs none."""
        self._has_routes = True
        for route in (*self.plugin.routes(), *self.plugin.own_routes()):
            table = self._listeners if route.method.result is None else self._routes
            table[route.method.name] = route

    async def _request(self, peer: Peer, request: Request) -> object:
        """The life cycle, and methods that are in no table."""
        match request.method:
            case "initialize":
                return await self._initialize(request.params)
            case "$/ping":
                return {}
            case "health/check":
                return await self._health()
            case "shutdown":
                return await self._shutdown(peer)
        route = self.plugin.find(request.method)
        if route is not None:
            return self._inline(route, peer, request) if route.inline else await self._domain(route, peer, request)
        if request.method in self.plugin.known_methods():
            raise NotSupported(request.method)
        raise MethodNotFound(request.method)

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Take a notification: `exit`, and those that the plugin's kind knows."""
        # Not behind the other notifications: a handler that hangs must not keep the plugin from its end.
        if notification.method == "exit":
            if self.state is not State.ENDED:
                self._transition("exit")
            self.ended.set()
            return
        if not self._has_routes and not notification.method.startswith(_OF_THE_LIFE_CYCLE):
            self._add_routes()
        if notification.method in self._listeners:
            if self.state is State.READY:
                self._notifications.take(peer, notification)
            else:
                _log.warning("ignored notification %s in state %s", notification.method, self.state)
        elif not notification.method.startswith(_OF_THE_LIFE_CYCLE):
            _log.debug("ignored notification %s", notification.method)

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """A `$/cancelRequest` for a request that was answered: ends its stream."""
        self._streams.end(request_id)

    async def close(self) -> None:
        """Handle the notifications that came, end the streams, stop the plugin; whatever `stop` raises is logged.

        It happens once: whoever asks again waits for the same end, and a caller that is cancelled cuts it off.
        """
        await self._end()

    def _end(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end_all())
        return self._ending

    async def _end_all(self) -> None:
        # In this order: acknowledgements that came are handled, streams use what `stop` gives back, `stop` comes last.
        await self._notifications.close(timeout_s=_DRAIN_S)
        await self._streams.close(timeout_s=_DRAIN_S)
        try:
            with authors_code:
                await self.plugin.run_stop(self.threads)
        except Exception:  # noqa: BLE001 - the boundary: an author's stop() must not keep the process alive
            _log.error("stop() failed\n%s", traceback.format_exc())
        self.threads.close()

    async def _initialize(self, raw: object) -> object:
        project = read_greeting(raw)
        # Before anything waits: a second `initialize` meanwhile finds another state and is refused.
        self._transition("initialize")
        event = "failed"
        try:
            with authors_code:
                await self.plugin.run_start(self.threads, project)
            event = "started"
        finally:
            # `shutdown` or `exit` may have come during `start`: then the state is theirs.
            if self.state is State.STARTING:
                self._transition(event)
        cls = type(self.plugin)
        if is_inherited(cls, "info") and is_inherited(cls, "capabilities"):
            plain = cls.profile().initialized()
            if plain is not None:
                return plain
        return lifecycle.InitializeResult(
            protocol_version=PROTOCOL_VERSION,
            plugin_info=cls.info(),
            capabilities=cls.capabilities(),
        )

    def _inline(self, route: Route, peer: Peer, request: Request) -> object:
        self._check_ready(request.method)
        params = read_params(route.method, request.params)
        reach(_TAKEN)
        call = Call(peer, request.id, self._streams, self.threads)
        token = CURRENT.set(call)
        try:
            with authors_code:
                answer = route.handler(params, call)
        finally:
            CURRENT.reset(token)
        reach(_HANDLED)
        return answer

    async def _domain(self, route: Route, peer: Peer, request: Request) -> object:
        self._check_ready(request.method)
        params = read_params(route.method, request.params)
        reach(_TAKEN)
        CURRENT.set(call := Call(peer, request.id, self._streams, self.threads))
        try:
            with authors_code:
                work: Any = route.handler(params, call)
                answer = await work
        except asyncio.CancelledError:
            call.mark_cancelled()
            raise
        reach(_HANDLED)
        return answer

    async def _on_notification(self, peer: Peer, notification: Notification) -> None:
        """Give a notification to its handler; nobody waits for an answer, so a failure goes to the log."""
        route = self._listeners[notification.method]
        try:
            params = read_params(route.method, notification.params)
            CURRENT.set(call := Call(peer, notification.method, self._streams, self.threads))
            with authors_code:
                answer = route.handler(params, call)
                if isinstance(answer, Awaitable):
                    await answer
        except RpcError as error:
            _log.warning("notification %s: %s", notification.method, error)

    def _check_ready(self, method: str) -> None:
        if self.state is _READY:
            return
        if self.state in (State.CREATED, State.STARTING):
            raise RpcError(Code.NOT_INITIALIZED, f"{method} before initialize")
        raise RpcError(Code.INVALID_REQUEST, f"{method} after shutdown")

    async def _health(self) -> object:
        uptime_ms = int((time.monotonic() - self._started_at) * 1000)
        cls = type(self.plugin)
        if cls.health is Plugin.health and cls.run_health is Plugin.run_health:
            return {"status": "healthy", "uptime_ms": uptime_ms}  # nothing of the author's to hold to a model
        with authors_code:
            health = await self.plugin.run_health(self.threads)
        return health if health.uptime_ms is not None else health.model_copy(update={"uptime_ms": uptime_ms})

    async def _shutdown(self, peer: Peer) -> dict[str, str]:
        self._transition("shutdown")
        deadline = asyncio.get_running_loop().time() + _DRAIN_S
        if not await peer.idle(deadline):
            await peer.cancel_requests(deadline + _CANCEL_S)
        await asyncio.shield(self._end())  # `exit` cancels what is being answered, and `stop` may still need its time
        return {}

    def _transition(self, event: str) -> None:
        following = _NEXT.get((self.state, event))
        if following is None:
            raise RpcError(Code.INVALID_REQUEST, f"{event} in state {self.state}")
        self.state = following
