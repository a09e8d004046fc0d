"""Whether a value is what the protocol says, by the suite's own JSON Schemas.

Below it lie the files in `schemas/` and jsonschema. The schemas are written from the protocol's facts and share nothing
with the models of SDK and host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

__all__ = ["MethodTypes", "definition", "method_types", "mismatch", "moment", "referred_type"]


_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _is_date_time(value: object) -> bool:
    """RFC 3339, which asks for an offset and allows nothing shorter; a leap second is read as the one before."""
    if not isinstance(value, str):
        return True
    if not _DATE_TIME.fullmatch(value):
        return False
    moment(value)
    return True


def moment(timestamp: str) -> datetime:
    """The instant of an RFC 3339 timestamp; of a leap second it is the one before. Raises ValueError."""
    # Python reads six digits of a second, small letters and the 60th second not at all.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", timestamp.upper()).replace(":60", ":59"))


_FORMATS: Final = FormatChecker(formats=())
_FORMATS.checks("date-time", raises=ValueError)(_is_date_time)


class MethodTypes(NamedTuple):
    """The types of one method, as `bundle#/$defs/Type`; `result` is None for a notification."""

    params: str
    result: str | None


def mismatch(type_name: str, value: Any) -> str | None:
    """Where and how `value` is no `bundle#/$defs/Type`; None when it is one."""
    # Of several mismatches the one deepest in the value: "anyOf" at the top would say nothing to an author.
    error = best_match(_validator(type_name).iter_errors(value))
    if error is None:
        return None
    where = error.json_path if error.json_path != "$" else "the value"
    return f"{where.removeprefix('$.')}: {error.message:.300}"


def definition(type_name: str) -> Mapping[str, Any]:
    """The schema of `bundle#/$defs/Type`, references not followed."""
    found: Mapping[str, Any] = _registry().resolver().lookup(f"animus:{type_name}").contents
    return found


def referred_type(reference: str, bundle: str) -> str:
    """The type that a `$ref` inside of `bundle` means, as `bundle#/$defs/Type`."""
    name = reference.removeprefix("animus:")
    return f"{bundle}{name}" if name.startswith("#") else name


def method_types(method: str) -> MethodTypes | None:
    """The types of a method of the protocol (`subject/<verb>` stands for every kind's own name of it)."""
    row = _methods().get(method)
    return None if row is None else MethodTypes(row["params"], row["result"])


@cache
def _validator(type_name: str) -> Draft202012Validator:
    return Draft202012Validator(_spelled_out(type_name), format_checker=_FORMATS)


@cache
def _spelled_out(type_name: str) -> Mapping[str, Any]:
    """The schema of a type with every reference replaced by what it means.

    Following references again for each value would take half of the time of a validation. It ends, since no type refers
    to itself.
    """
    bundle = type_name.partition("#")[0]

    def spelled_out(part: Any) -> Any:
        if isinstance(part, list):
            return [spelled_out(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:  # beside it stands a description at most
            return _spelled_out(referred_type(part["$ref"], bundle))
        return {name: spelled_out(one) for name, one in part.items()}

    whole: Mapping[str, Any] = spelled_out(definition(type_name))
    return whole


@cache
def _registry() -> Registry[Any]:
    bundles = [
        json.loads(path.read_text("utf-8"))
        for path in files("animus_conformance").joinpath("schemas").iterdir()
        if path.name.endswith(".json") and path.name != "methods.json"
    ]
    return Registry().with_resources([(bundle["$id"], Resource.from_contents(bundle)) for bundle in bundles])


@cache
def _methods() -> Mapping[str, Any]:
    path = files("animus_conformance").joinpath("schemas").joinpath("methods.json")
    table: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    return table
