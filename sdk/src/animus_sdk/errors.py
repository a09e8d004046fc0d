"""What a plugin's author raises, by what the caller can do about it, and the one place that maps it to the wire.

Raised in authors' handlers, caught where `session.py` and `call.py` enter author's code (`authors_code`); below it lie
the protocol's error codes.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Literal

from animus_protocol.errors import Code, NotSupported, RpcError, not_found

__all__ = ["InvalidInput", "NotFound", "PluginError", "Unavailable", "Unsupported", "authors_code", "to_rpc_error"]


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


def to_rpc_error(error: BaseException) -> Exception:
    """The error reply for what an author's code raised (protocol §3); what nobody foresaw stays as it is.

    A group, as a TaskGroup raises it, stands for its first error when it holds only errors that travel. What would end
    the process (`sys.exit`, KeyboardInterrupt) becomes a RuntimeError that says so.
    """
    if isinstance(error, BaseExceptionGroup):
        told, unforeseen = error.split((PluginError, RpcError))
        if told is not None and unforeseen is None:
            return to_rpc_error(told.exceptions[0])
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
        case PluginError():
            return RpcError(Code.INTERNAL_ERROR, text, {"category": "internal"})
        case Exception():
            return error
        case SystemExit():
            return RuntimeError(f"the plugin's code called sys.exit({error.code!r})")
        case _:
            return RuntimeError(f"the plugin's code raised {error!r}")


class _AuthorsCode:
    """`with authors_code:` around a call of author's code: whatever it raises leaves as `to_rpc_error` says.

    A cancellation passes.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing is held."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> Literal[False]:
        if error is None or isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            return False
        told = to_rpc_error(error)
        if told is not error:
            raise told from error
        return False


authors_code: Final = _AuthorsCode()
