"""A handler made of a table: method name to typed function.

Below it lies `peer.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from animus_protocol.connection import Notification, Request
from animus_protocol.encoding import encode
from animus_protocol.errors import MethodNotFound, NotSupported, RpcError
from animus_protocol.framing import parse
from animus_protocol.models.base import Method, Params, Result
from animus_protocol.peer import Peer
from animus_protocol.reading import read_params

__all__ = ["Asker", "Dispatcher"]


class Asker:
    """Who asked: the connection, and the request's id (a stream's notifications carry it)."""

    __slots__ = ("_peer", "request_id")

    def __init__(self, peer: Peer | None, request_id: int | str) -> None:
        self._peer = peer
        self.request_id = request_id

    @property
    def peer(self) -> Peer:
        """The connection. Raises NotSupported for a call inside the process, which can open no stream."""
        if self._peer is None:
            raise NotSupported("a stream without a connection")
        return self._peer


class Dispatcher:
    """Register typed functions, then hand it to a `Peer` as its handler.

    `translate` turns an application's error into the reply; what it returns None for stays an internal error.
    `on_cancelled` gets the connection and the id of a request whose stream the other side ends.
    """

    def __init__(
        self,
        translate: Callable[[Exception], RpcError | None] = lambda _: None,
        on_cancelled: Callable[[Peer, int | str], None] = lambda _peer, _request_id: None,
    ) -> None:
        self._answers: dict[str, tuple[Method[Any, Any], Callable[[Any, Asker], Awaitable[object]]]] = {}
        self._listeners: dict[str, tuple[Method[Any, Any], Callable[[Any, Peer], None]]] = {}
        self._translate = translate
        self._on_cancelled = on_cancelled

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of all methods that are answered."""
        return tuple(self._answers)

    def answer(self, method: Method[Params, Result], function: Callable[[Params, Asker], Awaitable[Result]]) -> None:
        """Answer requests of `method` with what `function` returns."""
        self._answers[method.name] = (method, function)

    def on_notification(self, method: Method[Params, None], function: Callable[[Params, Peer], None]) -> None:
        """Give notifications of `method` to `function`."""
        self._listeners[method.name] = (method, function)

    async def request(self, peer: Peer, request: Request) -> object:
        """Answer one request. Raises RpcError."""
        found = self._answers.get(request.method)
        if found is None:
            raise MethodNotFound(request.method)
        method, function = found
        params = read_params(method, request.params)
        try:
            return await function(params, Asker(peer, request.id))
        except RpcError:
            raise
        except Exception as error:  # the one place that may know it: the application's translation
            translated = self._translate(error)
            if translated is None:
                raise
            raise translated from error

    async def call(self, method: Method[Params, Result], params: Params) -> Result:
        """Ask in-process what a connection would be answered; exceptions come as they are, not translated."""
        found = self._answers.get(method.name)
        if found is None:
            raise MethodNotFound(method.name)
        answer: Any = await found[1](params, Asker(None, 0))
        result: Result = answer
        return result

    async def call_json(self, name: str, params: Any) -> Any:
        """`call` as a connection sees it: JSON in, the same JSON out. Raises InvalidParams and what `call` does."""
        found = self._answers.get(name)
        if found is None:
            raise MethodNotFound(name)
        method = found[0]
        return parse(encode(await self.call(method, read_params(method, params))))

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Hand on one notification; one that is unknown or does not fit means nothing: nobody waits for an answer."""
        found = self._listeners.get(notification.method)
        if found is not None:
            method, function = found
            try:
                params = read_params(method, notification.params)
            except RpcError:
                return
            function(params, peer)

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """The other side ends a stream."""
        self._on_cancelled(peer, request_id)
