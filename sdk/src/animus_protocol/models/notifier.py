"""The notifier protocol: the daemon's events told to people (protocol §4).

Below lies `base`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import Field

from animus_protocol.models.base import Empty, Json, KeepsNull, Method, OrDefault, WireModel
from animus_protocol.models.common import Uint32, Uint64

__all__ = [
    "DAEMON_EVENT_SCHEMA",
    "NOTIFIER_FLUSH",
    "NOTIFIER_NOTIFY",
    "NOTIFIER_SCHEMA",
    "DaemonEventRecord",
    "NotifierFlushParams",
    "NotifierFlushResult",
    "NotifierLifecycleEvent",
    "NotifierNotifyParams",
    "NotifierNotifyResult",
    "NotifierSchema",
]

DAEMON_EVENT_SCHEMA: Final = "animus.daemon-event.v1"
"""What `DaemonEventRecord.schema_id` says."""


class DaemonEventRecord(KeepsNull):
    """One event of the daemon; `schema_id` is `schema` on the wire, `timestamp` is RFC 3339."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"data"})

    schema_id: str = Field(alias="schema")
    id: str
    seq: OrDefault[Uint64] = 0
    timestamp: str
    event_type: str
    project_root: str | None = None
    data: Json


class NotifierLifecycleEvent(KeepsNull):
    """What the notifier did, for the daemon's own log."""

    KEEP_NULL: ClassVar[frozenset[str]] = frozenset({"data"})

    event_type: str
    project_root: str | None = None
    data: Json


class NotifierNotifyParams(WireModel):
    """Params of `notifier/notify`."""

    event: DaemonEventRecord


class NotifierNotifyResult(WireModel):
    """Result of `notifier/notify`; `delivered` counts messages sent."""

    accepted: bool
    delivered: OrDefault[Uint32] = 0
    lifecycle_events: OrDefault[list[NotifierLifecycleEvent]] = Field(default_factory=list)


class NotifierFlushParams(WireModel):
    """Params of `notifier/flush`."""

    project_root: str | None = None


class NotifierFlushResult(WireModel):
    """Result of `notifier/flush`."""

    lifecycle_events: OrDefault[list[NotifierLifecycleEvent]] = Field(default_factory=list)


class NotifierSchema(WireModel):
    """Result of `notifier/schema`."""

    connector_kinds: list[str]
    supports_flush: bool


NOTIFIER_NOTIFY = Method("notifier/notify", NotifierNotifyParams, NotifierNotifyResult, "protocol §4")
NOTIFIER_FLUSH = Method("notifier/flush", NotifierFlushParams, NotifierFlushResult, "protocol §4")
NOTIFIER_SCHEMA = Method("notifier/schema", Empty, NotifierSchema, "protocol §4")
