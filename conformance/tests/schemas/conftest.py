"""The schema files as they lie in the source tree, and a way to hold a document against one of their types.

A type is named as in `methods.json`: `subject#/$defs/Subject`. The package around the files is not imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER: Final = Path(__file__).parents[2] / "src" / "animus_conformance" / "schemas"
METHODS: Final = FOLDER / "methods.json"

Problems = Callable[[str, object], list[str]]


@pytest.fixture(scope="session")
def bundles() -> Mapping[str, Any]:
    """Every bundle by its name."""
    files = sorted(file for file in FOLDER.glob("*.json") if file != METHODS)
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


@pytest.fixture(scope="session")
def methods() -> Mapping[str, Any]:
    """The rows of the method table by the method's name."""
    rows: Mapping[str, Any] = json.loads(METHODS.read_text(encoding="utf-8"))
    return rows


@pytest.fixture(scope="session")
def registry(bundles: Mapping[str, Any]) -> Registry[Any]:
    """Every bundle under its `$id`; it knows nothing else, so a ref to anywhere else fails."""
    return Registry().with_resources((bundle["$id"], Resource.from_contents(bundle)) for bundle in bundles.values())


@pytest.fixture(scope="session")
def problems(registry: Registry[Any]) -> Problems:
    """What is wrong with a document, by the named type; an empty list when nothing is."""
    validators: dict[str, Draft202012Validator] = {}

    def found(name: str, document: object) -> list[str]:
        if name not in validators:
            validators[name] = Draft202012Validator({"$ref": f"animus:{name}"}, registry=registry)
        return [error.message for error in validators[name].iter_errors(document)]

    return found


@pytest.fixture(scope="session")
def subschemas(bundles: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Every object of every bundle with its place (`subject/$defs/Subject/properties`), outside in."""

    def inside(place: str, value: Any) -> Iterator[tuple[str, Any]]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        if isinstance(value, dict):
            yield place, value
        for key, item in items:
            yield from inside(f"{place}/{key}", item)

    return [found for name, bundle in bundles.items() for found in inside(name, bundle)]
