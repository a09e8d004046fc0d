"""Hypothesis strategies out of the suite's JSON Schemas: right params, and params that are wrong in one place.

Below it lies the oracle. It covers what our own schemas use of JSON Schema, and no more.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from animus_conformance import oracle

__all__ = ["any_json", "nearly_valid_params", "valid_value"]

_MAX_DEPTH: Final = 4
"""Schemas refer to themselves (a filter within a filter); deeper down everything optional is left out."""
_TEXTS: Final = st.text(st.characters(codec="utf-8"), max_size=30)


# A strategy that was made anew is checked anew by hypothesis, which takes longer than to draw from it.
@functools.cache
def any_json() -> st.SearchStrategy[Any]:
    """Any JSON value, small."""
    leaves = (
        st.none()
        | st.booleans()
        # Readers that keep every number as a double round what lies beyond, and that is not the question.
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | _TEXTS
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=6
    )


@functools.cache
def nearly_valid_params(type_name: str) -> st.SearchStrategy[Any]:
    """Params of a type: right, or with one member replaced, left out or added; sometimes no object at all."""
    valid = valid_value(type_name)
    # Wrong in one place: of params that are wrong everywhere a plugin looks at the first mistake only.
    return st.one_of(valid, valid.flatmap(_one_wrong), any_json())


@functools.cache
def valid_value(type_name: str) -> st.SearchStrategy[Any]:
    """Values that are of the type `bundle#/$defs/Type`."""
    return _of(oracle.definition(type_name), type_name.partition("#")[0], 0)


def _of(schema: Mapping[str, Any], bundle: str, depth: int) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        name = oracle.referred_type(schema["$ref"], bundle)
        return _of(oracle.definition(name), name.partition("#")[0], depth + 1)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return st.one_of(*(_of(option, bundle, depth) for option in schema[union]))
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return st.one_of(*(_of_kind(kind, schema, bundle, depth) for kind in kinds)) if kinds else any_json()


def _of_kind(kind: str, schema: Mapping[str, Any], bundle: str, depth: int) -> st.SearchStrategy[Any]:
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -(2**53)), schema.get("maximum", 2**53))
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes().map(lambda moment: moment.isoformat() + "Z")
        case "string":
            return _TEXTS.filter(lambda text: len(text) >= schema.get("minLength", 0))
        case "array":
            items = _of(schema.get("items") or {}, bundle, depth + 1)
            return st.lists(items, max_size=0 if depth >= _MAX_DEPTH else 3)
        case _:
            return _object(schema, bundle, depth)


def _object(schema: Mapping[str, Any], bundle: str, depth: int) -> st.SearchStrategy[Any]:
    properties, required = schema.get("properties", {}), set(schema.get("required", []))
    members = {name: _of(member, bundle, depth + 1) for name, member in properties.items()}
    optional = {} if depth >= _MAX_DEPTH else {name: member for name, member in members.items() if name not in required}
    known = st.fixed_dictionaries(
        {name: member for name, member in members.items() if name in required}, optional=optional
    )
    if properties:
        return known
    more = schema.get("additionalProperties")
    values = _of(more, bundle, depth + 1) if isinstance(more, dict) else any_json()
    return st.dictionaries(_TEXTS, values, max_size=0 if depth >= _MAX_DEPTH else 3)


def _one_wrong(value: Any) -> st.SearchStrategy[Any]:
    if not isinstance(value, dict) or not value:
        return any_json()
    names = st.sampled_from(sorted(value))
    replaced = st.tuples(names, any_json()).map(lambda change: {**value, change[0]: change[1]})
    left_out = names.map(lambda name: {key: member for key, member in value.items() if key != name})
    added = st.tuples(_TEXTS, any_json()).map(lambda change: {**value, change[0]: change[1]})
    return st.one_of(replaced, left_out, added)
