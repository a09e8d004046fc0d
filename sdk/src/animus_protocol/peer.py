"""A live connection on asyncio: typed calls out, requests and notifications in.

Below it lie `connection.py` (meaning) and `pump.py` (bytes). One task a request that comes in; calls going out cost a
future and a timer.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from pydantic_core import ValidationError

from animus_protocol.connection import Cancel, Connection, Dropped, Notification, Reply, Request
from animus_protocol.encoding import encode
from animus_protocol.errors import (
    BadReply,
    CallTimeout,
    Cancelled,
    Code,
    PeerGone,
    PeerStuck,
    ProtocolError,
    RpcError,
)
from animus_protocol.frame_text import MAX_FRAME_BYTES
from animus_protocol.pending_call import PendingCall
from animus_protocol.pump import Pump
from animus_protocol.reading import first_issue, read_value

if TYPE_CHECKING:
    from animus_protocol.models.base import Method, Params, Result

__all__ = ["Peer", "PeerHandler"]

_log = logging.getLogger("animus.peer")
_T = TypeVar("_T")
# Each request of the other side is a task here: a bound on what a flood of them costs, far above any host's own use.
_MAX_OPEN_REQUESTS: Final = 4096
_DROPS_LOGGED: Final = 16
# One frame of the largest size may wait while the next one is written.
_MAX_UNREAD_BYTES: Final = 2 * MAX_FRAME_BYTES
# By number too: two peers that wait for each other's one big answer would wait for ever.
_MAX_UNREAD_ANSWERS: Final = 64
_MAX_UNREAD_ANSWERS_BYTES: Final = 1024 * 1024
# As long as a host waits after `exit` before it sends SIGTERM (protocol §2).
_FLUSH_S: Final = 2.0
# Some typed handlers refuse absent or null params with -32602 (protocol §1).
_EMPTY_PARAMS: Final = b"{}"


class PeerHandler(Protocol):
    """What a peer does with the other side's requests and notifications."""

    def request(self, peer: Peer, request: Request) -> Coroutine[Any, Any, object] | object:
        """Answer a request: a model, JSON, or None (`{}` must be said as `Empty()`); errors by raising RpcError.

        A coroutine runs in a task of its own; any other value is the answer, sent at once, and nothing else of this
        connection happens while it is made.
        """
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
    `name` is who is at the other end, for errors and logs; `redact` takes out of a text what no log may show. What
    waits to be read by the other side is bounded: 32 MiB of ours (then PeerStuck), 64 answers of together 1 MiB (then
    nothing more is read from it until it takes them).
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        handler: PeerHandler,
        *,
        name: str,
        on_end: Callable[[str], None] | None = None,
        redact: Callable[[str], str] = str,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self.name = name
        self._redact = redact
        self._handler = handler
        self._on_end = on_end
        self._connection: Connection[PendingCall] = Connection(max_frame_bytes)
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int | str, asyncio.Task[None]] = {}
        self._unstarted: dict[int | str, Coroutine[Any, Any, object]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._earliest_deadline = math.inf
        self._closing = False
        self._drops = 0
        self._received_bytes = 0
        self._unread_answers = 0
        self._unread_answers_bytes = 0
        self._paused_by: set[object] = set()
        self._pump = Pump(read_fd, write_fd, self._received, self._ended, self._room)
        self.ended: asyncio.Future[str] = self._loop.create_future()
        # Last: from here on input may arrive, and it finds every attribute.
        self._pump.start()

    @property
    def dropped_frames(self) -> int:
        """How many pieces of input meant nothing and were dropped."""
        return self._connection.dropped_frames

    @property
    def received_bytes(self) -> int:
        """How much has come in so far, whatever it meant."""
        return self._received_bytes

    @property
    def waiting_calls(self) -> int:
        """How many of our calls have no answer yet."""
        return self._connection.waiting

    @property
    def waiting_since(self) -> float | None:
        """When the oldest call that still waits was made (the loop's clock)."""
        return min((call.began for call in self._connection.waiters()), default=None)

    @property
    def open_requests(self) -> int:
        """How many requests of the other side are being answered."""
        return len(self._tasks)

    async def call(self, method: Method[Params, Result], params: Params, *, timeout_s: float) -> Result:
        """Ask and wait for the typed result.

        Raises RpcError (the peer refused; the subclass says how), CallTimeout (no answer in `timeout_s`; the peer was
        told to cancel), PeerGone, PeerStuck, BadReply, FrameTooLarge. Cancelling the caller sends `$/cancelRequest`.
        """
        if method.result is None:
            raise TypeError(f"{method.name} is a notification")
        raw = await self._ask(method.name, encode(params), timeout_s)
        try:
            return read_value(method.result, raw)
        except ValidationError as error:
            where = first_issue(error)
            why = f"the result of {method.name} does not fit: {where}"
            raise BadReply(f"{self.name}: {why}", why=why) from error

    async def call_raw(
        self, method: str, params: bytes, *, timeout_s: float, sent: Callable[[int], None] | None = None
    ) -> Any:
        """`call` for a method whose types nobody here knows: JSON in (already encoded), JSON out.

        `sent` is told the request's id before anything can answer it: the notifications of a stream carry it.
        """
        call = self._ask(method, params, timeout_s)
        if sent is not None:
            sent(call.number)
        return await call

    def notify(self, method: Method[Params, None], params: Params) -> None:
        """Tell; returns at once. Raises FrameTooLarge, PeerStuck. Whoever tells much awaits `drained` between."""
        self.notify_raw(method.name, encode(params))

    def notify_raw(self, method: str, params: bytes = _EMPTY_PARAMS) -> None:
        """`notify` with params that are encoded already."""
        self._check_unread()
        self._pump.write(self._connection.notification(method, params), at_once=False)

    async def drained(self) -> None:
        """Wait until the other side has taken most of what was sent. Raises PeerGone."""
        await self._pump.drained()

    def pause(self, who: object) -> None:
        """Read nothing more until `who`, and everybody else who paused, resumes: the other side has to wait."""
        self._paused_by.add(who)
        self._pump.pause()

    def resume(self, who: object) -> None:
        """Take back what `who` has paused."""
        self._paused_by.discard(who)
        if not self._paused_by:
            self._pump.resume()

    def hang_up(self, reason: str) -> None:
        """The process at the other end has exited: read what it said, then end, though others may hold its pipe."""
        self._pump.finish(reason)

    async def idle(self, deadline: float) -> bool:
        """Wait until every other request is answered, at most until `deadline` (the loop's clock); tell whether."""
        others = self._others()
        if others:
            await asyncio.wait(others, timeout=max(0.0, deadline - self._loop.time()))
        return all(task.done() for task in others)

    async def cancel_requests(self, deadline: float) -> bool:
        """Cancel every other request that is being answered, then as `idle`; each is answered with `-32002`."""
        own = asyncio.current_task()
        for request_id, task in list(self._tasks.items()):
            if task is not own:
                self._cancel(request_id)
        return await self.idle(deadline)

    async def aclose(self, *, flush_s: float = _FLUSH_S) -> None:
        """Cancel what is being answered, send what was written (`flush_s` at most each), close. Safe to call again."""
        self._closing = True
        try:
            if not await self.cancel_requests(self._loop.time() + flush_s):
                self._warn(f"{len(self._others())} requests go on after their cancellation")
            # The answers that the cancellations have made leave with the rest.
            async with asyncio.timeout(flush_s):
                await self._pump.flushed()
        except TimeoutError:
            self._warn(f"gave up sending {self._pump.kept_bytes} bytes at close")
        finally:
            self._pump.close()

    def _ask(self, method: str, params: bytes, timeout_s: float) -> PendingCall:
        if self.ended.done():
            raise PeerGone(f"{self.name} is gone: {self.ended.result()}")
        self._check_unread()
        call = PendingCall(self._loop, method, timeout_s, self._stop_waiting)
        call.number, frame = self._connection.request(method, params, call)
        # A lone call leaves at once; of several, all that are made in one turn of the loop share one write.
        self._pump.write(frame, at_once=self._connection.waiting == 1)
        if call.deadline < self._earliest_deadline:
            self._watch_deadline(call.deadline)
        return call

    def _check_unread(self) -> None:
        if self._pump.kept_bytes > _MAX_UNREAD_BYTES:
            why = f"does not read: {self._pump.kept_bytes} bytes wait for it"
            raise PeerStuck(f"{self.name} {why}", why=why)

    def _room(self) -> None:
        self._unread_answers = self._unread_answers_bytes = 0
        self.resume(self)

    def _received(self, chunk: bytes) -> None:
        self._received_bytes += len(chunk)
        for incoming in self._connection.receive(chunk):
            if isinstance(incoming, Reply):
                # No task runs here, the loop has called us: so the caller may go on at once (see `pending_call.py`).
                incoming.waiter.resolve(incoming.result, incoming.error)
            else:
                self._take(incoming)

    def _take(self, incoming: Request | Notification | Cancel | Dropped) -> None:
        if isinstance(incoming, Request):
            self._start(incoming)
        elif isinstance(incoming, Notification):
            self._deliver(incoming.method, self._handler.notification, incoming)
        elif isinstance(incoming, Cancel):
            if not self._cancel(incoming.id):
                self._deliver("$/cancelRequest", self._handler.cancelled, incoming.id)
        else:
            self._drops += 1
            if self._drops <= _DROPS_LOGGED or self._drops.bit_count() == 1:  # else garbage would fill the log
                excerpt = self._redact(repr(incoming.excerpt))
                self._warn(f"dropped input (number {self._drops}): {incoming.reason}: {excerpt}")

    def _warn(self, text: str) -> None:
        # The text alone for whoever shows the log of one peer: the name would stand before each of its lines.
        _log.warning("%s: %s", self.name, text, extra={"source": self.name, "text": text})

    def _deliver(self, what: str, listener: Callable[[Peer, _T], None], message: _T) -> None:
        try:
            listener(self, message)
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
        try:
            answer = self._handler.request(self, request)
            if type(answer) is not CoroutineType:
                self._send(self._connection.result(request.id, encode(answer)))
                return
        except Exception as error:  # noqa: BLE001 - the boundary: whatever a handler raises, the asker gets an answer
            self._send(self._connection.error(request.id, self._refusal(request, error)))
            return
        # No task group: that would cost each request 27 µs more (measured, ADR 0001). `aclose` ends these tasks.
        self._tasks[request.id] = self._loop.create_task(self._answer(request, answer))
        self._unstarted[request.id] = answer

    def _cancel(self, request_id: int | str) -> bool:
        """Cancel the answering of a request; whether there was one to cancel."""
        task = self._tasks.get(request_id)
        if task is None or not task.cancel():
            return False
        answer = self._unstarted.pop(request_id, None)
        if answer is not None:  # its task never takes its first step, so nothing in it could answer
            answer.close()
            del self._tasks[request_id]
            self._send(self._connection.error(request_id, Cancelled()))
        return True

    async def _answer(self, request: Request, answer: Coroutine[Any, Any, object]) -> None:
        del self._unstarted[request.id]
        try:
            frame = self._connection.result(request.id, encode(await answer))
        except asyncio.CancelledError:
            frame = self._connection.error(request.id, Cancelled())
        except Exception as error:  # noqa: BLE001 - the boundary: whatever a handler raises, the asker gets an answer
            frame = self._connection.error(request.id, self._refusal(request, error))
        # Before the answer leaves: the other side may use the id again as soon as it has read it.
        del self._tasks[request.id]
        self._send(frame)

    def _refusal(self, request: Request, error: Exception) -> RpcError:
        if isinstance(error, RpcError):
            return error
        if isinstance(error, ProtocolError):
            return RpcError(Code.INTERNAL_ERROR, str(error))
        # What the exception says may be a path or a secret: that is for our log and not for the other side.
        _log.error("%s: %s failed", self.name, request.method, exc_info=error)
        return RpcError(Code.INTERNAL_ERROR, "internal error", {"category": "internal"})

    def _others(self) -> list[asyncio.Task[None]]:
        # `shutdown` is a request itself, and waits here for all others.
        return [task for task in self._tasks.values() if task is not asyncio.current_task()]

    def _send(self, frame: bytes | None) -> None:
        if frame is not None:
            # The last open answer leaves at once if nothing waits before it; others share a write at the turn's end.
            self._pump.write(frame, at_once=self._connection.open_requests == 0)
            if self._pump.kept_bytes:
                self._unread_answers += 1
                self._unread_answers_bytes += len(frame)
                if (
                    self._unread_answers > _MAX_UNREAD_ANSWERS
                    and self._unread_answers_bytes > _MAX_UNREAD_ANSWERS_BYTES
                ):
                    self.pause(self)

    def _watch_deadline(self, deadline: float) -> None:
        """One timer for all calls, at the earliest deadline: most calls end long before theirs."""
        if self._timer is not None:
            self._timer.cancel()
        self._earliest_deadline = deadline
        # A timeout of its own (`anyio.fail_after`) would cost each call 26 µs (measured, ADR 0001).
        self._timer = self._loop.call_at(deadline, self._deadline_passed)

    def _deadline_passed(self) -> None:
        self._timer, self._earliest_deadline = None, math.inf
        now = self._loop.time()
        left = []
        for call in self._connection.waiters():
            if call.deadline > now:
                left.append(call.deadline)
            else:
                self._stop_waiting(call)
                timeout_s = call.deadline - call.began
                why = f"did not answer {call.method} within {timeout_s:g} s"
                call.resolve(None, CallTimeout(f"{self.name} {why}", why=why))
        if left:
            self._watch_deadline(min(self._earliest_deadline, *left))

    def _stop_waiting(self, call: PendingCall) -> None:
        frame = self._connection.cancel(call.number)
        # A peer that reads nothing would never see the cancellation: it would only add to what waits.
        if frame is not None and self._pump.kept_bytes <= _MAX_UNREAD_BYTES:
            self._pump.write(frame, at_once=False)

    def _ended(self, reason: str) -> None:
        for incoming in self._connection.end():
            if isinstance(incoming, Reply):  # its caller goes on later: whoever closes this peer is a task itself
                incoming.waiter.resolve_soon(incoming.result, incoming.error)
            else:
                self._take(incoming)
        # Before the callers go on: whoever asks again then is told that the peer is gone.
        if not self.ended.done():
            self.ended.set_result(reason)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for call in self._connection.abandon():
            call.resolve_soon(None, PeerGone(f"{self.name} is gone: {reason}"))
        if self._on_end is not None:
            self._on_end(reason)
