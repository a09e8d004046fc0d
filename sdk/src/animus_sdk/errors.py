"""What a plugin's author raises, by what the caller can do about it, and the one place that maps it to the wire.

Raised in authors' handlers, caught in `session.py`; below it lie the protocol's error codes.
"""

from __future__ import annotations

from animus_protocol.errors import Code, NotSupported, RpcError, not_found

__all__ = ["InvalidInput", "NotFound", "PluginError", "Unavailable", "Unsupported", "to_rpc_error"]


class PluginError(Exception):
    """Base of the errors that travel: the message is shown to people at the other end."""


class NotFound(PluginError):
    """The named thing does not exist here; say what: `NotFound("task TASK-7")`."""


class InvalidInput(PluginError):
    """What was given is wrong; say what, where, and what to do."""


class Unsupported(PluginError):
    """This plugin knows the operation and does not offer it: the host falls back."""


class Unavailable(PluginError):
    """The system behind this plugin does not answer now: the host tries again later."""


def to_rpc_error(error: PluginError) -> RpcError:
    """The error reply for `error` (protocol §3)."""
    text = str(error)
    match error:
        case NotFound():
            return not_found(text)
        case InvalidInput():
            return RpcError(Code.INVALID_PARAMS, text, {"category": "invalid_request"})
        case Unsupported():
            return NotSupported(text)
        case Unavailable():
            return RpcError(Code.INTERNAL_ERROR, text, {"category": "unavailable"})
        case _:
            return RpcError(Code.INTERNAL_ERROR, text, {"category": "internal"})
