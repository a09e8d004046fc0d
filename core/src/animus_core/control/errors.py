"""Errors on the control socket: our exceptions to `{code, data: {category, …}}` and back, each in one place.

Below lie the core's and the protocol's errors (protocol §5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from animus_core.errors import (
    AnimusError,
    Conflict,
    Internal,
    InvalidInput,
    RetryLater,
    UnclaimedKind,
    UnknownName,
)
from animus_protocol.errors import CallTimeout, Code, PeerGone, ProtocolError, RpcError

__all__ = ["from_protocol", "refusal_of", "to_rpc"]

# The first that fits is taken, so a class stands above its bases; AnimusError catches the rest.
_OUT: Final[list[tuple[type[AnimusError], Code, str]]] = [
    (InvalidInput, Code.INVALID_PARAMS, "invalid_request"),
    (UnclaimedKind, Code.METHOD_NOT_FOUND, "not_found"),
    (UnknownName, Code.INVALID_PARAMS, "not_found"),
    (Conflict, Code.INVALID_REQUEST, "conflict"),
    (RetryLater, Code.INTERNAL_ERROR, "unavailable"),
    (AnimusError, Code.INTERNAL_ERROR, "internal"),
]
_IN: Final[dict[str, type[AnimusError]]] = {
    "invalid_request": InvalidInput,
    "not_found": UnknownName,
    "conflict": Conflict,
    # Never sent by us; other daemons answer so (protocol §5).
    "permission_denied": Conflict,
    "unavailable": RetryLater,
    "not_supported": RetryLater,
    "internal": Internal,
}


def to_rpc(error: Exception) -> RpcError | None:
    """The error reply for an exception of ours; None for anything else."""
    if not isinstance(error, AnimusError):
        return None
    code, category = next((code, category) for cls, code, category in _OUT if isinstance(error, cls))
    data: dict[str, Any] = {"category": category, "message": error.message}
    if error.hint is not None:
        data["hint"] = error.hint
    if error.details is not None:
        data["details"] = error.details
    return RpcError(code, error.message, data)


def from_protocol(error: ProtocolError) -> AnimusError:
    """The exception of ours for what a call to the daemon raised."""
    if isinstance(error, RpcError):
        data = error.data if isinstance(error.data, dict) else {}
        # Without a category: an older daemon, or params that its table refused before a service saw them.
        fallback = InvalidInput if error.code == Code.INVALID_PARAMS else Internal
        cls = _IN.get(error.category or "", fallback)
        hint = data.get("hint")
        return cls(error.message, hint=hint if isinstance(hint, str) else None, details=data.get("details"))
    if isinstance(error, PeerGone | CallTimeout):
        return RetryLater(f"the daemon does not answer: {error}", hint="Look at it: animus daemon status")
    return Internal(str(error))


def refusal_of(error: ProtocolError, method: str, params: Mapping[str, object]) -> AnimusError:
    """`from_protocol` for the asker, who is shown the first value of `params` that `method` does not take."""
    data = error.data if isinstance(error, RpcError) and isinstance(error.data, dict) else {}
    issues = data.get("issues")
    first = issues[0] if isinstance(issues, list) and issues else None
    if not isinstance(first, dict):
        return from_protocol(error)
    path, text = str(first.get("path", "")), str(first.get("message", ""))
    # What stands before the issue is the method that was asked: a plugin's own complaint is about what it was given.
    if str(error) != f"{method}: {path or 'value'}: {text}":
        return from_protocol(error)
    # The daemon does not repeat the values, which may be secret; whoever has typed them may see them.
    return InvalidInput(f"{path} is {_value_at(params, path)!r}: {text}", hint="Give it another value.")


def _value_at(params: object, path: str) -> object:
    """The value that `path` leads to, as far as it does: behind a union it goes on with the names of types."""
    found = params
    for part in path.split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            break
    return found
