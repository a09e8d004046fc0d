"""What people mistype, and places that are not what a command needs: a sentence, an exit code, never a traceback."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project

MISUSES: dict[tuple[str, ...], list[str]] = {
    (): ["a command is missing", "usage: animus"],
    ("frobnicate",): ["invalid choice: 'frobnicate'", "'daemon', 'queue'", "usage: animus"],
    ("daemon", "frobnicate"): ["invalid choice: 'frobnicate'", "'start'", "usage: animus daemon"],
    ("daemon", "start", "--frobnicate"): ["unrecognized arguments: --frobnicate", "usage: animus"],
    ("daemon", "stop", "--drain-secs", "-3"): ["'-3' is not a whole number of seconds", "usage: animus daemon stop"],
    ("queue", "enqueue"): ["required: subject", "usage: animus queue enqueue"],
    ("queue", "enqueue", "TASK-001", "--priority", "urgent"): ["'urgent' is none of critical, high, medium, low"],
    ("queue", "enqueue", "TASK-001", "--priority", "9"): ["'9' is none of critical, high, medium, low"],
    ("queue", "enqueue", "TASK-001", "--var", "x"): ["--var 'x' is not NAME=VALUE"],
    ("subject", "list", "--status", "finished"): ["no subject can be 'finished'", "ready"],
}

NOBODY_THERE: dict[tuple[str, ...], tuple[int, list[str]]] = {
    ("daemon", "events"): (5, ["no daemon is running", "animus daemon start"]),
    ("workflow", "resume", "run-1"): (5, ["no daemon is running", "animus daemon start"]),
    ("workflow", "cancel", "run-1"): (5, ["no daemon is running", "animus daemon start"]),
    ("workflow", "get", "run-1"): (3, ["no run 'run-1'", "animus workflow list"]),
    ("workflow", "get", "../run-1"): (3, ["no run '../run-1'", "animus workflow list"]),
    ("queue", "hold", "q-1"): (3, ["no queue entry 'q-1'", "animus queue list"]),
    ("subject", "get", "TASK-404"): (3, ["no subject 'TASK-404'", "animus subject list"]),
}


def test_a_command_that_is_mistyped_says_how_it_is_written(animus: Animus) -> None:
    for result, parts in zip(animus.together(*MISUSES), MISUSES.values(), strict=True):
        assert (result.code, result.error["code"], result.stdout) == (2, "invalid_input", "")
        assert not [part for part in parts if part not in result.printed], result.printed
    read = animus.text("daemon", "frobnicate")
    assert (read.code, read.stdout) == (2, "")
    assert read.stderr.startswith("animus: argument COMMAND: invalid choice: 'frobnicate'")


def test_without_a_daemon_commands_take_turns_and_say_what_only_a_daemon_can_do(animus: Animus) -> None:
    for result, (code, parts) in zip(animus.together(*NOBODY_THERE), NOBODY_THERE.values(), strict=True):
        assert (result.code, result.stdout) == (code, ""), result
        assert not [part for part in parts if part not in result.printed], result.printed


def test_a_place_that_cannot_be_used_is_named_with_the_way_out(
    animus: Animus, config_dir: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    missing = animus("--project-root", str(tmp_path / "nowhere"), "daemon", "start")
    assert (missing.code, missing.error["code"]) == (2, "invalid_input")
    assert f"{tmp_path}/nowhere is not a folder" in missing.printed
    assert "--project-root" in missing.printed

    empty = animus("daemon", "start", cwd=bare)
    assert (empty.code, empty.error["code"]) == (2, "invalid_input")
    assert f"{bare} has no .animus folder" in empty.printed
    assert "animus init" in empty.printed

    far = config_dir / ("far-" * 25)
    for command in (["daemon", "start"], ["queue", "enqueue", "TASK-001"]):
        long = animus(*command, env={"ANIMUS_CONFIG_DIR": str(far)})
        assert (long.code, long.error["code"]) == (2, "invalid_input")
        assert f"{far}/" in long.printed
        assert "the path of a socket may have" in long.printed
        assert "Set ANIMUS_CONFIG_DIR to a shorter path." in long.printed

    relative = animus("daemon", "start", env={"ANIMUS_CONFIG_DIR": "here"})
    assert relative.code == 2
    assert "ANIMUS_CONFIG_DIR is 'here'" in relative.printed
    assert "absolute path" in relative.printed

    file = config_dir / "file"
    file.touch()
    for command in (["daemon", "start"], ["queue", "list"]):
        no_folder = animus(*command, env={"ANIMUS_CONFIG_DIR": str(file)})
        assert (no_folder.code, no_folder.error["code"]) == (5, "unavailable")
        assert f"{file}: the folder cannot be made: it is not a folder" in no_folder.printed
        assert "ANIMUS_CONFIG_DIR" in no_folder.printed

    shared = config_dir / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    opened = animus("daemon", "start", env={"ANIMUS_CONFIG_DIR": str(shared)})
    assert opened.code == 5
    assert "others may write here (mode 777)" in opened.printed
    assert f"chmod go-w {shared}" in opened.printed


def test_a_folder_without_git_works_and_a_task_that_does_not_parse_stops_no_other(
    project: Project, animus: Animus, stopped_daemon: Daemon, events: Events
) -> None:
    shutil.rmtree(project.root / ".git")
    stopped_daemon.start()
    task = project.write(".animus/tasks/TASK-001.md", "---\ntitle: x\nstatus: [ready\n---\n")

    broken, fine, listed = animus.together(
        ["queue", "enqueue", "TASK-001"], ["queue", "enqueue", "TASK-002"], ["subject", "list"]
    )
    assert (broken.code, broken.error["code"]) == (2, "invalid_input")
    assert ".animus/tasks/TASK-001.md:" in broken.printed
    assert fine.code == 0
    assert [one["id"] for one in listed.data["subjects"]] == ["TASK-002"]
    events.wait("workflow_completed", subject_id="TASK-002")

    assert project.task("TASK-001") == task
    assert animus("queue", "enqueue", "TASK-001").code == 0
    events.wait("workflow_completed", subject_id="TASK-001")


def test_following_events_ends_quietly_when_it_is_interrupted(project: Project, animus: Animus, daemon: Daemon) -> None:
    assert animus("daemon", "events", "--since", "yesterday").code == 2
    assert animus("daemon", "pause").code == 0
    assert animus("queue", "enqueue", "TASK-001").code == 0
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with animus.spawn("daemon", "events", "--since", "0", **pipes) as follower:
        assert follower.stdout is not None
        while "queue_enqueued" not in (line := follower.stdout.readline()):
            assert "plugin_state" in line
        follower.send_signal(signal.SIGINT)
        _, complaints = follower.communicate(timeout=20)
    assert (follower.returncode, complaints) == (130, "")
