"""A cloned repository that wants to be executed is only looked at, until its operator trusts it; then it works."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Animus, Daemon, Events, Project

pytestmark = pytest.mark.hostile
BAIT = "import pathlib\npathlib.Path({mark!r} + __name__).touch()\n"
BAITED = ("sitecustomize", "usercustomize", "conftest", "json", "asyncio", "argparse", "animus_core", "yaml")
WORKFLOWS = """\
default_workflow_ref: run
daemon: {{ pool_size: 1 }}
phases:
  script: {{ mode: command, idempotency: idempotent, command: {{ program: .animus/scripts/x }} }}
  data: {{ mode: command, idempotency: idempotent, command: {{ program: .animus/tasks/run }} }}
  inline: {{ mode: command, idempotency: idempotent, command: {{ program: touch, args: [{marks}/inline] }} }}
workflows: [{{ id: run, phases: [script, data, inline] }}]
"""
READING_COMMANDS = (
    ("plugin", "list"),
    ("plugin", "info", "animus-provider-evil"),
    ("plugin", "doctor"),
    ("daemon", "status"),
    ("daemon", "preflight"),
    ("subject", "list"),
    ("workflow", "list"),
    ("workflow", "validate"),
    ("trust", "--show"),
    ("trust",),
)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Where whatever is executed leaves a file with its name."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def project(project: Project, tmp_path: Path, marks: Path) -> Project:
    """A clone of a repository that is full of traps; nobody has trusted it."""
    for name in ("scripts/x", "tasks/run", "bin/row", "plugins/animus-provider-evil"):
        trap = project.write(f".animus/{name}", f"#!/bin/sh\ntouch {marks}/{name.replace('/', '-')}\n")
        trap.chmod(0o755)
    project.write(".animus/plugins.yaml", "plugins: { animus-provider-row: { binary: .animus/bin/row } }\n")
    project.write(".animus/workflows.yaml", WORKFLOWS.format(marks=marks))
    for name in BAITED:
        for folder in ("", ".animus/"):
            project.write(f"{folder}{name}.py", BAIT.format(mark=f"{marks}/bait-"))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.invalid", "-C", str(project.root)]
    subprocess.run([*git, "add", "-A"], check=True, timeout=10)
    subprocess.run([*git, "commit", "-q", "-m", "Trust me"], check=True, timeout=10)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", project.root, clone], check=True, timeout=10)
    return replace(project, root=clone)


def test_nothing_of_an_untrusted_repository_is_executed_and_all_of_it_works_once_it_is_trusted(
    project: Project, animus: Animus, stopped_daemon: Daemon, events: Events, marks: Path, tmp_path: Path
) -> None:
    for words in READING_COMMANDS:
        animus.text(*words)
        assert os.listdir(marks) == [], words
    enqueued = animus.text("queue", "enqueue", "TASK-001")
    assert "note: waits for trust: animus trust" in enqueued.stdout
    # The command itself stands elsewhere; the daemon stands in the repository, with a PYTHONPATH that means "here".
    outside = {"cwd": tmp_path, "env": {"PYTHONPATH": os.pathsep}}
    started = animus.text("daemon", "start", "--project-root", str(project.root), **outside)
    assert "no work of this repository starts" in started.stdout
    events.wait("trust_needed")  # the loop has ticked, and TASK-001 was in the queue
    status = animus("daemon", "status").data
    assert (status["queued"], status["active_runs"]) == (1, 0)
    assert "never trusted" in status["untrusted"]
    (entry,) = animus("queue", "list").data["entries"]
    assert (entry["status"], entry["hold_reason"]) == ("ready", "waits for trust: animus trust")
    listed = animus("plugin", "list").data["warnings"]
    assert {"animus-provider-evil", "animus-provider-row"} <= {warning["plugin"] for warning in listed}
    assert os.listdir(marks) == []

    assert animus("trust", "--yes").code == 0
    events.wait("trust_given")
    events.wait("workflow_completed", subject_id="TASK-001")
    animus("plugin", "list")
    assert set(os.listdir(marks)) == {
        "scripts-x",
        "tasks-run",
        "inline",
        "bin-row",
        "plugins-animus-provider-evil",
    }


def test_an_edit_after_the_trust_holds_new_work_back_until_it_is_trusted_and_shows_what_changed(
    project: Project, animus: Animus, daemon: Daemon, events: Events, marks: Path
) -> None:
    assert animus("trust", "--yes").code == 0
    project.gated("gate", subject="TASK-001")
    project.write(
        ".animus/workflows.yaml",
        """\
default_workflow_ref: deliver
agents: { default: { tool: mock } }
phases:
  work: { mode: agent, idempotency: idempotent }
  inline: { mode: command, idempotency: idempotent, command: { program: .animus/scripts/x } }
workflows: [{ id: deliver, phases: [work, inline] }]
""",
    )
    assert animus("trust", "--yes").code == 0
    animus("queue", "enqueue", "TASK-001")
    events.wait("phase_started", subject_id="TASK-001")

    project.write(".animus/scripts/y", f"#!/bin/sh\ntouch {marks}/scripts-y\x1b[2K\n").chmod(0o755)
    answer = animus("queue", "enqueue", "TASK-002").data["entries"][0]
    assert answer["hold_reason"] == "waits for trust: animus trust"
    needed = events.wait("trust_needed", count=len(events.found("trust_needed")) + 1)
    assert needed["payload"]["changes"] == [{"path": "scripts/y", "what": "added, executable"}]
    shown = animus.text("trust", "--show")
    assert shown.code == 4
    assert "+++ .animus/scripts/y\n# added, executable\n" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert f"touch {marks}/scripts-y\\x1b[2K\n" in shown.stdout
    (project.root / "gate").touch()
    events.wait("workflow_completed", subject_id="TASK-001")  # it was trusted when it began
    assert events.found("workflow_started", subject_id="TASK-002") == []

    assert animus("trust", "--yes").code == 0
    events.wait("workflow_completed", subject_id="TASK-002")
    assert project.log.count("no work starts") == len(events.found("trust_needed"))
