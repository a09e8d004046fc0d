"""A call that waits for its reply: a future whose task goes on in the moment the reply is read.

Below it lies the protocol between asyncio's tasks and the futures they await (`_asyncio_future_blocking`). A plain
future resumes its task one turn of the loop later, which for one small call after another is a third of the time. So
that this is sound, `resolve` is called by the loop and never from inside a task (there `resolve_soon`), and one task
alone awaits the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any

__all__ = ["PendingCall"]

_Callback = Callable[[Any], object]


class PendingCall:
    """One call under way. `began` and `deadline` are times of the loop's clock.

    `on_given_up` is told when the task that waits is cancelled.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_error",
        "_loop",
        "_on_given_up",
        "_result",
        "began",
        "deadline",
        "method",
        "number",
        "resolved",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, method: str, timeout_s: float, on_given_up: Callable[[PendingCall], None]
    ) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._callback: _Callback | None = None
        self._context: Context | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._on_given_up = on_given_up
        self.resolved = False
        self.number = 0
        self.method = method
        self.began = loop.time()
        self.deadline = self.began + timeout_s

    def resolve(self, result: Any, error: BaseException | None = None) -> None:
        """The call ends with `result` or `error`, and whoever waits goes on before this returns."""
        if self.resolved:
            return
        self.resolved = True
        self._result, self._error = result, error
        callback = self._callback
        if callback is not None:
            self._callback = None
            if self._context is None:
                callback(self)
            else:
                self._context.run(callback, self)

    def resolve_soon(self, result: Any, error: BaseException | None = None) -> None:
        """The call ends as with `resolve`, and whoever waits goes on in the loop's next turn."""
        if self.resolved:
            return
        self.resolved = True
        self._result, self._error = result, error
        callback, self._callback = self._callback, None
        if callback is not None:
            self._loop.call_soon(callback, self, context=self._context)

    def __await__(self) -> Generator[PendingCall, None, Any]:
        if not self.resolved:
            # asyncio's task waits for what is yielded only with this mark, and takes the mark off again.
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def result(self) -> Any:
        """The result. Raises the error; asked by the task when it goes on."""
        if self._error is not None:
            raise self._error
        return self._result

    def add_done_callback(self, callback: _Callback, *, context: Context | None = None) -> None:
        """asyncio calls it for the task that begins to wait."""
        self._callback, self._context = callback, context

    def remove_done_callback(self, callback: _Callback) -> int:
        """Nobody waits any more."""
        self._callback = None
        return 1

    def cancel(self, msg: object = None) -> bool:
        """asyncio calls it for the task that is cancelled."""
        if self.resolved:
            return False
        self.resolve_soon(None, asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        self._on_given_up(self)
        return True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop whose task waits."""
        return self._loop
