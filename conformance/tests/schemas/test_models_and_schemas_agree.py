"""Our models beside the schemas, which were written apart from them: the same fields with the same values.

Documents of every type are drawn from its schema; the model reads each of them, and what it writes is a document of
the schema again. Where models and schemas differ on purpose, `DIFFERENCES` says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum, auto
from types import ModuleType
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from animus_protocol.models import (
    base,
    common,
    dispatch,
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
from animus_protocol.models.base import WireModel, encode
from written_values import Writer, hold_for_any_bytes

Problems = Callable[[str, object], list[str]]
Schema = Mapping[str, Any]

MODULES: Final[Mapping[str, tuple[ModuleType, ...]]] = {
    "plugin": (base, common, envelope, lifecycle, manifest),
    "subject": (subject,),
    "provider": (provider,),
    "trigger": (trigger,),
    "transport": (transport,),
    "log-storage": (log_storage,),
    "notifier": (notifier,),
    "queue": (queue, dispatch),
}


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


WITHOUT_SCHEMA: Final[Mapping[str, frozenset[str]]] = {
    "a base of other models": names("WireModel KeepsNull"),
    "of the control socket, which plugins do not serve": names("StreamItem SubscriptionClosed"),
}
WITHOUT_MODEL: Final[Mapping[str, frozenset[str]]] = {
    "no host of ours keeps conversations in a plugin": names("""
        ChatMessage ConversationAppendMessageRequest ConversationAppendMessageResponse ConversationCreateRequest
        ConversationCreateResponse ConversationDeleteRequest ConversationDeleteResponse ConversationListRequest
        ConversationListResponse ConversationLoadMessagesRequest ConversationLoadMessagesResponse
        ConversationLoadMetaRequest ConversationLoadMetaResponse ConversationMeta ConversationSaveMetaRequest
        ConversationSaveMetaResponse ConversationScope ConversationSummary Visibility"""),
    "one of the shapes that another model reads": names("""
        RpcSuccess RpcFailure NestedSubject NoSubject LegacyStatusDispatchHint AnyTriggerEvent
        NestedTriggerEvent TriggerFailure LogTailEntry LogTailFailure"""),
    "read as JSON of any shape": names(
        "ErrorData ParamsIssue TransportErrorData TransportErrorCategory TransportShutdownResult"
    ),
}
ALIASES: Final[Mapping[str, Any]] = {
    "subject#/$defs/SubjectId": subject.SubjectId,
    "subject#/$defs/SubjectOrNested": subject.SubjectResult,
    "subject#/$defs/SubjectOrNull": subject.NextSubject,
    "provider#/$defs/AgentNotification": provider.AgentNotification,
    "trigger#/$defs/TriggerActionHint": trigger.TriggerActionHint,
    "trigger#/$defs/TriggerAckStatus": trigger.TriggerAckStatus,
    "plugin#/$defs/Timestamp": base.Timestamp,
    "plugin#/$defs/RequestId": common.RequestId,
    "plugin#/$defs/Uint8": common.Uint8,
    "plugin#/$defs/Uint16": common.Uint16,
    "plugin#/$defs/Uint32": common.Uint32,
    "plugin#/$defs/Uint64": common.Uint64,
    "plugin#/$defs/Int32": common.Int32,
    "plugin#/$defs/Int64": common.Int64,
}


@dataclass(frozen=True)
class Difference:
    """What a schema has otherwise than its model, by the names of fields."""

    reason: str
    more: frozenset[str] = frozenset()
    fewer: frozenset[str] = frozenset()
    stricter: frozenset[str] = frozenset()
    """Fields that must be there, by the schema alone."""
    values: frozenset[str] = frozenset()
    """Fields with other values."""
    rewritten: frozenset[str] = frozenset()
    """Fields that the model writes otherwise than it read them; `*` is all of them."""


TWO_NAMES: Final = "the flag has two names; the model reads either and writes both alike"
ENVELOPE: Final = "the connection checks the envelope; the models of it are for documentation"
FLAG: Final = "a stream is open whatever its reply says"
DIFFERENCES: Final[Mapping[str, Difference]] = {
    "RpcRequest": Difference(ENVELOPE, values=names("jsonrpc id params")),
    "RpcNotification": Difference(ENVELOPE, values=names("jsonrpc params")),
    "RpcResponse": Difference(ENVELOPE, stricter=names("id"), values=names("jsonrpc id")),
    "Watching": Difference(FLAG, stricter=names("watching"), values=names("watching")),
    "LogTailResult": Difference(FLAG, stricter=names("tailing"), values=names("tailing")),
    "ProgressParams": Difference("progress that says nothing harms nobody", stricter=names("value")),
    "LogEntryParams": Difference(
        "nothing about it is certain, and the model makes text of it",
        values=names("level target message ts"),
        rewritten=names("level target message ts"),
    ),
    "SubjectSchema": Difference(
        "older spellings are read and written as current ones",
        values=names("custom_fields"),
        rewritten=names("custom_fields status_dispatch_hints"),
    ),
    "AgentOutputNotification": Difference(TWO_NAMES, more=names("final"), rewritten=names("final")),
    "AgentOutputParams": Difference(TWO_NAMES, more=names("final"), rewritten=names("final")),
    "AgentNotification": Difference(TWO_NAMES, rewritten=names("final")),
    "TriggerEventParams": Difference(
        "every form is read into `event`, and written flat with the current names",
        more=names("action_hint event_id id payload subject_id subject_kind trigger_id"),
        rewritten=names("*"),
    ),
    "TriggerAckResult": Difference("an answer that says no is read too", values=names("acked")),
    "LogStorageEventParams": Difference("one tail a connection needs no id", stricter=names("id")),
    "DaemonEventRecord": Difference("read as text, sent as the schema has it", values=names("schema timestamp")),
    "QueueEnqueueRequest": Difference("the queue's times are text to us", values=names("run_at")),
    "SubjectOrNested": Difference("written flat", rewritten=names("*")),
    "SubjectOrNull": Difference("written flat", rewritten=names("*")),
    "Empty": Difference("what it says is not kept", rewritten=names("*")),
    "Acknowledged": Difference("what it says is not kept", rewritten=names("*")),
}
SCHEMA_NAMES: Final = {"RpcErrorObject": "RpcError"}
MODELS: Final[Mapping[str, Any]] = {
    f"{bundle}#/$defs/{SCHEMA_NAMES.get(name, name)}": getattr(module, name)
    for bundle, modules in MODULES.items()
    for module in modules
    for name in module.__all__
    if isinstance(getattr(module, name), type)
    and issubclass(getattr(module, name), WireModel | StrEnum)
    and not any(name in without for without in WITHOUT_SCHEMA.values())
}
TYPES: Final[Mapping[str, Any]] = {**MODELS, **ALIASES}
OBJECTS: Final = [name for name, model in MODELS.items() if issubclass(model, WireModel)]
SCALARS: Final = [*(MODELS.keys() - set(OBJECTS)), *(name for name in ALIASES if "Subject" not in name)]


def difference(name: str) -> Difference:
    return DIFFERENCES.get(name.rsplit("/", 1)[-1], Difference(""))


@pytest.fixture(scope="module")
def types(bundles: Mapping[str, Any]) -> Mapping[str, Schema]:
    return {f"{name}#/$defs/{key}": part for name, bundle in bundles.items() for key, part in bundle["$defs"].items()}


def inlined(value: Any, here: str, types: Mapping[str, Schema]) -> Any:
    """The schema with every ref replaced by what it leads to; `here` is the bundle that it stands in."""
    if isinstance(value, list):
        return [inlined(item, here, types) for item in value]
    if not isinstance(value, dict):
        return value
    whole = {key: inlined(item, here, types) for key, item in value.items() if key != "$ref"}
    if "$ref" not in value:
        return whole
    bundle, _, path = value["$ref"].removeprefix("animus:").partition("#")
    name = f"{bundle or here}#{path}"
    return inlined(types[name], name.split("#")[0], types) | whole


def of_schema(name: str, types: Mapping[str, Schema]) -> list[Schema]:
    return alternatives(inlined(types[name], name.split("#")[0], types))


def of_model(model: Any) -> list[Schema]:
    schema = TypeAdapter(model).json_schema(mode="validation")
    return alternatives(
        inlined(schema, "ours", {f"ours#/$defs/{key}": part for key, part in schema.pop("$defs", {}).items()})
    )


def alternatives(schema: Schema) -> list[Schema]:
    """The schema as plain ones of which a document fits at least one: no allOf, anyOf or oneOf is left on top."""
    found: list[Schema] = [{key: part for key, part in schema.items() if key not in {"allOf", "anyOf", "oneOf"}}]
    for part in schema.get("allOf", ()):
        found = [joined(one, other) for one in found for other in alternatives(part)]
    for options in (schema[key] for key in ("anyOf", "oneOf") if key in schema):
        found = [joined(one, other) for one in found for option in options for other in alternatives(option)]
    return found


def joined(one: Schema, other: Schema) -> Schema:
    both = {**one, **other}
    if "properties" in both:
        both["properties"] = one.get("properties", {}) | other.get("properties", {})
        both["required"] = sorted({*one.get("required", ()), *other.get("required", ())})
    return both


def properties(schemas: list[Schema]) -> dict[str, list[Schema]]:
    """The plain schemas of each property, from wherever it stands."""
    found: dict[str, list[Schema]] = {}
    for schema in schemas:
        for key, part in schema.get("properties", {}).items():
            found.setdefault(key, []).extend(alternatives(part))
    return found


def required(schemas: list[Schema]) -> set[str]:
    return set.intersection(*(set(schema.get("required", ())) for schema in schemas))


def values(schemas: list[Schema]) -> set[str]:
    """What may stand there, as words; null is left out, since models read and leave out more of them."""
    found = set[str]()
    for schema in schemas:
        if "const" in schema or "enum" in schema:
            found |= {repr(value) for value in schema.get("enum", [schema.get("const")]) if value is not None}
            continue
        kinds = schema.get("type", "anything")
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            if kind == "integer":
                found.add(f"{schema.get('minimum')} to {schema.get('maximum')}")
            elif kind == "array":
                found |= {f"[{item}]" for item in values(alternatives(schema.get("items", {})))}
            elif kind == "string":
                found.add(schema.get("format", "text"))
            elif kind != "null":
                found.add(kind)
    return found


class Extent(Enum):
    """How much of what a schema allows stands in a document."""

    FULL = auto()
    """Every field, no null, nothing empty."""
    MINIMAL = auto()
    """Only what must be there."""
    ANY = auto()


BYTES: Final = 150
FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)


class SchemaWriter(Writer):
    """Writes documents of schemas."""

    def moment(self) -> str:
        moment = FIRST + timedelta(seconds=self.integer(0, 9998 * 365 * 86_400), microseconds=self.below(1_000_000))
        return moment.isoformat().replace("+00:00", "Z")

    def not_null(self) -> Any:
        value = self.value()
        return self.text() if value is None else value

    def document(self, schemas: list[Schema], extent: Extent) -> Any:
        """A document of any of the plain schemas."""
        if extent is not Extent.ANY:
            schemas = [schema for schema in schemas if schema.get("type") != "null"] or schemas
        schema = self.pick(schemas)
        if "const" in schema or "enum" in schema:
            return self.pick(schema.get("enum", [schema.get("const")]))
        if "type" not in schema:
            return self.value() if extent is Extent.ANY else self.not_null()
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if extent is not Extent.ANY and kinds != ["null"]:
            kinds = [kind for kind in kinds if kind != "null"]
        return self.of_kind(self.pick(kinds), schema, extent)

    def of_kind(self, kind: str, schema: Schema, extent: Extent) -> Any:
        least = 1 if extent is Extent.FULL else 0
        match kind:
            case "null":
                return None
            case "boolean":
                return self.flag()
            case "integer":
                return self.integer(schema.get("minimum", 0), schema.get("maximum", 2**53))
            case "number":
                return self.fraction()
            case "string":
                return self.moment() if schema.get("format") == "date-time" else self.text()
            case "array":
                items = alternatives(schema.get("items", {}))
                return self.many(lambda: self.document(items, extent), 2, least)
        if "properties" not in schema:
            values = alternatives(schema.get("additionalProperties", {}))
            return dict(self.many(lambda: (self.text(), self.document(values, extent)), 2, least))
        return {
            key: self.document(alternatives(part), extent)
            for key, part in schema["properties"].items()
            if extent is Extent.FULL or key in schema.get("required", ()) or (extent is Extent.ANY and self.flag())
        }


def test_every_model_has_a_schema_and_every_schema_a_model(types: Mapping[str, Schema]) -> None:
    described = {name for name in types if name.split("#")[0] in MODULES}
    assert described >= TYPES.keys()
    lonely = {name.rsplit("/", 1)[-1] for name in described - TYPES.keys()}
    assert lonely == frozenset().union(*WITHOUT_MODEL.values())


def test_every_difference_is_one(types: Mapping[str, Schema]) -> None:
    assert DIFFERENCES.keys() <= {name.rsplit("/", 1)[-1] for name in types}
    assert [name for name, differs in DIFFERENCES.items() if differs == Difference(differs.reason)] == []


@pytest.mark.parametrize("name", OBJECTS)
def test_a_model_and_its_schema_have_the_same_fields(types: Mapping[str, Schema], name: str) -> None:
    ours, theirs = of_model(MODELS[name]), of_schema(name, types)
    our_fields, their_fields = properties(ours), properties(theirs)
    common_fields = our_fields.keys() & their_fields.keys()
    differs = difference(name)
    assert their_fields.keys() - our_fields.keys() == differs.more
    assert our_fields.keys() - their_fields.keys() == differs.fewer
    assert required(theirs) - required(ours) == differs.stricter
    assert required(ours) <= required(theirs)
    assert {key for key in common_fields if values(our_fields[key]) != values(their_fields[key])} == differs.values


@pytest.mark.parametrize("name", sorted(SCALARS))
def test_a_model_and_its_schema_have_the_same_values(types: Mapping[str, Schema], name: str) -> None:
    assert values(of_model(TYPES[name])) == values(of_schema(name, types))


@pytest.mark.parametrize("extent", Extent)
@pytest.mark.parametrize("name", TYPES)
def test_what_a_schema_describes_is_read_and_written_as_the_schema_has_it(
    types: Mapping[str, Schema], problems: Problems, name: str, extent: Extent
) -> None:
    reader = TypeAdapter(TYPES[name])
    rewritten = difference(name).rewritten
    schemas = of_schema(name, types)

    def read_and_write(raw: bytes) -> None:
        document = SchemaWriter(raw).document(schemas, extent)
        assert problems(name, document) == []
        value = reader.validate_python(document)
        written = json.loads(encode(value))
        assert problems(name, written) == []
        assert reader.validate_python(written) == value
        if extent is Extent.FULL:
            assert kept(written, rewritten) == kept(document, rewritten)

    hold_for_any_bytes(read_and_write, times=4 if extent is Extent.MINIMAL else 15, size=BYTES)


def kept(document: Any, rewritten: frozenset[str]) -> Any:
    """What is left of a document without null fields and without those that are rewritten."""
    if "*" in rewritten:
        return None
    if not isinstance(document, dict):
        return document
    return {key: value for key, value in document.items() if value is not None and key not in rewritten}
