"""The bundles and the method table hold together: every ref leads somewhere, every type and field is described."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry

Problems = Callable[[str, object], list[str]]

KINDS: Final = {"*", "subject", "provider", "trigger", "transport", "web-ui", "log-storage", "notifier", "queue"}
BOTH_WAYS: Final = {"trigger/ack"}
"""Hosts send it as a notification; one that wants an answer sends a request."""


@pytest.fixture(scope="module")
def definitions(bundles: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}#/$defs/{key}": part for name, bundle in bundles.items() for key, part in bundle["$defs"].items()}


def refs_of(value: Any, bundle: str) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            target, _, path = value["$ref"].removeprefix("animus:").partition("#")
            yield f"{target or bundle}#{path}"
        for item in value.values():
            yield from refs_of(item, bundle)
    elif isinstance(value, list):
        for item in value:
            yield from refs_of(item, bundle)


def test_a_bundle_is_a_schema_of_the_named_dialect(bundles: Mapping[str, Any]) -> None:
    assert len(bundles) == 12
    for name, bundle in bundles.items():
        assert (bundle["$schema"], bundle["$id"]) == (Draft202012Validator.META_SCHEMA["$id"], f"animus:{name}")
        assert bundle.keys() == {"$schema", "$id", "title", "description", "$defs"}
        Draft202012Validator.check_schema(bundle)


def test_every_ref_leads_to_a_type(
    bundles: Mapping[str, Any], registry: Registry[Any], subschemas: list[tuple[str, Any]]
) -> None:
    refs = {(place.split("/", 1)[0], part["$ref"]) for place, part in subschemas if "$ref" in part}
    assert refs
    for name, ref in refs:
        assert isinstance(registry.resolver(bundles[name]["$id"]).lookup(ref).contents, dict)


def test_what_a_ref_means_can_stand_in_its_place(
    definitions: dict[str, Any], subschemas: list[tuple[str, Any]]
) -> None:
    for place, part in subschemas:
        assert "$ref" not in part or part.keys() <= {"$ref", "description"}, place
    left = {name: set(refs_of(part, name.split("#")[0])) for name, part in definitions.items()}
    while ends := {name for name, refs in left.items() if not refs & left.keys()}:
        left = {name: refs for name, refs in left.items() if name not in ends}
    assert left == {}  # whoever is left refers to itself, by way of others perhaps


def test_every_type_and_every_property_is_described(
    definitions: dict[str, Any], subschemas: list[tuple[str, Any]]
) -> None:
    described = list(definitions.items())
    for place, part in subschemas:
        if place.rsplit("/", 1)[-1] == "properties":
            described += [(f"{place}/{key}", value) for key, value in part.items()]
    assert [place for place, part in described if not str(part.get("description", "")).endswith(".")] == []


def test_every_required_field_is_a_property(subschemas: list[tuple[str, Any]]) -> None:
    unknown = [
        place
        for place, part in subschemas
        if isinstance(part.get("required"), list) and not set(part["required"]) <= set(part.get("properties", ()))
    ]
    assert unknown == []


def test_every_integer_is_bounded_unless_it_is_an_id(subschemas: list[tuple[str, Any]]) -> None:
    unbounded = [place for place, part in subschemas if part.get("type") == "integer" and "maximum" not in part]
    assert unbounded == []


def test_unknown_properties_are_allowed_everywhere(subschemas: list[tuple[str, Any]]) -> None:
    closed = [place for place, part in subschemas if {"additionalProperties", "unevaluatedProperties"} & part.keys()]
    maps = {"env", "vars", "kind_capabilities", "pipeline_vars", "AgentRunRequest"}
    assert {place.rsplit("/", 1)[-1] for place in closed} == maps


def test_the_types_of_every_method_exist(methods: Mapping[str, Any], definitions: dict[str, Any]) -> None:
    for row in methods.values():
        assert row.keys() == {"params", "result", "kind", "direction", "notification", "section"}
        assert row["params"] in definitions
        assert row["result"] in definitions or row["result"] is None


def test_a_method_has_a_result_unless_it_is_a_notification(methods: Mapping[str, Any]) -> None:
    assert {name for name, row in methods.items() if row["notification"] and row["result"]} == BOTH_WAYS
    assert {name for name, row in methods.items() if not row["notification"] and not row["result"]} == set()


def test_a_method_says_who_serves_it_who_sends_it_and_where_it_is_written(methods: Mapping[str, Any]) -> None:
    for name, row in methods.items():
        assert row["kind"] in KINDS
        assert row["direction"] in {"host", "plugin"}
        assert row["section"] in {"protocol §1", "protocol §2", "protocol §4"}
        assert row["notification"] or row["direction"] == "host"
        assert row["kind"] == "*" or row["section"] == "protocol §4"
        assert row["kind"] in {"*", "provider"} or name.split("/")[0] == row["kind"].replace("-", "_")


def test_what_a_plugin_sends_may_spell_any_absent_field_as_null(
    methods: Mapping[str, Any], definitions: dict[str, Any], problems: Problems
) -> None:
    sent = {row["result"] for row in methods.values() if row["result"]} | {"plugin#/$defs/PluginManifest"}
    sent |= {row["params"] for row in methods.values() if row["direction"] == "plugin"}
    sent |= {name for name in definitions if name.endswith(("Response", "Result", "Capabilities"))}
    # A host's capabilities are the one type of that name which a plugin only reads.
    waiting, checked = sorted(sent - {"plugin#/$defs/HostCapabilities"}), set[str]()
    while waiting:
        name = waiting.pop()
        if name in checked:
            continue
        checked.add(name)
        definition = definitions[name]
        waiting += refs_of(definition, name.split("#")[0])
        optional = definition.get("properties", {}).keys() - set(definition.get("required", ()))
        assert [key for key in optional if problems(f"{name}/properties/{key}", None)] == [], name
    assert len(checked) > 100
