"""A live connection on asyncio: typed calls out, requests and notifications in.

Used alike by the plugin host, the SDK and both ends of the control socket; below it lie `connection.py` (meaning) and
`pump.py` (bytes). One task a request that comes in; calls going out cost a future and a timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from animus_protocol.connection import Cancel, Connection, Dropped, Notification, Reply, Request
from animus_protocol.errors import (
    CallTimeout,
    Cancelled,
    Code,
    InvalidParams,
    PeerGone,
    ProtocolError,
    RpcError,
)
from animus_protocol.framing import MAX_FRAME_BYTES
from animus_protocol.models.base import Method, Params, Result, encode
from animus_protocol.pump import Pump

__all__ = ["BadReply", "Handler", "Peer", "read_params", "read_value"]

_log = logging.getLogger("animus.peer")
_T = TypeVar("_T")
_MAX_OPEN_REQUESTS: Final = 4096
_DROPS_TOLD: Final = 16
_FLUSH_S: Final = 2.0
_EMPTY_PARAMS: Final = b"{}"


class BadReply(ProtocolError):
    """The peer answered with a result that does not fit the method's type."""


class Handler(Protocol):
    """What a peer does with the other side's requests and notifications."""

    def request(self, peer: Peer, request: Request) -> Coroutine[Any, Any, object]:
        """Answer a request: a model, JSON, or None (`{}` must be said as `Empty()`); errors by raising RpcError."""
        ...

    def notification(self, peer: Peer, notification: Notification) -> None:
        """Take a notification; called in the order of arrival, must not block."""
        ...

    def cancelled(self, peer: Peer, request_id: int | str) -> None:
        """The other side cancels a request that was answered already: end the stream that it opened, if any."""
        ...


class Peer:
    """One connection. Owns both descriptors and every task that answers a request.

    `on_end(reason)` is called once when the connection is over, after every waiting call has failed with PeerGone.
    `name` is who is at the other end, for errors and logs.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        handler: Handler,
        *,
        name: str,
        on_end: Callable[[str], None] | None = None,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self.name = name
        self._handler = handler
        self._on_end = on_end
        self._connection: Connection[asyncio.Future[Any]] = Connection(max_frame_bytes)
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int | str, asyncio.Task[None]] = {}
        self._closing = False
        self._drops = 0
        self._pump = Pump(read_fd, write_fd, self._received, self._ended)
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self._pump.start()

    @property
    def dropped_frames(self) -> int:
        """How many pieces of input meant nothing and were dropped."""
        return self._connection.dropped_frames

    @property
    def open_requests(self) -> int:
        """How many requests of the other side are being answered."""
        return len(self._tasks)

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float) -> Result:
        """Ask and wait for the typed result.

        Raises RpcError (the peer refused; the subclass says how), CallTimeout (no answer in `timeout_s`; the peer was
        told to cancel), PeerGone, BadReply, FrameTooLarge. Cancelling the caller sends `$/cancelRequest`.
        """
        if method.result is None:
            raise TypeError(f"{method.name} is a notification")
        raw = await self.call_raw(method.name, encode(params), timeout_s=timeout_s)
        try:
            return read_value(method.result, raw)
        except ValidationError as error:
            where = _first_issue(error)
            raise BadReply(f"{self.name}: the result of {method.name} does not fit: {where}") from error

    async def call_raw(self, method: str, params: bytes, *, timeout_s: float) -> Any:
        """`call` for a method whose types nobody here knows: JSON in (already encoded), JSON out."""
        if self.ended.done():
            raise PeerGone(f"{self.name} is gone: {self.ended.result()}")
        future: asyncio.Future[Any] = self._loop.create_future()
        number, frame = self._connection.request(method, params, future)
        self._pump.write(frame, at_once=self._connection.waiting == 1)
        deadline = self._loop.call_later(timeout_s, self._expire, number, future, method, timeout_s)
        try:
            return await future
        except asyncio.CancelledError:
            self._stop_waiting(number)
            raise
        finally:
            deadline.cancel()

    def notify(self, method: Method[Params, None], params: Params) -> None:
        """Tell; returns at once. Raises FrameTooLarge. Whoever tells much awaits `drained` between."""
        self.notify_raw(method.name, encode(params))

    def notify_raw(self, method: str, params: bytes = _EMPTY_PARAMS) -> None:
        """`notify` with params that are encoded already."""
        self._pump.write(self._connection.notification(method, params), at_once=False)

    async def drained(self) -> None:
        """Wait until the other side has taken most of what was sent. Raises PeerGone."""
        await self._pump.drained()

    async def idle(self, deadline: float) -> bool:
        """Wait until every other request is answered, at most until `deadline` (the loop's clock); tell whether."""
        others = self._others()
        if others:
            await asyncio.wait(others, timeout=max(0.0, deadline - self._loop.time()))
        return all(task.done() for task in others)

    async def cancel_requests(self, deadline: float) -> bool:
        """Cancel every other request that is being answered, then as `idle`; each is answered with `-32002`."""
        for task in self._others():
            task.cancel()
        return await self.idle(deadline)

    async def aclose(self) -> None:
        """Cancel what is being answered, send what was written (2 s at most each), close. Safe to call again."""
        self._closing = True
        try:
            if not await self.cancel_requests(self._loop.time() + _FLUSH_S):
                _log.warning("%s: %d requests go on after their cancellation", self.name, len(self._others()))
            async with asyncio.timeout(_FLUSH_S):
                await self._pump.flushed()
        except TimeoutError:
            _log.warning("%s: gave up sending %d bytes at close", self.name, self._pump.kept_bytes)
        finally:
            self._pump.close()

    def _received(self, chunk: bytes) -> None:
        for incoming in self._connection.receive(chunk):
            self._take(incoming)

    def _take(self, incoming: object) -> None:
        match incoming:
            case Reply(future, result, None):
                if not future.done():
                    future.set_result(result)
            case Reply(future, _, error):
                if not future.done():
                    future.set_exception(error)
            case Request():
                self._start(incoming)
            case Notification(method):
                self._tell(method, self._handler.notification, incoming)
            case Cancel(request_id):
                task = self._tasks.get(request_id)
                if task is None or not task.cancel():
                    self._tell("$/cancelRequest", self._handler.cancelled, request_id)
            case Dropped(reason, excerpt):
                self._drops += 1
                if self._drops <= _DROPS_TOLD or self._drops.bit_count() == 1:  # else garbage would fill the log
                    _log.warning("%s: dropped input (number %d): %s: %r", self.name, self._drops, reason, excerpt)

    def _tell(self, what: str, listener: Callable[[Peer, _T], None], told: _T) -> None:
        try:
            listener(self, told)
        except Exception:  # noqa: BLE001 - the boundary: a handler's mistake must not cost the frames behind this one
            _log.exception("%s: the notification %s failed", self.name, what)

    def _start(self, request: Request) -> None:
        if self._closing:
            self._send(self._connection.error(request.id, Cancelled("the connection is being closed")))
            return
        if len(self._tasks) >= _MAX_OPEN_REQUESTS:
            busy = RpcError(Code.INTERNAL_ERROR, "too many open requests", {"category": "unavailable"})
            self._send(self._connection.error(request.id, busy))
            return
        task = self._loop.create_task(self._answer(request))
        self._tasks[request.id] = task
        task.add_done_callback(lambda done: self._finished(request.id, done))

    def _finished(self, request_id: int | str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(request_id) is task:  # a quick peer may use the id again before this is called
            del self._tasks[request_id]
        if task.cancelled():  # before its first step, so nothing in it could answer
            self._send(self._connection.error(request_id, Cancelled()))

    async def _answer(self, request: Request) -> None:
        try:
            result = await self._handler.request(self, request)
            frame = self._connection.result(request.id, encode(result))
        except asyncio.CancelledError:
            frame = self._connection.error(request.id, Cancelled())
        except RpcError as error:
            frame = self._connection.error(request.id, error)
        except ProtocolError as error:
            frame = self._connection.error(request.id, RpcError(Code.INTERNAL_ERROR, str(error)))
        except Exception:  # noqa: BLE001 - the boundary: whatever a handler raises, the asker gets an answer
            _log.exception("%s: %s failed", self.name, request.method)
            hidden = RpcError(Code.INTERNAL_ERROR, "internal error", {"category": "internal"})
            frame = self._connection.error(request.id, hidden)
        self._send(frame)

    def _others(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks.values() if task is not asyncio.current_task()]

    def _send(self, frame: bytes | None) -> None:
        if frame is not None:
            self._pump.write(frame, at_once=self._connection.open_requests == 0)

    def _expire(self, number: int, future: asyncio.Future[Any], method: str, timeout_s: float) -> None:
        if not future.done():
            future.set_exception(CallTimeout(f"{self.name} did not answer {method} within {timeout_s:g} s"))
            self._stop_waiting(number)

    def _stop_waiting(self, number: int) -> None:
        frame = self._connection.cancel(number)
        if frame is not None:
            self._pump.write(frame, at_once=False)

    def _ended(self, reason: str) -> None:
        for incoming in self._connection.end():
            self._take(incoming)
        for future in self._connection.abandon():
            if not future.done():
                future.set_exception(PeerGone(f"{self.name} is gone: {reason}"))
        if not self.ended.done():
            self.ended.set_result(reason)
        if self._on_end is not None:
            self._on_end(reason)


_adapters: dict[Any, TypeAdapter[Any]] = {}


def read_value(kind: type[_T], raw: Any) -> _T:
    """`raw` JSON as a value of `kind`. Raises pydantic.ValidationError."""
    adapter = _adapters.get(kind)
    if adapter is None:
        adapter = _adapters[kind] = TypeAdapter(kind)
    value: _T = adapter.validate_python(raw)
    return value


def read_params(method: Method[Params, Any], raw: Any) -> Params:
    """The params of `method`. Raises InvalidParams with one issue a mistake (protocol §3)."""
    try:
        return method.params.model_validate(raw)
    except ValidationError as error:
        issues = [
            {"path": ".".join(map(str, issue["loc"])), "message": issue["msg"], "code": issue["type"]}
            for issue in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidParams(f"{method.name}: {_first_issue(error)}", issues) from error


def _first_issue(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "value"
    return f"{where}: {first['msg']}"
