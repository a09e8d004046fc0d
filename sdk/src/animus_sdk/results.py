"""Results of authors' functions, held to the types that they promise: what does not fit never reaches the wire.

Built once a function when a plugin starts, by the roles and by `plugin.py`. Below it lie pydantic and the errors that
travel. A result that does not fit is a mistake in the plugin, so its author reads the same sentence on standard error
that the host gets.
"""

from __future__ import annotations

import inspect
import logging
import reprlib
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic_core import PydanticSerializationError, ValidationError, to_json

from animus_protocol.errors import PluginError
from animus_protocol.reading import first_issue

if TYPE_CHECKING:
    from animus_protocol.models.base import WireModel

__all__ = ["Check", "FieldCheck", "Mismatch", "check_json", "is_pending", "place_of", "returns", "wrong_result"]

_log = logging.getLogger("animus.plugin")

Check: TypeAlias = Callable[[Any], Any]
"""Returns the value that it is given. Raises PluginError, after it has logged the sentence, when the value is wrong."""

_FLAT: Final = frozenset({str, bool, int, type(None), datetime})
# Combinations of types are few in a plugin that works; the bound is for one that makes classes up while it runs.
_MAX_KNOWN: Final = 1024

_short: Final = reprlib.Repr()
# The sentence is an error message on the wire and a line of the log: a long result is cut.
_short.maxother = _short.maxstring = 100
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxdict = 4


class Mismatch(ValueError):
    """A value does not fit; the text says where in it, and how."""


def place_of(cls: type, word: str) -> str:
    """`Tasks.get`, by the class in whose body the author has written `get`."""
    owner = next((base for base in cls.__mro__ if word in vars(base)), cls)
    return f"{owner.__name__}.{word}"


def wrong_result(place: str, value: object, expected: str, detail: object = None) -> PluginError:
    """The error for `value` as the result of `place`; its sentence is logged, too."""
    if type(value) is CoroutineType:  # only a function that is marked as inline can leave one behind
        value.close()
        sentence = f"@inline {place} returned a coroutine: take @inline off"
    else:
        sentence = f"{place} gave {_short.repr(value)}, expected {expected}"
    if detail is not None:
        sentence = f"{sentence}: {detail}"
    _log.error("%s", sentence)
    return PluginError(sentence)


def returns(place: str, *kinds: type | None) -> Check:
    """A check that a value is one of `kinds` (None stands for itself), with right fields where it is a wire model."""
    from animus_protocol.models.base import WireModel  # asked for with the first route, which may be never

    fields = {kind: FieldCheck(kind) for kind in kinds if kind is not None and issubclass(kind, WireModel)}
    plain = tuple(type(None) if kind is None else kind for kind in kinds if kind not in fields)
    expected = " or ".join("None" if kind is None else _with_article(kind.__name__) for kind in kinds)

    def check(value: Any) -> Any:
        if isinstance(value, plain) and (type(value) is not bool or bool in plain):  # a bool is an int to Python only
            return value
        for kind, check_fields in fields.items():
            if isinstance(value, kind):
                try:
                    check_fields(value)
                except Mismatch as mismatch:
                    raise wrong_result(place, value, expected, mismatch) from None
                return value
        raise wrong_result(place, value, expected)

    return check


class FieldCheck:
    """Checks that the fields of a model hold what their types say. Raises Mismatch.

    pydantic has done that when the object was made, and not when it was changed: `model_copy(update=…)`, an assignment
    and `model_construct` write anything. To validate again would cost as much as to encode, so it is done once for
    each combination of types that the fields have; the next object of the same types passes by them. What may hide
    something in its depth (a nested model, a float that is NaN) is validated each time.
    """

    def __init__(self, model: type[WireModel]) -> None:
        self._model = model
        self._deep_by_types: dict[tuple[type, ...], tuple[tuple[str, set[type]], ...]] = {}
        self._members: dict[str, set[type]] = {}

    def __call__(self, value: WireModel) -> None:
        fields = value.__dict__
        deep = self._deep_by_types.get(tuple(map(type, fields.values())))
        if deep is not None:
            for name, members in deep:
                inside = fields[name]
                if inside:
                    if type(inside) is dict:
                        inside = inside.values()
                    elif type(inside) is not list:
                        break
                    if not members.issuperset(map(type, inside)):
                        break
            else:
                return
        self._validate(fields)
        if len(self._deep_by_types) < _MAX_KNOWN:
            self._remember(fields)

    def _validate(self, fields: dict[str, Any]) -> None:
        try:
            read = self._model.model_validate(fields).__dict__
        except ValidationError as error:
            raise Mismatch(first_issue(error)) from error
        for name, given in fields.items():
            # What pydantic has to turn into something else stays as it was given on the wire: "3" for 3.
            meant = read.get(name, given)
            if meant is not given and meant != given:
                raise Mismatch(f"{name} is {_short.repr(given)}, and {_short.repr(meant)} would fit")
        check_json(fields)

    def _remember(self, fields: dict[str, Any]) -> None:
        deep = [name for name, value in fields.items() if not _is_flat(type(value))]
        for name in deep:
            inside = fields[name]
            members = inside.values() if type(inside) is dict else inside if type(inside) is list else ()
            self._members.setdefault(name, set()).update(filter(_is_flat, map(type, members)))
        self._deep_by_types[tuple(map(type, fields.values()))] = tuple((name, self._members[name]) for name in deep)


def check_json(value: object) -> None:
    """Raises Mismatch where JSON has no words for `value`; NaN and infinities would become null on the wire."""
    try:
        written = to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError) as error:
        raise Mismatch(str(error)) from error
    if (b"NaN" in written or b"Infinity" in written) and written != to_json(value, inf_nan_mode="null"):
        raise Mismatch("NaN and infinity are no numbers in JSON")


def is_pending(value: object) -> bool:
    """Whether `value` has still to be awaited, or to be drawn asynchronously."""
    return inspect.isawaitable(value) or inspect.isasyncgen(value)


def _is_flat(kind: type) -> bool:
    return kind in _FLAT or issubclass(kind, Enum)


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
