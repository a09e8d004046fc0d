"""Results of the author's own methods and tools, held to their return hints.

Below it lie pydantic and the checks of all results.
"""

from __future__ import annotations

import types
from collections import abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from animus_protocol.models.base import WireModel
from animus_protocol.reading import first_issue
from animus_sdk.results import Check, Mismatch, check_json, returns, wrong_result

__all__ = ["returns_as_hinted"]

_AWAITED: Final = (abc.Awaitable, abc.Coroutine)
_DRAWN: Final = (
    abc.Iterator,
    abc.Iterable,
    abc.Generator,
    abc.AsyncIterator,
    abc.AsyncIterable,
    abc.AsyncGenerator,
)
_NOTHING: Final = object()
_FLAT: Final = (str, int, bool, None, type(None))


def returns_as_hinted(place: str, function: Callable[..., Any]) -> Check:
    """A check that `function`, which an author has marked, gives what its return hint says and what JSON can say.

    A function without a hint, or with one that pydantic has no schema for (a Protocol, a type variable), promises
    nothing but JSON. A generator is drawn here; its hint is read as one of a list.
    """
    hint = get_type_hints(function, include_extras=True).get("return", _NOTHING)
    while get_origin(hint) in _AWAITED:
        hint = get_args(hint)[-1]
    if isinstance(hint, type) and issubclass(hint, WireModel):
        return returns(place, hint)
    is_drawn = get_origin(hint) in _DRAWN
    fits = _validator(types.GenericAlias(list, get_args(hint)[:1]) if is_drawn else hint)
    expected = "a value of JSON" if hint is _NOTHING else _text(hint)

    def check(value: Any) -> Any:
        if isinstance(value, Iterator):
            value = list(value)
        try:
            if fits is not None:
                fits(list(value) if is_drawn and isinstance(value, Iterable) else value)
            if hint not in _FLAT:
                check_json(value)
        except ValidationError as error:
            raise wrong_result(place, value, expected, first_issue(error)) from None
        except Mismatch as mismatch:
            raise wrong_result(place, value, expected, mismatch) from None
        return value

    return check


def _validator(hint: Any) -> Callable[[Any], Any] | None:
    """Strict, for JSON tells 1 from "1" and from true; a tuple for a list is a broken promise to whoever calls it."""
    if hint is _NOTHING:
        return None
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hint, config=config)
        except PydanticSchemaGenerationError:
            continue  # a class of the author's: an instance of it is all that can be asked for
        except (PydanticUserError, SchemaError, TypeError):
            return None
        return lambda value: adapter.validate_python(value, strict=True)
    return None


def _text(hint: Any) -> str:
    """The hint as an author writes it."""
    if get_origin(hint) is None and isinstance(hint, type):
        return "None" if hint is type(None) else hint.__name__
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
