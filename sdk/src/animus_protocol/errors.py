"""The protocol's error codes and the exceptions that carry them.

Raised by the peer on a failed call and by handlers to answer with an error; nothing lies below. Classes say what the
caller can do: `NotSupported` means fall back, `PeerGone` means the process must be started again, `CallTimeout` means
ask again later, every other `RpcError` is the peer's own refusal (protocol §3).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

__all__ = [
    "CallTimeout",
    "Cancelled",
    "Code",
    "FrameTooLarge",
    "InvalidParams",
    "MethodNotFound",
    "NotSupported",
    "PeerGone",
    "PeerStuck",
    "ProtocolError",
    "RpcError",
    "not_found",
]


class Code(IntEnum):
    """Error codes with a meaning of their own; any other code is a generic failure (protocol §3)."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    NOT_INITIALIZED = -32000
    NOT_SUPPORTED = -32001
    CANCELLED = -32002
    TIMEOUT = -32003


class ProtocolError(Exception):
    """Base of all that this package raises."""


class PeerGone(ProtocolError):
    """The peer's process or connection ended; the call may or may not have been carried out."""


class CallTimeout(ProtocolError):
    """No reply within the call's deadline; the peer was asked to cancel."""


class FrameTooLarge(ProtocolError):
    """The value to send is larger than a frame may be; nothing was sent."""


class PeerStuck(ProtocolError):
    """The peer does not read what it is sent and too much waits for it already; nothing was sent. Ask again later."""


class RpcError(ProtocolError):
    """An error reply, received or to be sent.

    `data` is the reply's `error.data`, whatever the peer put there; `category` reads `data.category`.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.data = data

    @property
    def category(self) -> str | None:
        """`error.data.category`, where the peer gives one."""
        value = self.data.get("category") if isinstance(self.data, dict) else None
        return value if isinstance(value, str) else None

    @staticmethod
    def received(code: int, message: str, data: Any = None) -> RpcError:
        """The exception of the class that fits `code`."""
        cls = _BY_CODE.get(code, RpcError)
        error = cls.__new__(cls)
        RpcError.__init__(error, code, message, data)
        return error


class MethodNotFound(RpcError):
    """The peer does not know the method, or does not claim the subject kind."""

    def __init__(self, method: str) -> None:
        super().__init__(Code.METHOD_NOT_FOUND, f"method not found: {method}")


class NotSupported(RpcError):
    """The peer knows the method and does not offer it: fall back, do not fail."""

    def __init__(self, what: str) -> None:
        super().__init__(Code.NOT_SUPPORTED, f"not supported: {what}", {"category": "not_supported"})


class InvalidParams(RpcError):
    """The params do not fit the method; `data.issues` lists `{path, message, code}`."""

    def __init__(self, message: str, issues: list[dict[str, str]] | None = None) -> None:
        data = {"category": "invalid_request", "issues": issues} if issues else {"category": "invalid_request"}
        super().__init__(Code.INVALID_PARAMS, message, data)


class Cancelled(RpcError):
    """The request was cancelled by the caller."""

    def __init__(self, message: str = "request cancelled") -> None:
        super().__init__(Code.CANCELLED, message)


_BY_CODE: dict[int, type[RpcError]] = {
    Code.METHOD_NOT_FOUND: MethodNotFound,
    Code.NOT_SUPPORTED: NotSupported,
    Code.INVALID_PARAMS: InvalidParams,
    Code.CANCELLED: Cancelled,
}


def not_found(what: str) -> RpcError:
    """The error for a thing that does not exist: `-32602` with category `not_found` (protocol §3)."""
    return RpcError.received(Code.INVALID_PARAMS, f"not found: {what}", {"category": "not_found"})
