"""The one place that turns whatever an author's code raises into what may leave the plugin.

Below it lies the protocol's tree of errors, `animus_protocol.errors`, whose classes authors raise.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Literal

from animus_protocol.errors import RpcError

__all__ = ["authors_code", "to_wire_error"]


def to_wire_error(error: BaseException) -> Exception:
    """What leaves the plugin when an author's code raised `error`. An RpcError stays as it is.

    Any other Exception does, too: the peer answers it with "internal error" and logs it. A group, as a TaskGroup raises
    it, stands for its first error when it holds RpcErrors only. What would end the process (`sys.exit`,
    KeyboardInterrupt) becomes a RuntimeError that says so: one request must not take the others with it.
    """
    if isinstance(error, BaseExceptionGroup):
        travelling, unforeseen = error.split(RpcError)
        if travelling is not None and unforeseen is None:
            return to_wire_error(travelling.exceptions[0])
    match error:
        case Exception():
            return error
        case SystemExit():
            return RuntimeError(f"the plugin's code called sys.exit({error.code!r})")
        case _:
            return RuntimeError(f"the plugin's code raised {error!r}")


class _AuthorsCode:
    """`with authors_code:` around a call of author's code: whatever it raises leaves as `to_wire_error` says.

    A cancellation passes: it is not the author's, and the peer answers it.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing is held."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> Literal[False]:
        if error is None or isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            return False
        leaving = to_wire_error(error)
        if leaving is not error:
            raise leaving from error
        return False


authors_code: Final = _AuthorsCode()
