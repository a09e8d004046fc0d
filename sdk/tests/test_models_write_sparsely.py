"""What the models write: nothing that means nothing, and null only where it is a value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from animus_protocol.models.base import Empty, WireModel, encode
from animus_protocol.models.common import StreamItem, Watching
from animus_protocol.models.control.daemon import DaemonEvent
from animus_protocol.models.control.queue import QueueEnqueueParams
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from animus_protocol.models.envelope import RpcResponse
from animus_protocol.models.lifecycle import HostCapabilities, InitializeResult, PluginCapabilities, PluginInfo
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.models.notifier import DAEMON_EVENT_SCHEMA, DaemonEventRecord
from animus_protocol.models.provider import (
    AgentOutputParams,
    AgentRunRequest,
    AgentToolCallParams,
    AgentToolResultParams,
)
from animus_protocol.models.queue import QueueListRequest
from animus_protocol.models.subject import Subject, SubjectFilter, SubjectPatch, SubjectStatus
from animus_protocol.models.trigger import LegacyTriggerEvent, TriggerEvent, TriggerEventParams

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def written(model: WireModel) -> Any:
    return json.loads(encode(model))


def test_a_subject_with_nothing_optional_is_its_required_fields() -> None:
    subject = Subject(
        id="task:1", kind="task", title="t", status=SubjectStatus.IN_PROGRESS, created_at=MOMENT, updated_at=MOMENT
    )
    assert written(subject) == {
        "id": "task:1",
        "kind": "task",
        "title": "t",
        "status": "in-progress",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    "model", [Empty(), SubjectFilter(), SubjectPatch(), QueueListRequest(), SubjectFilter(labels_any=[], cursor=None)]
)
def test_params_without_any_value_are_an_empty_object(model: WireModel) -> None:
    assert encode(model) == b"{}"


def test_lists_with_a_published_default_are_written_when_empty() -> None:
    result = InitializeResult(
        protocol_version="1.1.0",
        plugin_info=PluginInfo(name="n", version="1", plugin_kind="custom"),
        capabilities=PluginCapabilities(),
    )
    assert written(result) == {
        "protocol_version": "1.1.0",
        "plugin_info": {"name": "n", "version": "1", "plugin_kind": "custom"},
        "capabilities": {"methods": [], "streaming": False, "progress": False, "cancellation": False},
    }


def test_a_manifest_writes_neither_nulls_nor_lists_that_nobody_gave() -> None:
    manifest = PluginManifest(name="n", version="1", plugin_kind="custom", description="d", protocol_version="1.1.0")
    assert written(manifest) == {
        "name": "n",
        "version": "1",
        "plugin_kind": "custom",
        "description": "d",
        "protocol_version": "1.1.0",
        "capabilities": [],
    }


def test_flags_are_written_also_when_false() -> None:
    assert written(HostCapabilities(streaming=True)) == {"streaming": True, "progress": False, "cancellation": False}
    assert encode(Watching()) == b'{"watching":true}'


def test_clearing_an_assignee_is_written_as_null() -> None:
    assert encode(SubjectPatch(assignee=None)) == b'{"assignee":null}'
    assert written(SubjectPatch(labels_add=["a"])) == {"labels_add": ["a"]}


def test_null_arguments_and_outputs_of_tools_are_written() -> None:
    assert written(AgentToolCallParams(session_id="s", name="n", arguments=None)) == {
        "session_id": "s",
        "name": "n",
        "arguments": None,
    }
    result = AgentToolResultParams(session_id="s", name="n", output=None, success=True)
    assert written(result)["output"] is None


def test_null_payloads_that_are_required_are_written() -> None:
    older = LegacyTriggerEvent(id="e", occurred_at=MOMENT, kind="push", payload=None)
    assert written(older)["payload"] is None
    record = DaemonEventRecord(schema_id=DAEMON_EVENT_SCHEMA, id="1", timestamp="t", event_type="x", data=None)
    assert written(record) == {
        "schema": "animus.daemon-event.v1",
        "id": "1",
        "seq": 0,
        "timestamp": "t",
        "event_type": "x",
        "data": None,
    }


def test_a_reply_of_null_is_written() -> None:
    assert written(RpcResponse(jsonrpc="2.0", id=1, result=None)) == {"jsonrpc": "2.0", "id": 1, "result": None}


def test_nulls_inside_values_of_others_are_kept() -> None:
    request = AgentRunRequest(prompt="p", cwd="/", tools={"a": None})
    assert written(request) == {"prompt": "p", "cwd": "/", "tools": {"a": None}}


def test_the_end_of_an_output_is_written_by_both_names() -> None:
    expected = {"session_id": "s", "text": "t", "is_final": True, "final": True}
    assert written(AgentOutputParams(session_id="s", text="t", is_final=True)) == expected


def test_a_trigger_event_is_written_flat() -> None:
    params = TriggerEventParams(event=TriggerEvent(event_id="e", payload={"n": None}))
    assert written(params) == {"event_id": "e", "payload": {"n": None}}


def test_a_dispatch_is_written_with_the_current_name_of_its_workflow() -> None:
    dispatch = SubjectDispatch(
        subject=SubjectRef(kind="task", id="1"), workflow_ref="w", trigger_source="manual", requested_at=MOMENT
    )
    assert written(dispatch) == {
        "subject": {"kind": "task", "id": "1"},
        "workflow_ref": "w",
        "trigger_source": "manual",
        "requested_at": "2026-01-02T03:04:05Z",
    }


def test_an_item_of_a_stream_carries_the_id_of_its_request() -> None:
    event = DaemonEvent(id="7", occurred_at=MOMENT, kind="tick", payload=None)
    assert written(StreamItem[DaemonEvent](id=3, data=event)) == {
        "id": 3,
        "data": {"id": "7", "occurred_at": "2026-01-02T03:04:05Z", "kind": "tick", "payload": None},
    }


def test_our_additions_are_absent_unless_they_are_set() -> None:
    assert written(QueueEnqueueParams(task_id="1", priority=3)) == {"task_id": "1", "priority": 3}


def test_a_number_outside_its_size_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 255"):
        QueueEnqueueParams.model_validate({"task_id": "1", "priority": 256})
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        SubjectFilter(limit=-1)


def test_infinities_become_null() -> None:
    assert encode({"x": [float("nan"), float("inf")]}) == b'{"x":[null,null]}'
