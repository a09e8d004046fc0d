"""What a handler may do beside answering: tell the host, say how far it is, log, read its configuration.

Reached as `self.ctx` in every handler of a plugin; the provider's role adds what an agent says. Below it lies the call.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from animus_sdk.lazy_names import LazyModule
from animus_sdk.must_await import must_await

if TYPE_CHECKING:
    import asyncio

    from animus_protocol.models import base, lifecycle
    from animus_sdk.call import Call
else:
    asyncio = LazyModule("asyncio")
    base = LazyModule("animus_protocol.models.base")
    lifecycle = LazyModule("animus_protocol.models.lifecycle")

__all__ = ["Context"]

_T = TypeVar("_T")


class Context:
    """The way of one request back to the host. Its coroutines wait for room, so a slow host slows the plugin down.

    In a plain `def` handler, which runs on a thread, hand them to `wait`: `self.ctx.wait(self.ctx.progress(0.5))`.
    """

    def __init__(self, call: Call, *, deadline: float | None = None) -> None:
        self._call = call
        self._deadline = deadline

    @property
    def request_id(self) -> int | str:
        """The id of the request that is being answered."""
        return self._call.request_id

    @property
    def cancelled(self) -> bool:
        """Whether the host has given this request up: a plain function that works on a thread looks here."""
        return self._call.cancelled

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the request's own deadline, never below 0; None when the host set none."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @must_await
    async def notify(self, method: base.Method[Any, None], params: base.WireModel) -> None:
        """Send a notification of the protocol, or of your own."""
        await self._call.notify(method, params)

    @must_await
    async def progress(self, value: Any) -> None:
        """How far this request is, in the method's own words: `$/progress` (protocol §2)."""
        await self.notify(lifecycle.PROGRESS, lifecycle.ProgressParams(id=self._call.request_id, value=value))

    @must_await
    async def log(self, level: str, message: str, **fields: Any) -> None:
        """A line for the daemon's log; `level` is one of trace, debug, info, warn, error."""
        params = lifecycle.LogEntryParams(level=level, message=message, fields=fields or None)
        await self.notify(lifecycle.LOG_ENTRY, params)

    def wait(self, doing: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine of this context from a handler that is on a thread, and wait for it.

        Raises CancelledError once the host has given the request up, so that a function which tells what it does ends
        there; RuntimeError on the event loop, where waiting would stop everything.
        """
        # The coroutine is closed in both cases: else Python would warn that nobody has awaited it.
        if _is_on_loop():
            doing.close()
            raise RuntimeError("ctx.wait is for plain functions on a thread: await the coroutine here")
        if self.cancelled:
            doing.close()
            raise asyncio.CancelledError
        return asyncio.run_coroutine_threadsafe(doing, self._call.threads.loop).result()


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
