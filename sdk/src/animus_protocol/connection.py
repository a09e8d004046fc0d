"""One side of a JSON-RPC connection without I/O: who asked what, who still waits, what the bytes mean.

Below it lies `framing.py`. Both directions are symmetric: each side may send requests, notifications and replies. A
reply is paired once: late, repeated and unknown ones are reported as dropped. A request is answered once: a second
answer is refused (protocol §1-3).
"""

from __future__ import annotations

import contextlib
from typing import Any, Final, Generic, NamedTuple, TypeVar

from animus_protocol.encoding import encode
from animus_protocol.errors import FrameTooLarge, RpcError
from animus_protocol.frame_text import MAX_FRAME_BYTES
from animus_protocol.framing import BadFrame, Framer

__all__ = ["Cancel", "Connection", "Dropped", "Incoming", "Notification", "Reply", "Request"]

Waiter = TypeVar("Waiter")
RequestId = int | str

_CANCEL: Final = "$/cancelRequest"
_NULL_RESULT: Final = b"null"
# Of a message that makes its frame too large: enough to say what is wrong, and it fits into any frame.
_CUT_CHARACTERS: Final = 1000
_EXCERPT_BYTES: Final = 200
_NOBODY: Final[Any] = object()


class Request(NamedTuple):
    """The other side asks; exactly one of `Connection.result` and `Connection.error` answers."""

    id: RequestId
    method: str
    params: Any


class Notification(NamedTuple):
    """The other side says something and wants no answer."""

    method: str
    params: Any


class Cancel(NamedTuple):
    """The other side no longer wants the answer to a request, or the stream that a request opened."""

    id: RequestId


class Reply(NamedTuple, Generic[Waiter]):
    """The answer to a request of ours: `error` or else `result`."""

    waiter: Waiter
    result: Any
    error: RpcError | None


class Dropped(NamedTuple):
    """Input that means nothing here: why, and how it began. The connection goes on."""

    reason: str
    excerpt: bytes


Incoming = Request | Notification | Cancel | Reply[Waiter] | Dropped


class Connection(Generic[Waiter]):
    """Correlation and tolerance for one connection.

    `Waiter` is whatever the caller wants back with the reply (a future, a test's marker). Frames that the methods
    return are complete lines, ready to be written in the order of the calls.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._framer = Framer(max_frame_bytes)
        self._max_frame_bytes = max_frame_bytes
        self._waiters: dict[int, Waiter] = {}
        self._open: set[RequestId] = set()
        self._next_id = 1
        self.dropped_frames = 0

    @property
    def waiting(self) -> int:
        """How many of our requests have no answer yet."""
        return len(self._waiters)

    def waiters(self) -> list[Waiter]:
        """Everyone who waits for an answer, in the order of the requests."""
        return list(self._waiters.values())

    @property
    def open_requests(self) -> int:
        """How many requests of the other side wait for our answer."""
        return len(self._open)

    def request(self, method: str, params: bytes, waiter: Waiter) -> tuple[int, bytes]:
        """The id and frame of a new request; ids are small positive integers, counted from 1 (protocol §1).

        Raises FrameTooLarge, and then remembers nothing.
        """
        number = self._next_id
        frame = b'{"jsonrpc":"2.0","id":%d,"method":%b,"params":%b}\n' % (number, _quoted(method), params)
        self._fits(frame)
        self._next_id = number + 1
        self._waiters[number] = waiter
        return number, frame

    def notification(self, method: str, params: bytes) -> bytes:
        """The frame of a notification. Raises FrameTooLarge."""
        frame = b'{"jsonrpc":"2.0","method":%b,"params":%b}\n' % (_quoted(method), params)
        self._fits(frame)
        return frame

    def cancel(self, number: int) -> bytes | None:
        """Stop waiting for `number` and tell the other side; None when it was answered meanwhile."""
        if number not in self._waiters:
            return None
        # Should its answer still come, it is dropped as a late one.
        del self._waiters[number]
        return self.notification(_CANCEL, b'{"id":%d}' % number)

    def result(self, request_id: RequestId, result: bytes) -> bytes | None:
        """The frame that answers a request; None when it is no longer open. Raises FrameTooLarge."""
        if request_id not in self._open:
            return None
        shown = b"%d" % request_id if type(request_id) is int else encode(request_id)
        frame = b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (shown, result or _NULL_RESULT)
        self._fits(frame)
        self._open.discard(request_id)
        return frame

    def error(self, request_id: RequestId, error: RpcError) -> bytes | None:
        """The frame that refuses a request; None when it is no longer open.

        Never raises: `data` that is not valid JSON is left out, and what makes the frame too large is cut.
        """
        if request_id not in self._open:
            return None
        self._open.discard(request_id)
        text = error.message.encode(errors="replace").decode()  # half a surrogate pair is not UTF-8
        plain: dict[str, Any] = {"code": int(error.code), "message": text}
        if error.data is not None:
            with contextlib.suppress(ValueError):
                frame = _refusal(request_id, {**plain, "data": error.data})
                if len(frame) <= self._max_frame_bytes:
                    return frame
        frame = _refusal(request_id, plain)
        if len(frame) > self._max_frame_bytes:
            frame = _refusal(request_id, {**plain, "message": text[:_CUT_CHARACTERS]})
        return frame

    def receive(self, chunk: bytes) -> list[Incoming[Waiter]]:
        """What `chunk` completes, in the order of arrival. Never raises on anything a peer can send."""
        return [self._classify(value) for value in self._framer.feed(chunk)]

    def end(self) -> list[Incoming[Waiter]]:
        """The end of input: what was left in the buffer. Our open requests stay with `abandon`."""
        return [self._classify(value) for value in self._framer.end()]

    def abandon(self) -> list[Waiter]:
        """Everyone who still waits, when no answer can come any more; nobody waits afterwards.

        Requests of the other side stay open: one that only ended its own half of the connection may still read.
        """
        waiters = list(self._waiters.values())
        self._waiters.clear()
        return waiters

    def _fits(self, frame: bytes) -> None:
        if len(frame) > self._max_frame_bytes:
            raise FrameTooLarge(f"a frame of {len(frame)} bytes is over the limit of {self._max_frame_bytes}")

    def _classify(self, value: Any) -> Incoming[Waiter]:
        # Values come from the parser, so exact types are enough; `isinstance` costs more, and takes a bool for an int.
        if type(value) is not dict:
            return (
                self._drop_frame(value) if isinstance(value, BadFrame) else self._drop("not a JSON-RPC message", value)
            )
        method = value.get("method")
        if method is None:
            return self._answered(value)
        if type(method) is not str:
            return self._drop("neither a request nor a reply", value)
        params = value.get("params")
        if params is None:
            params = {}
        request_id = value.get("id")
        if request_id is None:
            return self._cancelled(params) if method == _CANCEL else Notification(method, params)
        if type(request_id) is not int and type(request_id) is not str:
            return self._drop("a request id that is neither an integer nor a string", value)
        # Two answers under one id could not be told apart.
        if request_id in self._open:
            return self._drop("a request id that is still in use", value)
        self._open.add(request_id)
        return Request(request_id, method, params)

    def _cancelled(self, params: Any) -> Incoming[Waiter]:
        request_id = params.get("id") if isinstance(params, dict) else None
        if isinstance(request_id, int | str) and not isinstance(request_id, bool):
            return Cancel(request_id)
        return self._drop("a cancellation without a usable id", params)

    def _answered(self, value: dict[str, Any]) -> Incoming[Waiter]:
        error = value.get("error")
        # Some peers write `"error": null` beside a result: that is a result, and so is `"result": null`.
        if error is None and "result" not in value and "error" not in value:
            return self._drop("neither a request nor a reply", value)
        number = value.get("id")
        if type(number) is not int:
            return self._drop("a reply without a usable id", value)
        waiter = self._waiters.pop(number, _NOBODY)
        if waiter is _NOBODY:
            known = 0 < number < self._next_id
            return self._drop("a late or repeated reply" if known else "a reply to an unknown id", value)
        if error is None:
            return Reply(waiter, value.get("result"), None)
        return Reply(waiter, None, RpcError.of_reply(error))

    def _drop(self, reason: str, value: Any) -> Dropped:
        self.dropped_frames += 1
        return Dropped(reason, encode(value)[:_EXCERPT_BYTES])

    def _drop_frame(self, frame: BadFrame) -> Dropped:
        self.dropped_frames += 1
        return Dropped(frame.reason, frame.excerpt)


def _refusal(request_id: RequestId, error: dict[str, Any]) -> bytes:
    return encode({"jsonrpc": "2.0", "id": request_id, "error": error}) + b"\n"


_method_names: dict[str, bytes] = {}


def _quoted(method: str) -> bytes:
    quoted = _method_names.get(method)
    if quoted is None:
        quoted = encode(method)
        # Through `plugin/call` clients choose the names: without a bound they could fill the memory.
        if len(_method_names) < 1024:
            _method_names[method] = quoted
    return quoted
