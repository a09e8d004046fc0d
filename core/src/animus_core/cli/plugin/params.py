"""`key=value` words as the params of a method, read by the method's types.

Below lies `param_types.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from animus_core.cli.plugin.param_types import guess_json, is_unicode, parse_json, read_texts, schema_of, type_of
from animus_core.errors import InvalidInput

__all__ = ["json_object", "params_from", "params_of", "row_name"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_EXAMPLE: Final = "Write for example id=TASK-001."
_OBJECT_EXAMPLE: Final = """Write for example '{"id": "TASK-001"}'."""


def row_name(method: str, subject_kinds: Iterable[str]) -> str:
    """The row of the method table for `method`: `subject/list` for the `task/list` of a plugin that claims `task`."""
    from animus_core.kinds.subjects.router import match_kind

    kind, slash, verb = method.partition("/")
    return f"subject/{verb}" if slash and match_kind(kind, subject_kinds) is not None else method


def params_of(method: str) -> tuple[str, ...]:
    """The params that a row of the method table has; none for a method that nobody here knows."""
    schema = schema_of(method)
    return () if schema is None else tuple(schema.get("properties", ()))


def json_object(text: str, what: str) -> dict[str, Any]:
    """The JSON object that `text` is. Raises InvalidInput that calls it `what`."""
    try:
        found = parse_json(text)
    except ValueError as error:
        raise InvalidInput(f"{what} is not valid JSON: {error}", hint=_OBJECT_EXAMPLE) from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{what} is not a JSON object", hint=_OBJECT_EXAMPLE)
    return found


def params_from(method: str, pairs: Sequence[str], base: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """`base`, which is taken as it is, and on top of it each `key=value`, read as the row `method` says.

    Text stays text (in JSON quotes it is what they hold), a list is `a,b`, JSON, or a repeated key, `patch.status=done`
    is a field of an object, and `null` is null where a param may be that. For a method that is in no row a value is
    JSON if it parses, else text. Raises InvalidInput for a word that is no `key=value`, a key that the method does not
    have, and a value that does not fit.
    """
    given: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key or not is_unicode(pair):
            raise InvalidInput(f"{pair!r} is not of the form key=value", hint=_EXAMPLE)
        given.setdefault(key, []).append(text)
    schema = schema_of(method)
    # Nobody here knows the types: the last value of a key counts, as in most command lines.
    if schema is None:
        return {**base, **{key: guess_json(texts[-1]) for key, texts in given.items()}}
    # Fields are put into objects of `base`, which belongs to the caller.
    params = copy.deepcopy(dict(base))
    for key, texts in sorted(given.items(), key=lambda item: item[0].count(".")):  # objects before fields in them
        _put(params, key, read_texts(type_of(schema, key), key, texts))
    return params


def _put(params: dict[str, Any], key: str, value: Any) -> None:
    *way, last = key.split(".")
    target = params
    for depth, name in enumerate(way):
        below = target.setdefault(name, {})
        if not isinstance(below, dict):
            place = ".".join(way[: depth + 1])
            raise InvalidInput(f"{key}: {place} is {below!r} already, and no object", hint=f"Give {place} only once.")
        target = below
    target[last] = value
