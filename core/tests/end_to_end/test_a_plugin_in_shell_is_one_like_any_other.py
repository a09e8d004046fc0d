"""The protocol is the contract: a backend of POSIX shell, sed and awk serves the commands and a daemon's runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Plugins, Project

SHELL_PLUGIN = Path(__file__).parents[1] / "hostile/plugins/animus-subject-shell"
TITLE = 'Say "hi\\there" to Ünal\t\U0001f600'


def test_notes_are_made_listed_worked_and_moved_through_a_plugin_without_any_sdk(
    project: Project, animus: Animus, stopped_daemon: Daemon, plugins: Plugins, events: Events
) -> None:
    plugins.command("animus-subject-shell", [str(SHELL_PLUGIN)])
    project.write(".animus/config.json", '{"default_subject_kind": "note"}')
    stopped_daemon.start()

    made = animus("subject", "create", TITLE, "--kind", "note", "--body", "one\ntwo")
    assert (made.code, made.data["id"], made.data["status"]) == (0, "N-1", "ready"), made.stderr
    assert animus("subject", "create", "Later").data["id"] == "N-2"  # of the project's default kind
    moved = animus("subject", "status", "N-2", "blocked")
    assert (moved.code, moved.data["status"]) == (0, "blocked"), moved.stderr
    listed = animus("subject", "list", "--kind", "note").data["subjects"]
    assert [(one["id"], one["title"], one["status"]) for one in listed] == [
        ("N-1", TITLE, "ready"),
        ("N-2", "Later", "blocked"),
    ]
    assert listed[0]["description"] == "one\ntwo"

    assert animus("queue", "enqueue", "N-1", "--kind", "note").code == 0
    events.wait("workflow_completed", subject_kind="note", subject_id="N-1")
    stopped_daemon.stop(drain_secs=5)
    ready, done = (animus("subject", "list", "--kind", "note", "--status", status) for status in ("ready", "done"))
    assert ready.data["subjects"] == []
    assert [(one["id"], one["title"]) for one in done.data["subjects"]] == [("N-1", TITLE)]
