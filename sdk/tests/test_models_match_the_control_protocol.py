"""The params and results of the control socket against the published table, field by field.

A line is `method: params -> result`; `?` marks an optional field, `+` an optional one that this project adds. Params
that are flags are optional when read, whatever the table says, since absent params read as `{}`.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from animus_protocol.methods import CONTROL_METHODS
from animus_protocol.models.control import agent, daemon, plugin, queue, workflow

PLUGIN_INFO = "name version kind source? signature_verified description? binary_path? lock+"
CATALOG = "entries"
RUN = """id definition status subject_id? started_at finished_at?
    subject_kind+ current_phase+ attempt+ failure_reason+ blocked_reason+ epoch+"""
ENTRY = """id subject_id status priority enqueued_at hold_reason?
    kind+ workflow_ref+ run_id+ run_at+ title+"""
STARTED = "workflow_id status started_at"
CREATED = "project_root repo_scope created"
STREAM = "watching?"

TABLE: dict[str, tuple[str, str]] = {
    "subject/list": ("filter?", "subjects next_cursor? fetched_at warnings+"),
    "subject/create": ("kind title body? status? priority? labels? assignee? custom?", ""),
    "subject/next": ("kind?", "subject?"),
    "subject/watch": ("kind? filter?", STREAM),
    "plugin/list": ("include_warnings kind?", "plugins warnings?"),
    "plugin/info": ("name", PLUGIN_INFO),
    "plugin/ping": ("name", "ok latency_ms? error?"),
    "plugin/uninstall": ("name", ""),
    "plugin/install": ("source version? yes allow_unsigned", "plugin steps?"),
    "plugin/search": ("query kind? tag?", CATALOG),
    "plugin/browse": ("kind? installed available", CATALOG),
    "plugin/update": ("name? tag? dry_run", "updates"),
    "daemon/status": (
        "",
        "running pid? uptime_seconds? version? project_root? log_path? capabilities paused+ active_runs+ queued+ "
        "untrusted+",
    ),
    "daemon/health": ("", "status plugins? last_error?"),
    "daemon/agents": ("", "agents"),
    "daemon/events": ("since?", STREAM),
    "daemon/logs": ("since? level? plugin? follow", STREAM),
    "workflow/list": ("status? cursor? limit?", "runs next_cursor?"),
    "workflow/get": ("id", RUN + " detail"),
    "workflow/run": ("task_id definition? params? actor?", STARTED),
    "workflow/execute": ("definition params? subject_id? actor?", STARTED),
    "workflow/pause": ("id", RUN),
    "workflow/cancel": ("id reason?", RUN),
    "workflow/resume": ("id feedback? force+", RUN),
    "workflow/events": ("workflow_id? kinds?", STREAM),
    "agent/run": ("provider model prompt system? cwd? env?", "session_id model output usage?"),
    "agent/status": ("id", "session_id status provider model started_at finished_at? last_error?"),
    "agent/cancel": ("session_id", ""),
    "queue/list": ("status? cursor? limit?", "entries next_cursor?"),
    "queue/enqueue": ("task_id priority? kind+ workflow_ref+ vars+ run_at+ input+", ENTRY),
    "queue/drop": ("id", ENTRY),
    "queue/release": ("id", ENTRY),
    "queue/hold": ("id reason?", ENTRY),
    "queue/reorder": ("id? subject_ids? anchor_id? position", ""),
    "queue/stats": ("", "ready held in_flight done_recent dropped_recent"),
    "project/init": ("template? yes", CREATED),
    "project/setup": ("mcp start_daemon", CREATED),
    "project/status": ("", "project_root repo_scope workflow_definition_count task_count active_runs queue_size"),
}
PARTS: list[tuple[type[Any], str]] = [
    (plugin.PluginCatalogEntry, "id name version kind description? url? tags? installed"),
    (plugin.PluginUpdate, "name from_version to_version applied"),
    (plugin.PluginWarning, "plugin message"),
    (daemon.PluginHealth, "name kind status uptime_ms? last_error?"),
    (daemon.DaemonAgent, "session_id provider model workflow_id? phase_id? started_at"),
    (daemon.DaemonEvent, "id occurred_at kind payload"),
    (workflow.WorkflowEvent, "workflow_id kind payload occurred_at"),
    (agent.AgentUsage, "prompt_tokens completion_tokens cost_micro_usd?"),
]
ENUMS: list[tuple[type[Any], str]] = [
    (daemon.DaemonHealthStatus, "healthy degraded unhealthy down"),
    (workflow.WorkflowStatus, "pending running paused completed failed cancelled"),
    (agent.AgentState, "running completed failed cancelled"),
    (queue.QueueEntryStatus, "ready held in-flight done dropped"),
    (queue.QueuePosition, "front back before after"),
    (queue.PriorityName, "critical high medium low"),
]


def assert_fields(model: Any, expected: str) -> None:
    schema = TypeAdapter(model).json_schema(mode="validation")
    fields = expected.split()
    properties = schema.get("properties", {})
    assert set(properties) == {field.rstrip("?+") for field in fields}
    required = {field for field in fields if not field.endswith(("?", "+"))}
    read_without = {name for name, part in properties.items() if part.get("type") == "boolean" and "default" in part}
    read_without |= {"capabilities"} if "log_path" in properties else set()
    assert set(schema.get("required", [])) == required - read_without


@pytest.mark.parametrize("method", TABLE)
def test_a_control_method_has_the_fields_of_the_table(method: str) -> None:
    params, result = TABLE[method]
    row = CONTROL_METHODS[method]
    assert_fields(row.params, params)
    if result:
        assert_fields(row.result, result)


@pytest.mark.parametrize(("model", "fields"), PARTS)
def test_a_part_of_a_control_result_has_the_published_fields(model: type[Any], fields: str) -> None:
    assert_fields(model, fields)


@pytest.mark.parametrize(("model", "values"), ENUMS)
def test_an_enum_of_the_control_socket_has_the_published_values(model: type[Any], values: str) -> None:
    assert [member.value for member in model] == values.split()


def test_the_plugin_info_of_the_control_socket_bears_the_published_title() -> None:
    assert plugin.ControlPluginInfo.model_json_schema()["title"] == "PluginInfo"
