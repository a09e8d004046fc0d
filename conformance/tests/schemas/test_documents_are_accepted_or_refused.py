"""Every bundle says yes and no where the protocol does, by documents that are right and documents that are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

Problems = Callable[[str, object], list[str]]

MOMENT: Final = "2026-01-02T03:04:05Z"
SUBJECT: Final = {
    "id": "T-1",
    "kind": "task",
    "title": "t",
    "status": "ready",
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
MANIFEST: Final = {
    "name": "n",
    "version": "1",
    "plugin_kind": "provider",
    "description": "d",
    "protocol_version": "1.0.0",
}
ENTRY: Final = {"id": "1", "ts": MOMENT, "level": "warn", "source": "cli", "target": "t", "message": "m"}
RUN: Final = {"session_id": "s", "exit_code": 0, "output": "", "duration_ms": 0, "backend": "b"}
DISPATCH: Final = {
    "subject": {"kind": "task", "id": "1"},
    "workflow_ref": "w",
    "trigger_source": "cli",
    "requested_at": MOMENT,
}
QUEUED: Final = {
    "entry_id": "1",
    "subject_id": "1",
    "subject_dispatch": DISPATCH,
    "status": "pending",
    "enqueued_at": "now",
}
EVENT: Final = {"schema": "animus.daemon-event.v1", "id": "1", "timestamp": MOMENT, "event_type": "e", "data": None}
LEGACY: Final = {"id": "1", "occurred_at": MOMENT, "kind": "k", "payload": None}
STEP: Final = {"phase_id": "p", "ts": "now"}
ISSUE: Final = {"path": "patch", "message": "m", "code": "missing"}
FAILURE: Final = {"code": -32603, "message": "m"}
BACKEND: Final = {
    "kinds": ["task"],
    "status_values": ["ready"],
    "supports_watch": False,
    "supports_create": False,
    "supports_pagination": False,
}
ERROR_REPLY: Final = {"jsonrpc": "2.0", "id": None, "error": FAILURE}


def without(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


ACCEPTED: Final[list[tuple[str, object]]] = [
    ("plugin#/$defs/PluginManifest", MANIFEST),
    ("plugin#/$defs/PluginManifest", MANIFEST | {"capabilities": None, "env_required": None, "colour": "red"}),
    ("plugin#/$defs/PluginManifest", MANIFEST | {"notification_buffer_size": 2**64 - 1}),
    ("plugin#/$defs/PluginCapabilities", {"methods": None, "streaming": None, "mcp_tools": [{"name": "t"}]}),
    ("plugin#/$defs/HealthCheckResult", {"status": "degraded", "uptime_ms": 0, "last_error": None}),
    ("plugin#/$defs/RpcResponse", {"jsonrpc": "2.0", "id": 1, "result": None}),
    ("plugin#/$defs/RpcResponse", {"jsonrpc": "2.0", "id": "1", "result": {}, "error": None}),
    ("plugin#/$defs/RpcResponse", ERROR_REPLY),
    ("plugin#/$defs/RpcError", FAILURE | {"data": [1]}),
    ("plugin#/$defs/ErrorData", {"category": "not_found", "issues": None}),
    ("plugin#/$defs/ErrorData", {"issues": [ISSUE, ISSUE | {"path": ["patch", 0]}]}),
    ("plugin#/$defs/ProgressParams", {"id": 1, "value": None}),
    ("plugin#/$defs/Acknowledged", None),
    ("plugin#/$defs/Timestamp", "2026-01-02t03:04:05.123456+05:30"),
    ("plugin#/$defs/ConversationLoadMetaResponse", {"meta": None}),
    ("subject#/$defs/Subject", SUBJECT),
    ("subject#/$defs/Subject", SUBJECT | {"priority": 255, "labels": None, "custom": {"a": [None]}, "parent": None}),
    ("subject#/$defs/SubjectOrNested", {"subject": SUBJECT}),
    ("subject#/$defs/SubjectOrNull", SUBJECT),
    ("subject#/$defs/SubjectOrNull", None),
    ("subject#/$defs/SubjectOrNull", {"subject": None}),
    ("subject#/$defs/SubjectList", {"subjects": [], "fetched_at": MOMENT, "next_cursor": None}),
    ("subject#/$defs/SubjectPatch", {"assignee": None, "labels_add": ["a"]}),
    ("subject#/$defs/SubjectFilter", {"status": ["in-progress"], "limit": 0}),
    ("subject#/$defs/SubjectSchema", BACKEND | {"status_dispatch_hints": [{"native_status": "n", "maps_to": "done"}]}),
    ("subject#/$defs/SubjectSchema", BACKEND | {"status_dispatch_hints": [{"native_status": "n", "status": "done"}]}),
    ("subject#/$defs/SubjectSchema", BACKEND | {"custom_fields": ["size", {"key": "k", "type": "date"}]}),
    ("subject#/$defs/SubjectChangedParams", {"id": 7, "change_kind": "status-changed", "subject": SUBJECT}),
    ("provider#/$defs/AgentRunRequest", {"prompt": "p", "cwd": "/", "env": {"A": "b"}, "temperature": 1}),
    ("provider#/$defs/AgentRunResponse", RUN | {"exit_code": -1, "tokens_used": None, "errors": None}),
    ("provider#/$defs/AgentOutputParams", {"session_id": "s", "text": "", "final": True}),
    ("provider#/$defs/AgentOutputParams", {"session_id": "s", "text": "", "is_final": None}),
    ("provider#/$defs/AgentToolCallParams", {"session_id": "s", "name": "n", "arguments": None}),
    ("provider#/$defs/AgentNotification", {"kind": "thinking", "session_id": "s", "text": "t"}),
    ("trigger#/$defs/TriggerEventParams", {"event_id": "1", "action_hint": "page_somebody", "error": None}),
    ("trigger#/$defs/TriggerEventParams", LEGACY),
    ("trigger#/$defs/TriggerEventParams", {"event": {"event_id": "1"}}),
    ("trigger#/$defs/TriggerEventParams", {"event": LEGACY}),
    ("trigger#/$defs/TriggerEventParams", {"error": FAILURE, "event": None}),
    ("trigger#/$defs/TriggerAckResult", {"event_id": "1", "acked": True}),
    ("transport#/$defs/TransportSchema", {"kinds": [], "supports_streaming": True, "supports_websocket": False}),
    ("transport#/$defs/TransportShutdownResult", {}),
    ("transport#/$defs/TransportShutdownResult", {"shutdown": True}),
    ("log-storage#/$defs/LogEntry", ENTRY | {"source_name": None, "fields": {"a": 1}}),
    ("log-storage#/$defs/LogStorageEventParams", {"id": 1, "entry": ENTRY}),
    ("log-storage#/$defs/LogStorageEventParams", {"id": 1, "error": FAILURE, "entry": None}),
    ("notifier#/$defs/NotifierNotifyParams", {"event": EVENT}),
    ("notifier#/$defs/NotifierNotifyResult", {"accepted": True, "delivered": 2**32 - 1, "lifecycle_events": None}),
    ("queue#/$defs/QueueEntry", QUEUED),
    ("queue#/$defs/QueueLeaseRequest", {"max": 1, "workflow_ids": ["w"], "exclude_subjects": None}),
    ("queue#/$defs/QueueMutationResponse", {"changed": False, "not_found": None}),
    ("config#/$defs/ConfigValidateResponse", {"diagnostics": [{"severity": "error", "message": "m", "line": 0}]}),
    ("durable-store#/$defs/BeginStepResponse", {"step_id": "s", "status": "new", "prior_error": None}),
    ("memory-store#/$defs/QueryMemoryResponse", {"results": [{"key": "k", "value": None, "score": 0.5}]}),
    ("workflow-runner#/$defs/PhaseEvent", STEP | {"kind": "started", "attempt": 1}),
    ("workflow-runner#/$defs/PhaseEvent", STEP | {"kind": "decision", "verdict": "advance", "confidence": None}),
    ("workflow-runner#/$defs/WorkflowExecuteRequest", {"subject_dispatch": DISPATCH, "vars": {"a": "b"}}),
]

REFUSED: Final[list[tuple[str, object]]] = [
    *[("plugin#/$defs/PluginManifest", without(MANIFEST, name)) for name in MANIFEST],
    ("plugin#/$defs/PluginManifest", MANIFEST | {"name": None}),
    ("plugin#/$defs/PluginManifest", MANIFEST | {"notification_buffer_size": -1}),
    ("plugin#/$defs/PluginManifest", MANIFEST | {"env_required": ["TOKEN"]}),
    ("plugin#/$defs/PluginCapabilities", {"methods": "agent/run"}),
    ("plugin#/$defs/HealthCheckResult", {"status": "ok"}),
    ("plugin#/$defs/HealthCheckResult", {"status": "healthy", "uptime_ms": 2**64}),
    ("plugin#/$defs/RpcResponse", {"jsonrpc": "2.0", "id": 1}),
    ("plugin#/$defs/RpcResponse", {"jsonrpc": "2.0", "result": {}}),
    ("plugin#/$defs/RpcResponse", {"jsonrpc": "2.0", "id": None, "result": {}}),
    ("plugin#/$defs/RpcResponse", {"jsonrpc": "1.0", "id": 1, "result": {}}),
    ("plugin#/$defs/RpcResponse", ERROR_REPLY | {"result": {}}),
    ("plugin#/$defs/RpcResponse", ERROR_REPLY | {"error": "m"}),
    ("plugin#/$defs/RpcRequest", {"jsonrpc": "2.0", "method": "m", "params": 1}),
    ("plugin#/$defs/RpcRequest", {"jsonrpc": "2.0", "method": "m", "id": 1.5}),
    ("plugin#/$defs/RpcError", {"code": 2**31, "message": "m"}),
    ("plugin#/$defs/RpcError", {"code": "internal", "message": "m"}),
    *[("plugin#/$defs/ErrorData", {"issues": [without(ISSUE, name)]}) for name in ISSUE],
    ("plugin#/$defs/InitializeParams", {"protocol_version": "1.0.0", "host_info": {"name": "n", "version": "1"}}),
    ("plugin#/$defs/HostCapabilities", {"streaming": None}),
    ("plugin#/$defs/CancelParams", {"id": None}),
    ("plugin#/$defs/ProgressParams", {"id": 1}),
    ("plugin#/$defs/Empty", None),
    ("plugin#/$defs/Watching", {}),
    ("plugin#/$defs/Watching", {"watching": False}),
    *[
        ("plugin#/$defs/Timestamp", text)
        for text in (
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05Z",
            "2026-13-02T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "2026-01-02T03:04:05+0100",
        )
    ],
    ("plugin#/$defs/Timestamp", 1767322800),
    *[("subject#/$defs/Subject", without(SUBJECT, name)) for name in SUBJECT],
    ("subject#/$defs/Subject", {"subject": SUBJECT}),
    ("subject#/$defs/Subject", SUBJECT | {"status": "in_progress"}),
    ("subject#/$defs/Subject", SUBJECT | {"priority": 256}),
    ("subject#/$defs/Subject", SUBJECT | {"priority": "high"}),
    ("subject#/$defs/Subject", SUBJECT | {"labels": "a"}),
    ("subject#/$defs/Subject", SUBJECT | {"custom": []}),
    ("subject#/$defs/Subject", SUBJECT | {"attachments": [{"id": "1"}]}),
    ("subject#/$defs/SubjectOrNested", None),
    ("subject#/$defs/SubjectOrNested", {"subject": None}),
    ("subject#/$defs/SubjectOrNull", {}),
    ("subject#/$defs/SubjectList", [SUBJECT]),
    ("subject#/$defs/SubjectList", {"subjects": None, "fetched_at": MOMENT}),
    ("subject#/$defs/SubjectFilter", {"labels_any": None}),
    ("subject#/$defs/SubjectFilter", {"limit": 2**32}),
    ("subject#/$defs/SubjectSchema", BACKEND | {"status_dispatch_hints": [{"native_status": "n"}]}),
    ("subject#/$defs/SubjectSchema", BACKEND | {"status_dispatch_hints": [{"status": "done"}]}),
    ("subject#/$defs/SubjectSchema", BACKEND | {"custom_fields": [{"key": "k", "type": "money"}]}),
    ("subject#/$defs/SubjectChangedParams", {"id": 7, "change_kind": "renamed", "subject": SUBJECT}),
    ("provider#/$defs/AgentRunRequest", {"prompt": "p"}),
    ("provider#/$defs/AgentRunRequest", {"prompt": "p", "cwd": "/", "env": None}),
    ("provider#/$defs/AgentRunRequest", {"prompt": "p", "cwd": "/", "env": {"A": 1}}),
    ("provider#/$defs/AgentRunRequest", {"prompt": "p", "cwd": "/", "timeout_secs": 1.5}),
    *[("provider#/$defs/AgentRunResponse", without(RUN, name)) for name in RUN],
    ("provider#/$defs/AgentRunResponse", RUN | {"tokens_used": {"input": 1}}),
    ("provider#/$defs/AgentToolCallParams", {"session_id": "s", "name": "n"}),
    ("provider#/$defs/AgentNotification", {"kind": "silence", "session_id": "s"}),
    ("trigger#/$defs/TriggerEventParams", {}),
    ("trigger#/$defs/TriggerEventParams", without(LEGACY, "occurred_at")),
    ("trigger#/$defs/TriggerEventParams", {"event": {}}),
    ("trigger#/$defs/TriggerEventParams", {"error": "m"}),
    ("trigger#/$defs/TriggerEventParams", {"event_id": "1", "error": FAILURE}),
    ("trigger#/$defs/TriggerEventParams", {"event": LEGACY, "error": FAILURE}),
    ("transport#/$defs/TransportInfo", {"bound_addr": "127.0.0.1:80", "started_at": "now"}),
    ("transport#/$defs/TransportSchema", {"kinds": [], "supports_streaming": True}),
    ("transport#/$defs/TransportShutdownResult", {"shutdown": False}),
    ("transport#/$defs/TransportErrorData", {"category": "busy"}),
    ("transport#/$defs/TransportErrorData", {}),
    *[("log-storage#/$defs/LogEntry", without(ENTRY, name)) for name in ENTRY],
    ("log-storage#/$defs/LogEntry", ENTRY | {"level": "WARN"}),
    ("log-storage#/$defs/LogEntry", ENTRY | {"source": "runner"}),
    ("log-storage#/$defs/LogStorageEventParams", {"id": 1}),
    ("log-storage#/$defs/LogStorageEventParams", {"id": 1, "entry": ENTRY, "error": FAILURE}),
    ("log-storage#/$defs/LogTailResult", {"tailing": False}),
    ("notifier#/$defs/NotifierNotifyParams", {"event": EVENT | {"schema": "animus.daemon-event.v2"}}),
    ("notifier#/$defs/NotifierNotifyResult", {"accepted": True, "delivered": 2**32}),
    ("queue#/$defs/QueueEntry", without(QUEUED, "subject_dispatch")),
    ("queue#/$defs/QueueEnqueueRequest", {"subject_dispatch": DISPATCH, "run_at": "tomorrow"}),
    ("queue#/$defs/QueueStats", {"total": 1, "pending": 1, "assigned": 0}),
    ("config#/$defs/ConfigDiagnostic", {"severity": "hint", "message": "m"}),
    ("durable-store#/$defs/RecoverInFlightRequest", {"since_epoch": -1}),
    ("memory-store#/$defs/MemoryScope", {"task_id": "t"}),
    ("workflow-runner#/$defs/PhaseEvent", STEP | {"kind": "completed", "attempt": 1}),
]


@pytest.mark.parametrize(("name", "document"), ACCEPTED)
def test_what_the_protocol_allows_is_accepted(problems: Problems, name: str, document: object) -> None:
    assert problems(name, document) == []


@pytest.mark.parametrize(("name", "document"), REFUSED)
def test_what_the_protocol_does_not_allow_is_refused(problems: Problems, name: str, document: object) -> None:
    assert problems(name, document) != []


def test_every_bundle_has_examples_both_ways(bundles: Mapping[str, Any]) -> None:
    for examples in (ACCEPTED, REFUSED):
        assert {name.split("#")[0] for name, _ in examples} == bundles.keys()
