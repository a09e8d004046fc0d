"""Stopping, draining and dying runners: what was under way is finished, by this daemon or by the next one."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from file_changes import wait_until

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project


def statuses(animus: Animus) -> dict[str, str]:
    """The status of each run by its subject."""
    listed = animus("workflow", "list")
    assert listed.code == 0, listed.stderr
    return {run["subject_id"]: run["status"] for run in listed.data["runs"]}


def test_a_daemon_that_is_told_to_end_lets_its_run_finish_and_keeps_what_waits(
    project: Project, animus: Animus, stopped_daemon: Daemon, events: Events
) -> None:
    daemon = stopped_daemon
    one_at_a_time = project.workflows().read_text().replace("pool_size: 4", "pool_size: 1")
    project.workflows(one_at_a_time)
    daemon.start()
    barrier = project.gated("gate")
    daemon.enqueue("TASK-001", "TASK-002")
    events.wait("phase_intent", subject_id="TASK-001")

    os.kill(daemon.pid, signal.SIGTERM)
    wait_until(lambda: "stopping" in project.log, project.scope.daemon_dir)
    barrier.touch()
    wait_until(lambda: not daemon.running, project.scope.daemon_dir)
    assert statuses(animus) == {"TASK-001": "completed"}
    entries = animus("queue", "list").data["entries"]
    assert [(entry["subject_id"], entry["status"]) for entry in entries] == [("TASK-002", "ready")]

    daemon.start()
    events.wait("workflow_completed", subject_id="TASK-002")


def test_a_run_that_a_stop_cuts_short_is_finished_by_the_next_daemon(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    barrier = project.gated("gate")
    daemon.enqueue("TASK-001")
    events.wait("phase_intent", subject_id="TASK-001")
    stopped = animus("daemon", "stop", "--drain-secs", "0")
    assert (stopped.code, stopped.data["stopped"]) == (0, True)
    assert statuses(animus) == {"TASK-001": "running"}

    barrier.touch()
    daemon.start()
    events.wait("workflow_completed", subject_id="TASK-001")
    assert statuses(animus) == {"TASK-001": "completed"}


def test_a_run_whose_runners_die_again_and_again_is_blocked_with_the_way_on(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    barrier = project.gated("gate")
    daemon.enqueue("TASK-001")
    events.wait("phase_intent", subject_id="TASK-001")
    for epoch in range(1, 6):
        runner = events.wait("runner_started", subject_id="TASK-001", epoch=epoch)
        os.kill(runner["payload"]["pid"], signal.SIGKILL)
    blocked = events.wait("workflow_blocked", subject_id="TASK-001")["payload"]
    run = blocked["workflow_id"]
    assert "5 runners in a row died without progress" in blocked["reason"]
    assert f"animus workflow resume {run}" in blocked["hint"]
    assert statuses(animus) == {"TASK-001": "paused"}
    assert len(events.found("runner_started")) == 5

    barrier.touch()
    assert animus("workflow", "resume", run).code == 0
    events.wait("workflow_completed", subject_id="TASK-001")
