"""A disk without room makes work wait, then block; it costs no record, and nothing is accepted that was not written.

A limit on the size of files, put on a living process from outside, is the full disk: every write to a file fails.
"""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import pytest

from file_changes import wait_until

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project

pytestmark = pytest.mark.long

ENDLESS = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def fill_disk(pid: int) -> None:
    """From now on no write of this process to a file succeeds."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def make_room(pid: int) -> None:
    """Undo `fill_disk`."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, ENDLESS)


def test_a_run_waits_for_room_and_one_that_finds_none_is_blocked_and_finished_by_a_resume(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    effect = "open('effects-{{subject}}', 'a').write('done\\n')"
    project.script(
        {
            "steps": [
                {"say": "waiting"},
                {"wait_for": {"file": "gate", "timeout_s": 50}},
                {"run": [sys.executable, "-c", effect]},
                {"say": "done"},
                {"verdict": "advance"},
            ]
        }
    )
    project.workflows(
        "default_workflow_ref: deliver\n"
        "agents: { default: { tool: mock } }\n"
        "phases: { work: { mode: agent, idempotency: sideeffecting } }\n"
        "workflows: [{ id: deliver, phases: [work] }]\n"
    )
    daemon.enqueue("TASK-001", "TASK-002")
    runners = {}
    for task in ("TASK-001", "TASK-002"):
        events.wait("agent_record", subject_id=task, kind="output")
        runners[task] = events.found("runner_started", subject_id=task)[0]["payload"]
        fill_disk(runners[task]["pid"])
    (project.root / "gate").touch()
    effects = [project.root / f"effects-{task}" for task in runners]
    wait_until(lambda: all(path.exists() and path.read_text() == "done\n" for path in effects), project.root)

    make_room(runners["TASK-001"]["pid"])
    events.wait("workflow_completed", subject_id="TASK-001")
    assert len(events.found("runner_started", subject_id="TASK-001")) == 1

    blocked = events.wait("workflow_blocked", subject_id="TASK-002")["payload"]
    run = blocked["workflow_id"]
    journal = project.scope.run_dir(run).journal
    assert f"{journal}: the journal cannot be written" in blocked["reason"]
    assert f"animus workflow resume {run}" in blocked["hint"]
    shown = animus.text("workflow", "get", run)
    assert "the journal cannot be written" in shown.stdout
    assert f"animus workflow resume {run}" in shown.stdout

    assert animus("workflow", "resume", run).code == 0
    events.wait("workflow_completed", subject_id="TASK-002")
    assert [path.read_text() for path in effects] == ["done\n", "done\n"]
    for task in runners:
        assert len(events.found("workflow_completed", subject_id=task)) == 1


def test_what_the_database_has_no_room_for_is_refused_and_works_once_there_is(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    for pid in project.processes:
        fill_disk(pid)
    refused = animus("queue", "enqueue", "TASK-001")
    assert (refused.code, refused.error["code"]) == (5, "unavailable")
    assert str(project.scope.workflow_db) in refused.printed
    assert refused.error["hint"]
    assert animus("queue", "list").data["entries"] == []

    for pid in project.processes:
        make_room(pid)
    assert animus("queue", "list").data["entries"] == []
    assert animus("queue", "enqueue", "TASK-001").code == 0
    events.wait("workflow_completed", subject_id="TASK-001")
    assert len(events.found("queue_enqueued")) == 1


def test_a_status_that_the_task_file_has_no_room_for_is_written_once_there_is(
    project: Project, daemon: Daemon, events: Events
) -> None:
    barrier = project.gated("gate")
    daemon.enqueue("TASK-001")
    task = project.root / ".animus/tasks/TASK-001.md"
    wait_until(lambda: "in-progress" in task.read_text(), task.parent)
    plugin = next(pid for pid, line in project.processes.items() if "animus-subject-files" in line)
    fill_disk(plugin)
    barrier.touch()
    events.wait("workflow_completed", subject_id="TASK-001")
    wait_until(lambda: "it cannot be written: File too large" in project.log, project.scope.daemon_dir)
    assert "in-progress" in task.read_text()

    make_room(plugin)
    wait_until(lambda: "status: done" in task.read_text(), task.parent)
