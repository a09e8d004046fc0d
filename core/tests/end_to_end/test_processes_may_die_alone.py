"""What happens when one process of a working system is killed, cancelled or paused, told by effects outside of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project

AGENT = """\
default_workflow_ref: deliver
agents: {{ default: {{ tool: mock, model: mock-1 }} }}
phases:
  work: {{ mode: agent, idempotency: {idempotency}, directive: "Work." }}
workflows: [{{ id: deliver, phases: [work] }}]
"""

COMMAND = """\
default_workflow_ref: deliver
phases:
  work:
    mode: command
    idempotency: {idempotency}
    command: {{ program: sh, args: ["-c", "echo began >> effects; until [ -e gate ]; do sleep 0.05; done"] }}
workflows: [{{ id: deliver, phases: [work] }}]
"""


def effects(project: Project) -> list[str]:
    """What the work has left outside."""
    path = project.root / "effects"
    return path.read_text().splitlines() if path.exists() else []


def gated_effect(project: Project) -> Path:
    """The mock provider appends a line to `effects`, then waits for the gate, which is returned."""
    append = "open('effects', 'a').write('began\\n')"
    steps = [
        {"run": [sys.executable, "-c", append]},
        {"say": "waiting"},
        {"wait_for": {"file": "gate", "timeout_s": 50}},
        {"verdict": "advance"},
    ]
    project.script({"when": {"phase": "work"}, "steps": steps})
    return project.root / "gate"


def process_of(project: Project, module: str) -> int:
    """The one process of the project's that runs `module` (or has it in its command line)."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        try:
            ours = process.environ().get("ANIMUS_CONFIG_DIR") == str(project.config_dir)
        except psutil.Error:
            continue
        if ours and module in line:
            found.append(process.pid)
    assert len(found) == 1, found
    return found[0]


def start_work(daemon: Daemon, events: Events) -> None:
    """Enqueue TASK-001 and wait until its effect has begun and it waits at the gate."""
    daemon.enqueue("TASK-001")
    events.wait("phase_intent", subject_id="TASK-001")
    while not any(event["payload"]["kind"] == "output" for event in events.found("agent_record")):
        events.wait("agent_record", count=len(events.found("agent_record")) + 1, subject_id="TASK-001")


def status_of(animus: Animus, task: str = "TASK-001") -> str:
    result = animus("subject", "get", task)
    assert result.code == 0, result.stderr
    status: str = result.data["status"]
    return status


def runs(pid: int) -> bool:
    """Whether a process is still at work; one that is dead and not yet reaped by init is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def finished(events: Events) -> dict[str, object]:
    event = events.wait("workflow_completed", subject_id="TASK-001")
    payload: dict[str, object] = event["payload"]
    return payload


def test_a_session_goes_on_when_its_runner_dies_and_is_not_begun_again(
    project: Project, daemon: Daemon, events: Events
) -> None:
    project.workflows(AGENT.format(idempotency="sideeffecting"))
    barrier = gated_effect(project)
    start_work(daemon, events)

    os.kill(process_of(project, "animus_core.app.runner"), signal.SIGKILL)
    events.wait("runner_crashed", subject_id="TASK-001")
    events.wait("runner_started", subject_id="TASK-001", epoch=2)
    barrier.touch()

    finished(events)
    assert effects(project) == ["began"]
    assert len(events.found("phase_started")) == 1


def test_a_run_goes_on_when_the_daemon_dies_and_the_next_one_takes_it_in(
    project: Project, daemon: Daemon, events: Events
) -> None:
    project.workflows(AGENT.format(idempotency="sideeffecting"))
    barrier = gated_effect(project)
    start_work(daemon, events)
    runner = process_of(project, "animus_core.app.runner")

    daemon.kill()
    daemon.start()
    assert process_of(project, "animus_core.app.runner") == runner
    barrier.touch()

    assert finished(events)["epoch"] == 1
    assert effects(project) == ["began"]


@pytest.mark.parametrize("victim", ["animus_core.app.agent_runner", "animus-provider-mock"])
def test_a_session_that_died_is_resumed_where_its_provider_can(
    victim: str, project: Project, daemon: Daemon, events: Events
) -> None:
    project.workflows(AGENT.format(idempotency="sideeffecting"))
    barrier = gated_effect(project)
    start_work(daemon, events)

    os.kill(process_of(project, victim), signal.SIGKILL)
    events.wait("phase_intent", subject_id="TASK-001", mode="resume")
    barrier.touch()

    finished(events)
    assert effects(project) == ["began"]


def test_a_command_that_may_have_had_an_effect_waits_for_a_person(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    project.workflows(COMMAND.format(idempotency="sideeffecting"))
    daemon.enqueue("TASK-001")
    events.wait("phase_intent")
    command = wait_for_effect(project)

    os.kill(process_of(project, "animus_core.app.runner"), signal.SIGKILL)
    blocked = events.wait("workflow_blocked", subject_id="TASK-001")["payload"]

    assert not runs(command)
    assert "sideeffecting" in blocked["reason"]
    assert f"animus workflow resume {blocked['workflow_id']}" in blocked["hint"]
    assert effects(project) == ["began"]
    (project.root / "gate").touch()
    assert animus("workflow", "resume", blocked["workflow_id"]).code == 0
    finished(events)
    assert effects(project) == ["began", "began"]


def test_an_idempotent_command_is_repeated_by_itself(project: Project, daemon: Daemon, events: Events) -> None:
    project.workflows(COMMAND.format(idempotency="idempotent"))
    daemon.enqueue("TASK-001")
    events.wait("phase_intent")
    wait_for_effect(project)

    os.kill(process_of(project, "animus_core.app.runner"), signal.SIGKILL)
    events.wait("phase_started", subject_id="TASK-001", attempt=2)
    (project.root / "gate").touch()

    finished(events)
    assert effects(project) == ["began", "began"]


def wait_for_effect(project: Project) -> int:
    """Wait until the command has begun; the pid of its shell."""
    for _ in _watch(project.root):
        if effects(project):
            break
    return process_of(project, "until [ -e gate ]")


def _watch(folder: Path) -> Iterator[object]:
    from watchfiles import watch

    yield from watch(folder, debounce=1, step=1, rust_timeout=200, yield_on_timeout=True, recursive=False)


def test_cancelling_a_run_ends_its_session_and_gives_the_task_back(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    project.workflows(AGENT.format(idempotency="sideeffecting"))
    gated_effect(project)
    start_work(daemon, events)
    run_id = events.found("phase_intent")[0]["payload"]["workflow_id"]
    provider = process_of(project, "animus-provider-mock")

    assert animus("workflow", "cancel", run_id, "--reason", "not wanted any more").code == 0

    cancelled = events.wait("workflow_cancelled", subject_id="TASK-001")["payload"]
    assert cancelled["reason"] == "not wanted any more"
    assert not runs(provider)
    daemon.stop(drain_secs=5)
    assert status_of(animus) == "ready"


def test_work_that_was_accepted_without_a_daemon_is_done_by_the_next_one(
    project: Project, animus: Animus, stopped_daemon: Daemon, events: Events
) -> None:
    assert animus("queue", "enqueue", "TASK-001").code == 0
    assert animus("daemon", "status").data["running"] is False

    stopped_daemon.start()

    finished(events)
    stopped_daemon.stop(drain_secs=5)
    assert status_of(animus) == "done"


def test_a_paused_daemon_starts_nothing_also_after_a_restart(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    assert animus("daemon", "pause").code == 0
    daemon.enqueue("TASK-001")
    daemon.stop()
    daemon.start()
    assert animus("daemon", "status").data["paused"] is True
    assert [entry["status"] for entry in animus("queue", "list").data["entries"]] == ["ready"]
    assert animus("workflow", "list").data["runs"] == []

    assert animus("daemon", "resume").code == 0

    finished(events)
