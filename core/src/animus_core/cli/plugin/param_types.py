"""What the params of a method must be, by the JSON Schema of its row in the method table, and texts read accordingly.

Below lies the protocol's method table. It is imported when it is needed, because it imports every model there is.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NoReturn

from animus_core.errors import InvalidInput

__all__ = ["Schema", "guess_json", "is_unicode", "parse_json", "read_texts", "schema_of", "type_of"]

Schema = Mapping[str, Any]
"""JSON Schema without references, as pydantic writes it."""

_ANYTHING: Final[Schema] = MappingProxyType({})
_NULL: Final = "null"
_BY_JSON: Final = "What has to be sent all the same goes into the params as one JSON object, which nobody checks."
_IS: Final[Mapping[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "string": lambda value: isinstance(value, str),
        # bool is an int for Python, and not for JSON.
        "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": lambda value: isinstance(value, bool),
        "array": lambda value: isinstance(value, list),
        "object": lambda value: isinstance(value, dict),
        _NULL: lambda value: value is None,
    }
)
_CALLED: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a JSON object, or fields as KEY.FIELD=VALUE",
    _NULL: _NULL,
}


@cache
def schema_of(method: str) -> Schema | None:
    """The type of all params of a row of the method table; None for a method that is in no row."""
    from animus_protocol.methods import METHODS

    row = METHODS.get(method)
    if row is None:
        return None
    schema = row.params.model_json_schema()
    inlined: Schema = _inlined(schema, schema.get("$defs", {}))
    return inlined


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """`node` without references: what they lead to in their place."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(one, definitions) for name, one in node.items() if name != "$defs"}


def type_of(schema: Schema, key: str) -> Schema:
    """What a param, or by dots a field of one, must be. Raises InvalidInput for one that is not there."""
    node, names = schema, key.split(".")
    for depth, name in enumerate(names):
        place = ".".join(names[:depth])
        node = next(iter(_options(node)), _ANYTHING)
        if not node.keys() & {"type", "anyOf"}:
            continue  # whatever lies below belongs to somebody else
        if node.get("type") != "object":
            raise InvalidInput(f"{key}: {place} is {_expected(node)}, and has no fields", hint=f"Write {place}=VALUE.")
        node = _field(node, place, name)
    return node


def _field(node: Schema, place: str, name: str) -> Schema:
    known, others = node.get("properties", {}), node.get("additionalProperties", False)
    if name in known:
        found: Schema = known[name]
        return found
    if others is not False:
        return _ANYTHING if others is True else others
    what = f"{place} has no field {name!r}" if place else f"the method has no param {name!r}"
    if not known:
        raise InvalidInput(what, hint=f"There is none at all. {_BY_JSON}")
    near = difflib.get_close_matches(name, known, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise InvalidInput(what, hint=f"{meant}There are {', '.join(known)}. {_BY_JSON}")


def _options(node: Schema) -> list[Schema]:
    """What a value may be beside null."""
    return [option for option in node.get("anyOf", [node]) if option.get("type") != _NULL]


def read_texts(node: Schema, key: str, texts: Sequence[str]) -> Any:
    """The value that the texts of one key mean. Raises InvalidInput."""
    options = _options(node)
    if texts == [_NULL] and len(options) < len(node.get("anyOf", [node])):
        return None
    if len(texts) > 1 and options[0].get("type") != "array":
        raise InvalidInput(f"{key} is given {len(texts)} times, but is not a list", hint=f"Give {key} once.")
    for option in options[:-1]:
        try:
            return _checked(option, key, _value(option, texts))
        except InvalidInput:
            continue
    return _checked(options[-1], key, _value(options[-1], texts))


def _value(node: Schema, texts: Sequence[str]) -> Any:
    """What the texts look like to somebody who expects `node`; whether it fits is another question."""
    match node.get("type"):
        case "array":
            return [item for text in texts for item in _items(node.get("items", _ANYTHING), text)]
        case "string":
            # Quotes are how a text says `null` or a comma; any other text is taken as it stands, `123` too.
            found = guess_json(texts[0]) if texts[0].startswith('"') else None
            return found if isinstance(found, str) else texts[0]
        case _:
            return guess_json(texts[0])


def _items(node: Schema, text: str) -> list[Any]:
    """The items in one text: a JSON list, one JSON object, or what stands between commas."""
    if text[:1] in ("[", "{"):
        found = guess_json(text)
        if isinstance(found, list | dict):
            return found if isinstance(found, list) else [found]
    return [_value(next(iter(_options(node))), [part]) for part in text.split(",")] if text else []


def _checked(node: Schema, place: str, value: Any) -> Any:
    """`value` if it is what `node` says, all through. Raises InvalidInput that names the place in it that is not."""
    if "anyOf" in node:
        return _checked_any(node, place, value)
    kind = node.get("type")
    if kind is None:
        return value
    if not _IS[kind](value) or not _within(node, value):
        raise _misfit(node, place, value)
    if kind == "array":
        for number, item in enumerate(value):
            _checked(node.get("items", _ANYTHING), f"{place}[{number}]", item)
    elif kind == "object":
        for name, item in value.items():
            _checked(_field(node, place, name), f"{place}.{name}", item)
    return value


def _checked_any(node: Schema, place: str, value: Any) -> Any:
    for option in node["anyOf"]:
        try:
            return _checked(option, place, value)
        except InvalidInput:
            # Only one thing that it could be: which place inside it does not fit says more than its type.
            if len(_options(node)) == 1 and isinstance(value, dict | list) and option.get("type") != _NULL:
                raise
    raise _misfit(node, place, value)


def _within(node: Schema, value: Any) -> bool:
    """Whether a value of the right type is one of the choices, inside the bounds, a time."""
    if "enum" in node:
        return value in node["enum"]
    if node.get("format") == "date-time":
        try:
            return datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False
    lowest, highest = node.get("minimum"), node.get("maximum")
    return (lowest is None or value >= lowest) and (highest is None or value <= highest)


def _misfit(node: Schema, place: str, value: Any) -> InvalidInput:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return InvalidInput(f"{place} is {text!r}, expected {_expected(node)}", hint=f"Give {place} such a value.")


def _expected(node: Schema) -> str:
    if "anyOf" in node:
        return " or ".join(map(_expected, node["anyOf"]))
    if "enum" in node:
        return f"one of {', '.join(node['enum'])}"
    if node.get("format") == "date-time":
        return "a time with its offset (2026-01-05T09:00:00Z)"
    if "minimum" in node and "maximum" in node:
        return f"{_CALLED[node['type']]} from {node['minimum']} to {node['maximum']}"
    if node.get("type") == "array":
        return f"a list (a,b or JSON), each {_expected(node.get('items', _ANYTHING))}"
    return _CALLED.get(node.get("type", ""), "any JSON")


def guess_json(text: str) -> Any:
    """The JSON value that `text` is, else the text."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def parse_json(text: str) -> Any:
    """The JSON value that `text` is. Raises ValueError, also for NaN, and what cannot be sent."""
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        whole = is_unicode(json.dumps(found, ensure_ascii=False))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not whole:
        raise ValueError("it holds half a surrogate pair")
    return found


def _finite(digits: str) -> float:
    """The number, unless it is so large that it would be infinite."""
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def is_unicode(text: str) -> bool:
    """Whether `text` can be sent: no half of a surrogate pair, which stands for a byte that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
