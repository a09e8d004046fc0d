"""Backends side by side: one that fails takes nobody's subjects away, and one that comes later needs no new daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Plugins

SHELL = Path(__file__).parents[1] / "hostile" / "plugins" / "animus-subject-shell"
DIES = """
import json, os, sys
MANIFEST = {"name": "dies", "version": "1", "plugin_kind": "subject_backend", "description": "d",
            "protocol_version": "1.0.0", "capabilities": ["subject_kind:ache"]}
if "--manifest" in sys.argv:
    print(json.dumps(MANIFEST))
    sys.exit()
print("my head", file=sys.stderr, flush=True)
os._exit(4)
"""


def test_a_backend_that_fails_takes_nobody_elses_subjects_away(animus: Animus, plugins: Plugins) -> None:
    plugins.add("animus-subject-aches", DIES)
    listed = animus("subject", "list")
    assert [subject["id"] for subject in listed.data["subjects"]] == ["TASK-001", "TASK-002"]
    (warning,) = listed.data["warnings"]
    assert "plugin animus-subject-aches: it ended (exit code 4) during initialize" in warning
    assert animus("subject", "get", "TASK-001").data["id"] == "TASK-001"
    assert animus("subject", "status", "TASK-001", "blocked").data["status"] == "blocked"
    alone = animus("subject", "list", "--kind", "ache")
    assert (alone.code, alone.error["code"]) == (5, "unavailable")
    assert "my head" in alone.printed
    unknown = animus("subject", "get", "NOWHERE")
    assert unknown.code == 5, "whether it is in the backend that fails, nobody knows"


def test_a_plugin_that_is_installed_under_a_running_daemon_is_used_at_once_and_gone_when_it_is_removed(
    animus: Animus, daemon: Daemon, events: Events
) -> None:
    assert animus("subject", "list", "--kind", "note").code == 3
    assert animus("plugin", "install", str(SHELL), "--name", "notes").code == 0
    assert animus("subject", "create", "buy milk", "--kind", "note").data["kind"] == "note"
    events.wait("plugin_state", plugin="notes", state="ready")
    assert animus("plugin", "status", "notes").data["plugins"][0]["state"] == "ready"
    assert animus("plugin", "uninstall", "notes").code == 0
    assert animus("subject", "list", "--kind", "note").code == 3
    events.wait("plugin_state", plugin="notes", state="stopped")
