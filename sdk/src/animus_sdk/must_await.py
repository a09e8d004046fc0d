"""Coroutines that say so when nobody has awaited them: who forgot it, and in which line.

Python warns of that as well, but names only the coroutine, which is the SDK's and not the author's. Nothing lies
below.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from types import CodeType, FrameType
from typing import Any, Final, ParamSpec, TypeVar

__all__ = ["author_of", "must_await"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_seen: Final[dict[Any, Any]] = {}
"""The lines that were warned about, so that a loop that forgets `await` a thousand times warns once."""


def must_await(function: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """The same coroutine function; each coroutine that it makes warns when it is dropped before it was started."""

    @wraps(function)
    def begin(*args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _T]:
        return _MustAwait(function(*args, **kwargs), function.__name__, sys._getframe(1))

    return begin


def author_of(code: CodeType) -> str:
    """`Scribe.run` for a method, also where the code belongs to a lambda or a comprehension in it."""
    parts = [part for part in code.co_qualname.split(".<locals>.") if not part.startswith("<")]
    return parts[-1] if parts else code.co_name


class _MustAwait(Coroutine[Any, Any, _T]):
    """A coroutine that warns when it is dropped unawaited, with the line that made it, noted when it was made."""

    __slots__ = ("_begun", "_code", "_coroutine", "_line", "_name")

    def __init__(self, coroutine: Coroutine[Any, Any, _T], name: str, made_in: FrameType) -> None:
        self._coroutine = coroutine
        self._name = name
        self._code = made_in.f_code  # not the frame, which would keep all its values alive
        self._line = made_in.f_lineno
        self._begun = False

    def __await__(self) -> Generator[Any, Any, _T]:
        self._begun = True
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """Go on with `value`, like `Coroutine.send`."""
        self._begun = True
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise the error inside the coroutine, like `Coroutine.throw`."""
        self._begun = True
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End the coroutine without a warning: whoever closes it knows that it will not run."""
        self._begun = True
        self._coroutine.close()

    def __del__(self) -> None:
        if self._begun:
            return
        self._coroutine.close()  # else Python would warn a second time, with less to say
        call = f"ctx.{self._name}(…)"
        sentence = (
            f"{author_of(self._code)} does not await {call}, so nothing was sent: "
            f"write await {call}, or ctx.wait({call}) in a plain function"
        )
        warnings.warn_explicit(sentence, RuntimeWarning, self._code.co_filename, self._line, registry=_seen)
