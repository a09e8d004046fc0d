"""The protocol's error codes and the exceptions that carry them: the one tree of errors of this distribution.

Nothing lies below. A class says what the caller can do: `NotSupported` means fall back, `Unavailable` and `CallTimeout`
mean ask again later, `PeerGone` means the process must be started again, every other `RpcError` is the peer's own
refusal (protocol §3).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar

__all__ = [
    "BadReply",
    "CallTimeout",
    "Cancelled",
    "Code",
    "FrameTooLarge",
    "InvalidParams",
    "MethodNotFound",
    "NotFound",
    "NotSupported",
    "PeerGone",
    "PeerStuck",
    "PluginError",
    "ProtocolError",
    "RpcError",
    "Unavailable",
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
    """Base of all that this package raises.

    `why` is the message without the peer's name and without the `prefix` of its class.
    """

    def __init__(self, message: str = "", *, why: str | None = None) -> None:
        super().__init__(message)
        self.why = message if why is None else why


class PeerGone(ProtocolError):
    """The peer's process or connection ended; the call may or may not have been carried out."""


class CallTimeout(ProtocolError):
    """No reply within the call's deadline; the peer was asked to cancel."""


class BadReply(ProtocolError):
    """The peer answered with a result that does not fit the method's type."""


class FrameTooLarge(ProtocolError):
    """The value to send is larger than a frame may be; nothing was sent."""


class PeerStuck(ProtocolError):
    """The peer does not read what it is sent and too much waits for it already; nothing was sent. Ask again later."""


class RpcError(ProtocolError):
    """An error reply, received or to be sent.

    `data` is the reply's `error.data`, whatever the peer put there; `category` reads `data.category`. Raise it yourself
    where no class below says what is meant, with a code of your own.
    """

    prefix: ClassVar[str] = ""
    """What messages of the class begin with, also when they are received; `why` is without it."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message, why=str(message).removeprefix(self.prefix))
        self.code = code
        self.message = str(message)  # whoever has no type checker hands in the exception that they caught
        self.data = data

    def __str__(self) -> str:
        """The message; the code stands behind it where no class says what it means."""
        return f"{self.message} ({self.code})" if type(self) is RpcError else self.message

    @property
    def category(self) -> str | None:
        """`error.data.category`, where the peer gives one."""
        value = self.data.get("category") if isinstance(self.data, dict) else None
        return value if isinstance(value, str) else None

    @staticmethod
    def of_reply(error: Any) -> RpcError:
        """The exception for the `error` of a reply, whatever stands there."""
        # However malformed, it is the answer: its caller must not go on waiting.
        if not isinstance(error, dict):
            return RpcError.received(Code.INTERNAL_ERROR, f"malformed error object: {error!r:.200}")
        code, message = error.get("code"), error.get("message")
        return RpcError.received(
            code if isinstance(code, int) and not isinstance(code, bool) else Code.INTERNAL_ERROR,
            message if isinstance(message, str) else "",
            error.get("data"),
        )

    @staticmethod
    def received(code: int, message: str, data: Any = None) -> RpcError:
        """The exception of the class that fits the code, or else the category in `data`."""
        error = RpcError(code, message, data)
        cls = _class_of(code, error.category)
        if cls is RpcError:
            return error
        typed = cls.__new__(cls)  # not its own __init__, which would make a message; this one is the peer's
        RpcError.__init__(typed, code, message, data)
        return typed


class MethodNotFound(RpcError):
    """The peer does not know the method, or does not claim the subject kind."""

    prefix = "method not found: "

    def __init__(self, method: str) -> None:
        super().__init__(Code.METHOD_NOT_FOUND, f"{self.prefix}{method}")


class NotSupported(RpcError):
    """The peer knows the operation and does not offer it, so fall back; say what: `NotSupported("labels")`."""

    prefix = "not supported: "

    def __init__(self, what: str) -> None:
        super().__init__(Code.NOT_SUPPORTED, f"{self.prefix}{what}", {"category": "not_supported"})


class InvalidParams(RpcError):
    """What was given is wrong; the message says what, where, and what to do.

    `issues` are `{path, message, code}`, one a mistake, and travel as `data.issues`.
    """

    def __init__(self, message: str, issues: list[dict[str, str]] | None = None) -> None:
        data = {"category": "invalid_request", "issues": issues} if issues else {"category": "invalid_request"}
        super().__init__(Code.INVALID_PARAMS, message, data)


class NotFound(RpcError):
    """The named thing does not exist here; say what: `NotFound("task TASK-7")`."""

    prefix = "not found: "

    def __init__(self, what: str) -> None:
        super().__init__(Code.INVALID_PARAMS, f"{self.prefix}{what}", {"category": "not_found"})


class Unavailable(RpcError):
    """The system behind the peer does not answer now: ask again later."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INTERNAL_ERROR, message, {"category": "unavailable"})


class PluginError(RpcError):
    """It went wrong over there, and no class above says how; the message is shown to people."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INTERNAL_ERROR, message, {"category": "internal"})


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
_BY_CATEGORY: dict[tuple[int, str | None], type[RpcError]] = {
    (Code.INVALID_PARAMS, "not_found"): NotFound,
    (Code.INTERNAL_ERROR, "unavailable"): Unavailable,
    (Code.INTERNAL_ERROR, "internal"): PluginError,
}
"""Codes that say too little alone. A category never changes what another code means: callers decide by that."""


def _class_of(code: int, category: str | None) -> type[RpcError]:
    return _BY_CATEGORY.get((code, category)) or _BY_CODE.get(code, RpcError)
