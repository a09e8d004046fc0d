"""Every published type against the model that stands for it, through the model's JSON Schema.

`published_types.json` holds the facts, one line a type: its properties with their types, which of them are required,
the values of an enum. `?` is nullable, `[x]` a list, `{x}` an object with free keys; `text` is a string of any content.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from animus_protocol.models import (
    dispatch as dispatch_models,
)
from animus_protocol.models import (
    envelope,
    lifecycle,
    log_storage,
    manifest,
    notifier,
    provider,
    queue,
    subject,
    transport,
    trigger,
)

PUBLISHED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "published_types.json").read_text())

MODULES = {
    "plugin": (lifecycle, manifest, envelope, trigger),
    "subject": (subject,),
    "provider": (provider,),
    "trigger": (trigger,),
    "transport": (transport,),
    "log-storage": (log_storage,),
    "notifier": (notifier,),
    "queue": (queue, dispatch_models, subject),
}
OTHER_NAMES = {("plugin", "RpcError"): "RpcErrorObject", ("trigger", "TriggerEvent"): "LegacyTriggerEvent"}
TITLES = {"RpcErrorObject": "RpcError", "LegacyTriggerEvent": "TriggerEvent"}

# What ours accepts beyond the published type, each for a reason.
ADDITIONS = {("plugin", "PluginManifest"): {"supports_mcp": "boolean?"}}
INTEGERS = {
    (0, 2**8 - 1): "uint8",
    (0, 2**16 - 1): "uint16",
    (0, 2**32 - 1): "uint32",
    (0, 2**64 - 1): "uint",
    (-(2**31), 2**31 - 1): "int32",
    (-(2**63), 2**63 - 1): "int64",
}

EVERY_TYPE = [(bundle, name) for bundle, types in PUBLISHED.items() for name in types]


def our_type(bundle: str, name: str) -> Any:
    ours = OTHER_NAMES.get((bundle, name), name)
    return next(vars(module)[ours] for module in MODULES[bundle] if ours in vars(module))


def notation(schema: Any) -> str:
    if schema is True:
        return "any"
    if "$ref" in schema:
        name = str(schema["$ref"].rsplit("/", 1)[-1])
        return TITLES.get(name, name)
    if "anyOf" in schema:
        [inner] = [option for option in schema["anyOf"] if option.get("type") != "null"]
        return notation(inner) + "?"
    match schema.get("type"):
        case None:
            return "any"
        case "array":
            return f"[{notation(schema['items'])}]"
        case "object":
            return f"{{{notation(schema.get('additionalProperties', True))}}}"
        case "integer":
            return INTEGERS[schema["minimum"], schema["maximum"]]
        case kind:
            return str(schema.get("const") or schema.get("format") or kind)


def described(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "properties": {name: notation(part) for name, part in schema.get("properties", {}).items()},
        "required": sorted(schema.get("required", [])),
    }


@pytest.mark.parametrize(("bundle", "name"), EVERY_TYPE)
def test_a_model_has_the_published_properties_and_requirements(bundle: str, name: str) -> None:
    published = PUBLISHED[bundle][name]
    schema = TypeAdapter(our_type(bundle, name)).json_schema(mode="validation")
    if "enum" in published:
        assert schema["enum"] == published["enum"]
    elif "text" in published:
        assert schema == {"type": "string"}
    elif "variants" in published:
        ours = {
            kind: schema["$defs"][ref.rsplit("/", 1)[-1]] for kind, ref in schema["discriminator"]["mapping"].items()
        }
        assert {kind: described(part) for kind, part in ours.items()} == published["variants"]
    else:
        ours = described(schema)
        for addition, kind in ADDITIONS.get((bundle, name), {}).items():
            assert ours["properties"].pop(addition) == kind
        assert ours == published


@pytest.mark.parametrize(("bundle", "name"), EVERY_TYPE)
def test_a_model_bears_the_published_title(bundle: str, name: str) -> None:
    schema = TypeAdapter(our_type(bundle, name)).json_schema(mode="validation")
    if "properties" in schema:
        assert schema["title"] == name


def test_only_requests_of_agents_keep_unknown_fields() -> None:
    schemas = {
        name: TypeAdapter(our_type(bundle, name)).json_schema(mode="validation")
        for bundle, name in EVERY_TYPE
        if "properties" in PUBLISHED[bundle][name]
    }
    assert [name for name, schema in schemas.items() if schema.get("additionalProperties") is True] == [
        "AgentRunRequest"
    ]
