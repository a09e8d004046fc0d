"""What an author's function may be, and the mark of one that runs on the event loop itself.

Nothing lies below, and no event loop is imported: `--manifest` looks at these marks, too.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, TypeAlias, TypeVar, Union

__all__ = ["Answer", "Stream", "inline", "is_inline"]

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])

Answer: TypeAlias = Union[Awaitable[_T], _T]  # noqa: UP007 - mypy takes no bare type variable beside a bar
"""What an author's method may return: the value (`def`), or something to await (`async def`)."""

Stream: TypeAlias = AsyncIterator[_T] | Iterator[_T]
"""What a method that streams returns: an async generator, or a generator, which gets a thread of its own.

A method that hands on a generator of somebody else's is called on the event loop, so it has to return at once.
"""

_INLINE: Final = "__animus_inline__"


def inline(function: _F) -> _F:
    """Run this plain `def` on the event loop itself: for what takes microseconds and never waits.

    Nothing else happens in the plugin meanwhile, and the task and the thread of other handlers are saved. Raises
    TypeError for an async function.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"@inline is for plain functions, and {function.__qualname__} is async: take @inline off")
    setattr(function, _INLINE, True)
    return function


def is_inline(function: Callable[..., Any]) -> bool:
    """Whether `function` was marked with `inline`."""
    return getattr(function, _INLINE, False) is True
