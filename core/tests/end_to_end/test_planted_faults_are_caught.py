"""The proofs are proved: what they assert about crashes fails when the fault that they look for is planted.

Each check below is run twice: on the real code, where it holds, and on the same code with one fault in it, where it
must not. Publishing before the commit cannot be planted: subscribers read the database, and are only woken.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

PLANTED = Path(__file__).parent / "planted"

EFFECT = """\
default_workflow_ref: deliver
phases:
  work:
    mode: command
    idempotency: sideeffecting
    command: { program: sh, args: ["-c", "echo done >> effects"] }
workflows: [{ id: deliver, phases: [work] }]
"""


def what_was_acknowledged_is_still_there(
    project: Project, animus: Animus, daemon: Daemon, events: Events, tmp_path: Path
) -> None:
    """The daemon is killed right before a commit; what the command was told to be accepted must survive."""
    animus("daemon", "pause")
    animus.env["ANIMUS_CRASH_POINT"] = f"daemon/store.before_commit@2:{tmp_path / 'crashed'}"
    daemon.start()
    # Of kind `custom`, because no plugin has to be started for it, whose states would be commits too.
    accepted = [item for item in ("C-1", "C-2") if animus("queue", "enqueue", item, "--kind", "custom").code == 0]
    if daemon.running:
        daemon.stop()
    animus.env["ANIMUS_CRASH_POINT"] = ""
    kept = [entry["subject_id"] for entry in animus("queue", "list").data["entries"]]
    assert (tmp_path / "crashed").exists()
    assert set(accepted) <= set(kept), f"accepted {accepted}, kept {kept}"


def an_effect_is_never_silently_repeated(
    project: Project, animus: Animus, daemon: Daemon, events: Events, tmp_path: Path
) -> None:
    """The runner is killed when the effect is over and its outcome is not on disk: the run must wait for a person."""
    project.workflows(EFFECT)
    animus.env["ANIMUS_CRASH_POINT"] = f"runner/runner.performed@1:{tmp_path / 'crashed'}"
    daemon.start()
    assert animus("queue", "enqueue", "TASK-001").code == 0
    events.wait_any("workflow_blocked", "workflow_completed")
    assert (project.root / "effects").read_text() == "done\n"


def a_living_run_has_one_runner(
    project: Project, animus: Animus, daemon: Daemon, events: Events, tmp_path: Path
) -> None:
    """The daemon is killed and started while a runner works: no second runner may join it."""
    barrier = project.gated("gate")
    daemon.start()
    assert animus("queue", "enqueue", "TASK-001").code == 0
    events.wait("phase_intent", subject_id="TASK-001")
    try:
        daemon.kill()
        daemon.start()
        barrier.touch()
        assert events.wait("workflow_completed", subject_id="TASK-001")["payload"]["epoch"] == 1
        assert not events.found("runner_crashed")
    finally:
        barrier.touch()
        end_runners(project)


def end_runners(project: Project) -> None:
    """Two runners of one run do not end by themselves in good order."""
    for process in psutil.process_iter(["cmdline"]):
        if "animus_core.app.runner" in " ".join(process.info["cmdline"] or []):
            try:
                if process.environ().get("ANIMUS_CONFIG_DIR") == str(project.config_dir):
                    os.kill(process.pid, signal.SIGKILL)
            except (psutil.Error, ProcessLookupError):
                continue


Check = Callable[["Project", "Animus", "Daemon", "Events", Path], None]
CHECKS: list[tuple[Check, str, str]] = [
    (
        what_was_acknowledged_is_still_there,
        "acknowledge_before_commit",
        "accepted ['C-1', 'C-2'], kept ['C-1']",
    ),
    (an_effect_is_never_silently_repeated, "intent_after_effect", "'done\\ndone\\n' == 'done\\n'"),
    (a_living_run_has_one_runner, "lock_not_inherited", "runner_crashed"),
]


@pytest.mark.parametrize("check", [check for check, *_ in CHECKS])
def test_the_check_holds_on_the_real_code(
    check: Check, project: Project, animus: Animus, stopped_daemon: Daemon, events: Events, tmp_path: Path
) -> None:
    check(project, animus, stopped_daemon, events, tmp_path)


@pytest.mark.parametrize(("check", "fault", "symptom"), CHECKS)
def test_the_check_fails_where_the_fault_is_planted(
    check: Check,
    fault: str,
    symptom: str,
    project: Project,
    animus: Animus,
    stopped_daemon: Daemon,
    events: Events,
    tmp_path: Path,
) -> None:
    animus.env["PYTHONPATH"] = str(PLANTED / fault)
    with pytest.raises(AssertionError) as caught:
        check(project, animus, stopped_daemon, events, tmp_path)
    animus.env["PYTHONPATH"] = ""
    assert symptom in str(caught.value)
