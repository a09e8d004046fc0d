"""A connection to the daemon without an event loop: one call after another, each with its deadline.

For commands that ask one thing and end: asyncio takes longer to import than the daemon to answer. Below lie
`message_lines.py` and the protocol's errors, which are the same as those of a peer.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from animus_core.control.message_lines import MessageLines
from animus_core.store.paths import check_socket_path
from animus_protocol.errors import CallTimeout, FrameTooLarge, PeerGone, RpcError
from animus_protocol.frame_text import MAX_FRAME_BYTES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BlockingConnection", "OnNotification", "dial", "dial_while"]

OnNotification = Callable[[str, Any], None]
"""Gets the method and the params of each notification, in the order of arrival."""

_CONNECT_S: Final = 2.0
_CANCEL_S: Final = 0.2  # whoever has interrupted a command does not wait for the daemon once more
_POLL_S: Final = 0.02  # shorter than anybody notices
_LONGEST_S: Final = 2_000_000.0  # 23 days: a socket's timeout has to fit into 2^31 milliseconds
_READ_BYTES: Final = 64 * 1024


class BlockingConnection:
    """One connection, owned by whoever enters it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines = MessageLines()
        self._messages: deque[dict[str, Any]] = deque()
        self._number = 0

    def call(
        self,
        method: str,
        params: Mapping[str, object],
        *,
        timeout_s: float,
        on_notification: OnNotification = lambda _method, _params: None,
    ) -> Any:
        """Ask and wait for the JSON of the result.

        Raises RpcError, CallTimeout, PeerGone, BadReply, FrameTooLarge.
        A call that ends without its answer is cancelled, also when the process is interrupted.
        """
        self._number += 1
        frame = _frame({"id": self._number, "method": method, "params": params})
        deadline = time.monotonic() + timeout_s
        try:
            self._send(frame, deadline)
            while True:
                message = self._next(deadline)
                if isinstance(message.get("method"), str):
                    _deliver(message, on_notification)
                # Not by `==` alone: `true` and `1.0` are equal to 1, and no ids of ours.
                elif type(number := message.get("id")) is int and number == self._number and _is_reply(message):
                    break
        except TimeoutError as error:
            self._cancel()
            raise CallTimeout(f"daemon did not answer {method} within {timeout_s:g} s") from error
        except BaseException:
            self._cancel()
            raise
        # Some peers write `"error": null` beside a result.
        if message.get("error") is not None:
            raise RpcError.of_reply(message["error"])
        return message.get("result")

    def listen(self, on_notification: OnNotification) -> None:
        """Give on each notification until the daemon leaves: as long as that takes."""
        with contextlib.suppress(PeerGone):
            while True:
                _deliver(self._next(None), on_notification)

    def __enter__(self) -> BlockingConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def _send(self, frame: bytes, deadline: float) -> None:
        self._wait_until(deadline)
        try:
            self._sock.sendall(frame)
        except TimeoutError:
            raise
        except OSError as error:
            raise PeerGone(f"daemon is gone: write failed: {error.strerror}") from error

    def _cancel(self) -> None:
        """Tell the daemon that nobody waits any more, if it takes that at once."""
        with contextlib.suppress(OSError):
            self._sock.settimeout(_CANCEL_S)
            self._sock.sendall(_frame({"method": "$/cancelRequest", "params": {"id": self._number}}))

    def _next(self, deadline: float | None) -> dict[str, Any]:
        while not self._messages:
            self._wait_until(deadline)
            try:
                chunk = self._sock.recv(_READ_BYTES)
            except TimeoutError:
                raise
            except OSError as error:
                raise PeerGone(f"daemon is gone: read failed: {error.strerror}") from error
            self._messages.extend(self._lines.feed(chunk) if chunk else self._lines.end())
            if not chunk and not self._messages:
                raise PeerGone("daemon is gone: end of input")
        return self._messages.popleft()

    def _wait_until(self, deadline: float | None) -> None:
        left_s = None if deadline is None else deadline - time.monotonic()
        if left_s is not None and left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(None if left_s is None else min(left_s, _LONGEST_S))


def dial(path: Path) -> BlockingConnection | None:
    """Connect to `path`; None when nobody listens there. Raises InvalidInput for a path too long for a socket."""
    check_socket_path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(_CONNECT_S)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        return None
    return BlockingConnection(sock)


def dial_while(path: Path, is_expected: Callable[[], bool], *, timeout_s: float) -> BlockingConnection | None:
    """Connect to `path` as soon as somebody listens there; None if nobody is expected to, or not within `timeout_s`.

    `is_expected` is asked after each attempt that found nobody; what it raises is raised.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = dial(path)
        if found is not None:
            return found
        if not is_expected() or time.monotonic() > deadline:
            return None
        time.sleep(_POLL_S)  # no event says that somebody listens there, or that a lock is free


def _is_reply(message: Mapping[str, Any]) -> bool:
    return "result" in message or "error" in message


def _deliver(message: Mapping[str, Any], on_notification: OnNotification) -> None:
    # With an id it would be a question, and a command answers none.
    if message.get("id") is None:
        on_notification(message["method"], message.get("params"))


def _frame(message: Mapping[str, object]) -> bytes:
    whole = {"jsonrpc": "2.0", **message}
    try:
        text = _to_json(whole)
    except ValueError:
        # JSON has no word for NaN and infinities: null, as `encode` writes them.
        text = _to_json(json.loads(json.dumps(whole), parse_constant=lambda _: None))
    frame = text.encode() + b"\n"
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"a frame of {len(frame)} bytes is over the limit of {MAX_FRAME_BYTES}")
    return frame


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
