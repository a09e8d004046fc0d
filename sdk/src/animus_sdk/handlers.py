"""How an author's function is run: on the loop, on a thread, or inline.

Below it lie the checks of results, which run where the function itself runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from weakref import WeakSet

from animus_sdk.functions import is_inline
from animus_sdk.results import is_pending

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["AuthorFunction", "Threads", "adapt", "stream_of"]

_log = logging.getLogger("animus.plugin")
_T = TypeVar("_T")

_END: Final = object()


class Threads:
    """The threads on which plain functions run, `count` at a time, in the order of their calls.

    If the caller of a running function is cancelled, the function still runs to its end and keeps its thread until
    then. A function that was still waiting is not started. `started` are the threads themselves, those of
    `extra_thread` included.
    """

    def __init__(self, count: int, started: WeakSet[threading.Thread] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.started: WeakSet[threading.Thread] = WeakSet() if started is None else started
        self._count = count
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., _T], *args: Any) -> _T:
        """`function(*args)` on a thread, with the context variables of the caller."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # many plugins never need one

            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="handler", initializer=self._note_thread)
        # A copy for each call: a context cannot be entered by two threads at once.
        context = contextvars.copy_context()
        return await self.loop.run_in_executor(self._pool, context.run, _called, function, args)

    def close(self) -> None:
        """Start nothing more; what runs is left to run."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def extra_thread(self) -> Threads:
        """A thread beside these, for a generator that streams."""
        return Threads(1, self.started)

    def close_after(self, last: Callable[[], object]) -> Future[None] | None:
        """Like `close`, but after `last` has run in its turn; the future is done then. What `last` raises is logged."""
        if self._pool is None:
            return None
        done = self._pool.submit(contextvars.copy_context().run, _logged, last)
        self._pool.shutdown(wait=False)
        return done

    def _note_thread(self) -> None:
        self.started.add(threading.current_thread())


def _called(function: Callable[..., _T], args: tuple[Any, ...]) -> _T:
    """`function(*args)`; a StopIteration, which no future can carry, says which mistake it is."""
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError("next() found nothing: write next(…, None), or a loop") from error


def _logged(last: Callable[[], object]) -> None:
    try:
        last()
    except Exception:  # noqa: BLE001 - the boundary: nobody waits for the author's clean-up, so it goes to the log
        _log.exception("a generator failed while it was closed")


class HasThreads(Protocol):
    """A request on its way, as far as running a function for it goes."""

    threads: Threads


class AuthorFunction:
    """An author's function with the way it is run."""

    __slots__ = ("_function", "_is_async", "inline")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function)
        self.inline = is_inline(function)

    def __call__(self, threads: Threads, *args: Any, then: Callable[[Any], Any] | None = None) -> Any:
        """The value of an inline function, and a coroutine for any other; `then` turns the value into the answer.

        What an async generator yields is collected. Raises TypeError for an inline function that returns a coroutine.
        """
        if self.inline:
            value = self._function(*args)
            if type(value) is CoroutineType:
                value.close()
                raise TypeError(f"@inline {self._function.__qualname__} returned a coroutine: take @inline off")
            return value if then is None else then(value)
        if self._is_async and then is None:
            return self._function(*args)
        return self._later(threads, args, then)

    def answer(
        self, arguments: Callable[[Any], Iterable[Any]], result: Callable[[Any, Any], Any]
    ) -> Callable[[Any, HasThreads], Any]:
        """The handler of a route: calls the function with `arguments(params)`, answers with `result(value, params)`.

        An inline one is put together here and not at each call, because such a call takes only microseconds.
        """
        function = self._function
        if self.inline:
            return lambda params, call: result(function(*arguments(params)), params)

        def later(params: Any, call: HasThreads) -> Any:
            return self(call.threads, *arguments(params), then=lambda value: result(value, params))

        return later

    async def wait(self, threads: Threads, *args: Any) -> Any:
        """The value, however the function is run; a generator comes as it is."""
        value = self(threads, *args) if self.inline else self._later(threads, args, None, collect=False)
        return await value if inspect.isawaitable(value) else value

    async def _later(
        self, threads: Threads, args: tuple[Any, ...], then: Callable[[Any], Any] | None, *, collect: bool = True
    ) -> Any:
        if self._is_async:
            value = await self._function(*args)
        elif inspect.isasyncgenfunction(self._function):
            value = self._function(*args)
        else:
            value = await threads.run(self._on_thread, args, then)
            if not is_pending(value):
                return value
            if inspect.isawaitable(value):  # a plain function that hands a coroutine on
                value = await value
        if collect and inspect.isasyncgen(value):
            value = [item async for item in value]
        return value if then is None else then(value)

    def _on_thread(self, args: tuple[Any, ...], then: Callable[[Any], Any] | None) -> Any:
        """`then` may draw on a generator of the author's, so it belongs on the thread, too."""
        value = self._function(*args)
        return value if then is None or is_pending(value) else then(value)


def adapt(function: Callable[..., Any]) -> AuthorFunction:
    """`function` as something that is called with the session's threads before its own arguments."""
    return AuthorFunction(function)


async def stream_of(
    items: AsyncIterator[_T] | Iterable[_T], threads: Threads, *, until_closed: bool = False
) -> AsyncGenerator[_T, None]:
    """The items of either kind of generator; a plain one is advanced on a thread of its own.

    A plain one that is cut off goes on until it yields again; `until_closed` waits for that.
    """
    if isinstance(items, AsyncIterator):
        try:
            async for item in items:
                yield item
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()
        return
    # A stream may go on for hours: on one of `threads` it would keep a place from every other function.
    own, drawn = threads.extra_thread(), iter(items)
    try:
        while (item := await own.run(_next, drawn)) is not _END:
            yield item
    finally:
        # On its own thread, after the `next` that runs: Python refuses to close a generator that is executing.
        closed = own.close_after(getattr(drawn, "close", _nothing))
        if until_closed and closed is not None:
            await asyncio.wait([asyncio.wrap_future(closed)])


def _next(items: Iterator[Any]) -> Any:
    return next(items, _END)


def _nothing() -> None:
    """A plain iterator has nothing to close."""
