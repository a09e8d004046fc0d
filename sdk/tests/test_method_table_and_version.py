"""The method table and the rule of compatible versions."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import TypeAdapter

from animus_protocol.methods import CONTROL_METHODS, METHODS
from animus_protocol.models import trigger
from animus_protocol.models.subject import SUBJECT_LIST
from animus_protocol.version import PROTOCOL_VERSION, is_compatible

PLUGIN_NAMES = """
initialize initialized $/ping health/check shutdown exit $/cancelRequest $/progress log/entry
subject/list subject/get subject/create subject/update subject/next subject/status subject/delete subject/watch
subject/unwatch subject/schema subject/changed
agent/run agent/resume agent/cancel agent/output agent/thinking agent/toolCall agent/toolResult agent/error
trigger/watch trigger/event trigger/ack trigger/schema
log_storage/store log_storage/query log_storage/tail log_storage/event log_storage/schema
transport/start transport/schema transport/shutdown
notifier/notify notifier/flush notifier/schema
queue/enqueue queue/list queue/lease queue/hold queue/release queue/drop queue/release_pending queue/reorder
queue/mark_assigned queue/completion queue/stats queue/next_deadline
"""
CONTROL_NAMES = """
subject/list subject/get subject/status subject/update subject/create subject/next subject/watch subject/changed
plugin/list plugin/info plugin/ping plugin/uninstall plugin/install plugin/call
plugin/search plugin/browse plugin/update plugin/status plugin/restart
daemon/status daemon/health daemon/start daemon/stop daemon/restart daemon/nudge daemon/pause daemon/resume
daemon/agents daemon/events daemon/event daemon/logs daemon/log subscription/closed
workflow/list workflow/get workflow/run workflow/execute workflow/pause workflow/cancel workflow/resume
workflow/events workflow/event
agent/run agent/status agent/cancel
queue/list queue/enqueue queue/drop queue/release queue/hold queue/reorder queue/stats
project/init project/setup project/status
"""


def test_the_table_has_every_method_of_the_plugin_protocols() -> None:
    assert sorted(METHODS) == sorted(PLUGIN_NAMES.split())


def test_the_table_has_every_method_of_the_control_protocol() -> None:
    assert sorted(CONTROL_METHODS) == sorted(CONTROL_NAMES.split())


def test_every_row_has_types_that_can_be_built() -> None:
    for row in [*METHODS.values(), *CONTROL_METHODS.values()]:
        assert TypeAdapter(row.params).json_schema(mode="validation")["type"] == "object", row
        if row.result is not None:
            TypeAdapter(row.result).json_schema(mode="validation")
        assert row.doc


def test_the_table_has_an_acknowledgement_that_can_be_answered() -> None:
    assert METHODS["trigger/ack"] is trigger.TRIGGER_ACK
    assert trigger.TRIGGER_ACK_NOTIFICATION.result is None


def test_the_rows_of_a_kind_have_the_types_of_the_subject_rows() -> None:
    row = SUBJECT_LIST.named("task/list")
    assert (row.name, row.params, row.result) == ("task/list", SUBJECT_LIST.params, SUBJECT_LIST.result)


def test_the_models_of_a_provider_import_nothing_heavy() -> None:
    script = "import sys, animus_protocol.models.provider; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"jsonschema", "animus_protocol.methods", "animus_protocol.models.control", "asyncio"}


@pytest.mark.parametrize("version", [PROTOCOL_VERSION, "1.0.0", "1.99.3", "1.2.0-rc.1", "1.0.0+build.5"])
def test_the_same_major_is_compatible(version: str) -> None:
    assert is_compatible(version)


@pytest.mark.parametrize(
    "version",
    ["2.0.0", "0.9.0", "10.0.0", "1", "1.0", "v1.0.0", "1.0.0 ", " 1.0.0", "1.0.0\n", "01.0.0", "1.0.x", "", "١.0.0"],
)
def test_another_major_and_what_is_no_semver_are_refused(version: str) -> None:
    assert not is_compatible(version)
