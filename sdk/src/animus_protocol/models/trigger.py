"""The trigger protocol: events from outside that may start work (protocol §4).

Below lie `base`, `common` and `envelope`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from animus_protocol.models.base import Empty, Json, KeepsNull, Method, Timestamp, WireModel
from animus_protocol.models.common import Watching
from animus_protocol.models.envelope import RpcErrorObject

__all__ = [
    "TRIGGER_ACK",
    "TRIGGER_ACK_NOTIFICATION",
    "TRIGGER_EVENT",
    "TRIGGER_SCHEMA",
    "TRIGGER_WATCH",
    "LegacyTriggerEvent",
    "TriggerAckParams",
    "TriggerAckResult",
    "TriggerAckStatus",
    "TriggerActionHint",
    "TriggerEvent",
    "TriggerEventParams",
    "TriggerSchema",
    "TriggerWatchParams",
]

TriggerActionHint = str
"""`create_task`, `run_workflow`, or any other word."""

TriggerAckStatus = str
"""What became of an event, in the host's words."""


class TriggerEvent(WireModel):
    """An event as current plugins send it, flat in the params; `event_id` is unique within the trigger."""

    event_id: str
    trigger_id: str | None = None
    subject_id: str | None = None
    subject_kind: str | None = None
    action_hint: TriggerActionHint | None = None
    payload: Json = None


class LegacyTriggerEvent(KeepsNull):
    """An event as older plugins send it."""

    # The title of the published schema, which calls the older form by the same name.
    model_config = ConfigDict(title="TriggerEvent")
    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"payload"})

    id: str
    occurred_at: Timestamp
    kind: str
    payload: Json
    action_hint: str | None = None
    subject_id: str | None = None


def _current_names(fields: dict[str, Any]) -> dict[str, Any]:
    if "event_id" in fields or not isinstance(fields.get("id"), str):
        return fields
    return {**fields, "event_id": fields["id"]}


class TriggerEventParams(WireModel):
    """Params of `trigger/event`: an event, or the error that ends the stream; written flat.

    Read are the flat form, older field names (`id`, `kind`, `occurred_at`) and a nested `event`. `kind` and
    `occurred_at` are what an older plugin said about the event.
    """

    event: TriggerEvent | None = None
    error: RpcErrorObject | None = None
    kind: str | None = None
    occurred_at: Timestamp | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_any_form(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("error") is not None:
            return value
        # An `event_id` beside it says that the event is flat, and that `event` is a member of its own.
        fields = value if value.get("event") is None or "event_id" in value else value["event"]
        if not isinstance(fields, dict):
            return value
        fields = _current_names(fields)
        return {"event": fields, "kind": fields.get("kind"), "occurred_at": fields.get("occurred_at")}

    @model_serializer(mode="wrap")
    def _write_flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        event: dict[str, Any] = written.pop("event", None) or {}
        return event | written


class TriggerWatchParams(WireModel):
    """Params of `trigger/watch`: where to go on, and the project's triggers.

    Hosts send `config` as `{"triggers": [{id, workflow_ref, config}]}`.
    """

    cursor: Json = None
    config: Json = None


class TriggerAckParams(WireModel):
    """Params of `trigger/ack`: the event is durable."""

    event_id: str
    status: TriggerAckStatus | None = None


class TriggerAckResult(WireModel):
    """Result of `trigger/ack` where a host sends it as a request."""

    event_id: str
    acked: bool


class TriggerSchema(WireModel):
    """Result of `trigger/schema`."""

    kinds: list[str]
    supports_resume: bool
    supports_dedup: bool
    supports_ack: bool


TRIGGER_WATCH = Method("trigger/watch", TriggerWatchParams, Watching, "protocol §4")
TRIGGER_SCHEMA = Method("trigger/schema", Empty, TriggerSchema, "protocol §4")
TRIGGER_EVENT: Method[TriggerEventParams, None] = Method("trigger/event", TriggerEventParams, None, "protocol §4")
TRIGGER_ACK = Method("trigger/ack", TriggerAckParams, TriggerAckResult, "protocol §4")
TRIGGER_ACK_NOTIFICATION: Method[TriggerAckParams, None] = Method("trigger/ack", TriggerAckParams, None, "protocol §4")
"""`trigger/ack` as real hosts send it; the table has the row of the request."""
