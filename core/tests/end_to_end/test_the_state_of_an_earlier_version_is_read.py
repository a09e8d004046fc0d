"""Formats on the disk stay: what an earlier version of Animus has left behind is read, shown and worked on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from animus_core.agent_runner.session import read_spool
from animus_core.runner.execute import fold
from animus_core.runner.files import read_run_files
from animus_core.store.paths import RunPaths
from animus_core.supply.lock.lockfile import Lockfile
from animus_core.workflow.run_stages import Blocked, RunStatus
from animus_protocol.models.agent_session import SessionEnd
from file_changes import wait_until

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project

LEFT_BEHIND: Final = Path(__file__).parent / "previous_version"
DONE: Final = "run-20261130-235506-3759e0bf"
BLOCKED: Final = "run-20261130-235508-e449454a"
WAITING: Final = "q-e60f6dcdf457"
EVENTS: Final = 32


@pytest.fixture
def left_behind(project: Project, config_dir: Path) -> Project:
    """The project and the state of the earlier version, at the paths of this test."""
    shutil.rmtree(project.root / ".animus")
    shutil.copytree(LEFT_BEHIND / "project", project.root, dirs_exist_ok=True)
    scope = project.scope
    shutil.copytree(LEFT_BEHIND / "state", scope.root)
    shutil.copytree(LEFT_BEHIND / "plugins.lock.d", config_dir / "plugins.lock.d")
    trusted = config_dir / "trust" / f"{scope.root.name}.json"
    for source, target in (("trust.json", trusted), ("plugins.lock", config_dir / "plugins.lock")):
        text = (LEFT_BEHIND / source).read_text()
        target.write_text(text.replace("@project@", str(project.root)).replace("@config@", str(config_dir)))
    return project


def test_runs_queue_and_trust_are_shown_without_a_daemon(left_behind: Project, animus: Animus) -> None:
    runs = animus("workflow", "list").data["runs"]
    assert [(run["id"], run["status"], run["subject_id"]) for run in runs] == [
        (BLOCKED, "paused", "TASK-002"),
        (DONE, "completed", "TASK-001"),
    ]
    detail = animus("workflow", "get", BLOCKED).data
    assert "its idempotency is sideeffecting" in detail["blocked_reason"]
    assert [(phase["phase_id"], phase["status"]) for phase in detail["detail"]["phases"]] == [("careful", "lost")]
    entries = animus("queue", "list").data["entries"]
    assert {(entry["subject_id"], entry["status"]) for entry in entries} == {
        ("TASK-002", "in-flight"),
        ("TASK-003", "ready"),
    }
    status = animus("daemon", "status").data
    assert (status["paused"], status.get("untrusted")) == (True, None)


def test_a_daemon_goes_on_where_the_earlier_one_has_stopped(
    left_behind: Project, animus: Animus, stopped_daemon: Daemon, events: Events
) -> None:
    stopped_daemon.start()
    assert animus("workflow", "resume", BLOCKED, "--feedback", "Nothing was published.").code == 0
    events.wait("workflow_completed", workflow_id=BLOCKED)
    assert animus("daemon", "resume").code == 0
    events.wait("workflow_completed", subject_id="TASK-003")
    resumed = events.found("phase_started", workflow_id=BLOCKED)
    assert [event["payload"]["attempt"] for event in resumed] == [1, 2]
    assert [event["id"] for event in events.seen[:EVENTS]] == [str(number) for number in range(1, EVENTS + 1)]
    earlier = [event["kind"] for event in events.seen[:EVENTS]]
    assert [earlier.count(kind) for kind in ("queue_enqueued", "runner_crashed", "workflow_blocked")] == [3, 1, 1]
    wait_until(lambda: "status: done" in _task(left_behind, 2), left_behind.root / ".animus/tasks")
    wait_until(lambda: "status: done" in _task(left_behind, 3), left_behind.root / ".animus/tasks")


def _task(project: Project, number: int) -> str:
    return (project.root / f".animus/tasks/TASK-00{number}.md").read_text()


def test_journals_plans_and_spools_fold_as_they_did() -> None:
    done, blocked = (RunPaths(LEFT_BEHIND / "state/runs" / run) for run in (DONE, BLOCKED))
    assert fold(done.journal).status is RunStatus.COMPLETED
    state = fold(blocked.journal)
    assert isinstance(state.at, Blocked)
    assert (state.at.phase.phase, dict(state.attempts)) == ("careful", {"careful": 1})
    assert [phase.id for phase in read_run_files(done).plan.phases] == ["write", "publish"]
    assert read_run_files(blocked).dispatch.subject.id == "TASK-002"
    opened, written, closed = read_spool(done.spool("write", 1))
    assert opened is not None
    assert closed is not None
    assert (opened["tool"], written, closed.end) == ("mock", True, SessionEnd.ANSWERED)


def test_the_lock_of_installed_plugins_is_read(left_behind: Project, config_dir: Path) -> None:
    entry = Lockfile.read(config_dir).get("note")
    assert entry is not None
    assert (entry.name, entry.version, entry.plugin_kind) == ("note", "1.0.0", "notifier")
