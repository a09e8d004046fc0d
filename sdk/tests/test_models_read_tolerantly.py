"""What running peers send otherwise than published, and what the models make of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from animus_protocol.models.common import Acknowledged
from animus_protocol.models.control.daemon import DaemonStatus
from animus_protocol.models.control.plugin import PluginCallParams, PluginListParams
from animus_protocol.models.control.queue import PriorityName, QueueEnqueueParams
from animus_protocol.models.dispatch import SubjectDispatch
from animus_protocol.models.lifecycle import InitializeParams, InitializeResult, LogEntryParams
from animus_protocol.models.log_storage import LogStorageEventParams
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.models.provider import (
    AgentNotification,
    AgentOutputParams,
    AgentRunRequest,
    AgentRunResponse,
    AgentToolCallNotification,
    notification_kind,
)
from animus_protocol.models.subject import (
    ChangeKind,
    CustomFieldKind,
    NextSubject,
    Subject,
    SubjectChangedParams,
    SubjectFilter,
    SubjectPatch,
    SubjectResult,
    SubjectSchema,
    SubjectStatus,
)
from animus_protocol.models.trigger import TriggerEvent, TriggerEventParams

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUBJECT = {
    "id": "task:1",
    "kind": "task",
    "title": "t",
    "status": "ready",
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:05Z",
}


def test_unknown_fields_are_ignored() -> None:
    subject = Subject.model_validate({**SUBJECT, "colour": "red"})
    assert "colour" not in subject.model_dump()


def test_null_reads_as_the_default_of_lists_maps_and_flags() -> None:
    nulls = {"labels": None, "children": None, "attachments": None, "custom": None, "priority": None}
    subject = Subject.model_validate(SUBJECT | nulls)
    assert (subject.labels, subject.children, subject.custom, subject.priority) == ([], [], {}, None)
    manifest = PluginManifest.model_validate(
        {
            "name": "n",
            "version": "1",
            "plugin_kind": "provider",
            "description": "d",
            "protocol_version": "1.0.0",
            "capabilities": None,
            "plugin_kinds": None,
            "env_required": None,
            "notification_buffer_size": None,
            "supports_mcp": None,
        }
    )
    assert (manifest.capabilities, manifest.plugin_kinds, manifest.env_required) == ([], [], [])
    assert PluginListParams.model_validate({"include_warnings": None}).include_warnings is False
    assert PluginCallParams.model_validate({"name": "n", "method": "m", "params": None}).params == {}
    assert DaemonStatus.model_validate({"running": True, "capabilities": None}).capabilities.methods == []


def test_a_status_is_read_in_snake_case_too() -> None:
    assert Subject.model_validate({**SUBJECT, "status": "in_progress"}).status is SubjectStatus.IN_PROGRESS
    assert SubjectFilter.model_validate({"status": ["in_progress", "done"]}).status == ["in-progress", "done"]
    with pytest.raises(ValidationError):
        Subject.model_validate({**SUBJECT, "status": "in progress"})


@pytest.mark.parametrize("value", [SUBJECT, {"subject": SUBJECT}])
def test_a_subject_result_is_read_flat_and_wrapped(value: dict[str, Any]) -> None:
    assert TypeAdapter(SubjectResult).validate_python(value) == Subject.model_validate(SUBJECT)
    assert TypeAdapter(NextSubject).validate_python(value) == Subject.model_validate(SUBJECT)


@pytest.mark.parametrize("value", [None, {"subject": None}])
def test_the_next_subject_may_be_none(value: object) -> None:
    assert TypeAdapter(NextSubject).validate_python(value) is None


@pytest.mark.parametrize("stream_id", [7, "7", "task:1"])
def test_a_change_is_about_the_subject_inside_it_whatever_its_id_says(stream_id: int | str) -> None:
    params = SubjectChangedParams.model_validate({"id": stream_id, "change_kind": "status-changed", "subject": SUBJECT})
    event = params.event()
    assert params.id == stream_id
    assert (event.id, event.change_kind, event.subject.title) == ("task:1", ChangeKind.STATUS_CHANGED, "t")
    assert SubjectChangedParams.of(stream_id, event) == params


def test_a_subject_schema_of_an_older_plugin_is_read() -> None:
    schema = SubjectSchema.model_validate(
        {
            "kinds": ["task"],
            "status_values": ["ready", "in_progress"],
            "supports_watch": False,
            "supports_create": True,
            "supports_delete": None,
            "supports_pagination": False,
            "status_dispatch_hints": [{"native_status": "Todo", "status": "ready"}],
            "custom_fields": [
                "estimate",
                {"key": "size", "type": "enum", "values": ["s", "l"]},
                {"key": "x", "type": "url"},
            ],
        }
    )
    assert schema.status_dispatch_hints[0].maps_to is SubjectStatus.READY
    assert [(field.key, field.type) for field in schema.custom_fields] == [
        ("estimate", CustomFieldKind.STRING),
        ("size", CustomFieldKind.ENUM),
        ("x", CustomFieldKind.STRING),
    ]


def test_clearing_and_not_touching_an_assignee_are_told_apart() -> None:
    assert "assignee" in SubjectPatch.model_validate({"assignee": None}).model_fields_set
    assert "assignee" not in SubjectPatch.model_validate({}).model_fields_set


@pytest.mark.parametrize("name", ["final", "is_final"])
def test_the_end_of_an_output_is_read_by_either_name(name: str) -> None:
    params = AgentOutputParams.model_validate({"session_id": "s", "text": "t", name: True})
    assert params.is_final is True
    assert AgentOutputParams.model_validate({"session_id": "s", "text": "t", name: None}).is_final is False


def test_a_notification_with_its_kind_is_one_of_the_union() -> None:
    value = {"session_id": "s", "name": "grep", "arguments": None}
    read = TypeAdapter(AgentNotification).validate_python({**value, "kind": notification_kind("agent/toolCall")})
    assert read == AgentToolCallNotification(session_id="s", name="grep", arguments=None, kind="toolCall")
    assert notification_kind("agent/run") is None


def test_a_run_request_keeps_fields_it_does_not_know() -> None:
    request = AgentRunRequest.model_validate({"prompt": "p", "cwd": "/", "reasoning": {"effort": None}, "env": None})
    assert request.model_extra == {"reasoning": {"effort": None}}
    assert request.env == {}


def test_a_run_response_may_have_nulls_for_everything_optional() -> None:
    required = {"session_id": "s", "exit_code": -1, "output": "", "duration_ms": 0, "backend": "b"}
    optional = ("metadata", "tool_calls", "tool_results", "thinking", "errors", "tokens_used", "decision_verdict")
    response = AgentRunResponse.model_validate({**required, **dict.fromkeys(optional)})
    assert (response.metadata, response.errors, response.tokens_used) == ([], [], None)


@pytest.mark.parametrize("value", [{}, None, True, {"shutdown": True}, "ok", []])
def test_an_acknowledgement_may_say_anything(value: object) -> None:
    assert TypeAdapter(Acknowledged).validate_python(value) == Acknowledged()


def test_a_dispatch_reads_the_older_name_of_its_workflow() -> None:
    value = {
        "subject": {"kind": "task", "id": "1", "labels": None},
        "pipeline_id": "standard",
        "trigger_source": "manual",
        "requested_at": "2026-01-02T03:04:05+00:00",
    }
    assert SubjectDispatch.model_validate(value).workflow_ref == "standard"
    assert SubjectDispatch.model_validate({**value, "workflow_ref": "newer"}).workflow_ref == "newer"


FLAT = {"event_id": "e1", "trigger_id": "t", "action_hint": "create_task", "payload": {"n": 1}}
OLDER = {"id": "e1", "kind": "push", "occurred_at": "2026-01-02T03:04:05Z", "payload": {"n": 1}}


@pytest.mark.parametrize("value", [FLAT, {**FLAT, "id": 4}, {"event": FLAT}, {"id": 4, "event": FLAT}])
def test_a_trigger_event_is_read_flat_and_nested(value: dict[str, Any]) -> None:
    params = TriggerEventParams.model_validate(value)
    assert params.event == TriggerEvent(event_id="e1", trigger_id="t", action_hint="create_task", payload={"n": 1})
    assert params.error is None


@pytest.mark.parametrize("value", [OLDER, {"event": OLDER}, {"id": 4, "event": OLDER}])
def test_a_trigger_event_of_an_older_plugin_is_read(value: dict[str, Any]) -> None:
    params = TriggerEventParams.model_validate(value)
    assert params.event == TriggerEvent(event_id="e1", payload={"n": 1})
    assert (params.kind, params.occurred_at) == ("push", MOMENT)


def test_a_failed_trigger_stream_says_so_in_place_of_an_event() -> None:
    params = TriggerEventParams.model_validate({"error": {"code": -32603, "message": "gone"}})
    assert params.event is None
    assert params.error is not None
    assert params.error.message == "gone"


@pytest.mark.parametrize("value", [{}, {"id": 4}, {"event": None}, {"event": {"payload": 1}}, {"payload": 1}])
def test_a_trigger_event_without_an_id_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="event_id"):
        TriggerEventParams.model_validate(value)


def test_a_log_storage_event_carries_an_entry_or_an_error() -> None:
    failed = LogStorageEventParams.model_validate({"id": 1, "entry": None, "error": {"code": -32603, "message": "x"}})
    assert failed.error is not None
    with pytest.raises(ValidationError, match="neither an entry nor an error"):
        LogStorageEventParams.model_validate({"id": 1})


@pytest.mark.parametrize("value", [{}, {"level": None, "message": {"a": 1}, "ts": 17, "fields": [1], "target": True}])
def test_a_log_entry_of_a_plugin_is_read_whatever_it_holds(value: dict[str, Any]) -> None:
    assert LogEntryParams.model_validate(value).fields == value.get("fields")


def test_values_of_a_log_entry_that_are_no_text_read_as_json() -> None:
    entry = LogEntryParams.model_validate({"message": {"a": None}, "ts": 17})
    assert (entry.message, entry.ts) == ('{"a":null}', "17")


@pytest.mark.parametrize(("value", "priority"), [(2, 2), ("high", PriorityName.HIGH), (None, None)])
def test_a_priority_is_a_number_or_a_word(value: object, priority: object) -> None:
    assert QueueEnqueueParams.model_validate({"task_id": "1", "priority": value}).priority == priority


@pytest.mark.parametrize("value", [256, -1, "urgent"])
def test_any_other_priority_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        QueueEnqueueParams.model_validate({"task_id": "1", "priority": value})


def test_initialize_carries_a_project_binding_or_none() -> None:
    plain = {"protocol_version": "1.1.0", "host_info": {"name": "h", "version": "1"}, "capabilities": {}}
    assert InitializeParams.model_validate(plain | {"init_extensions": None}).project_binding() is None
    bound = InitializeParams.model_validate(
        plain | {"init_extensions": {"project_binding": {"project_root": "/p", "colour": 1}, "other": []}}
    ).project_binding()
    assert bound is not None
    assert (bound.project_root, bound.repo_scope) == ("/p", None)


def test_an_initialize_result_without_its_lists_is_read() -> None:
    result = InitializeResult.model_validate(
        {
            "protocol_version": "1.0.0",
            "plugin_info": {"name": "n", "version": "1", "plugin_kind": "custom", "plugin_kinds": None},
            "capabilities": {"methods": None, "streaming": None, "subject_kinds": None, "mcp_tools": None},
            "kind_capabilities": None,
        }
    )
    assert (result.capabilities.methods, result.capabilities.streaming, result.kind_capabilities) == ([], False, {})
