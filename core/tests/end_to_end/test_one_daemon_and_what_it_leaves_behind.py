"""One daemon a project; what a killed one leaves behind, and broken files of its own, do not stop the next one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Animus, Daemon, Events, Project


def test_a_second_daemon_is_refused_with_the_pid_of_the_first_and_starting_again_is_fine(
    project: Project, animus: Animus, stopped_daemon: Daemon
) -> None:
    first, second = animus.together(["daemon", "start"], ["daemon", "start"])
    assert (first.code, second.code) == (0, 0)
    assert sorted([first.data["started"], second.data["started"]]) == [False, True]
    pid = stopped_daemon.pid
    assert first.data["pid"] == second.data["pid"] == pid

    refused = animus("daemon", "run")
    assert (refused.code, refused.error["code"]) == (4, "conflict")
    assert f"a daemon of {project.root} is running already (pid {pid})" in refused.printed
    assert "animus daemon status" in refused.printed
    read = animus.text("daemon", "run")
    assert (read.code, read.stdout) == (4, "")
    assert read.stderr.startswith(f"animus: a daemon of {project.root} is running already (pid {pid})\n")
    assert animus.text("daemon", "start").stdout == f"the daemon runs already (pid {pid})\n"
    assert stopped_daemon.pid == pid


def test_after_a_killed_daemon_commands_say_that_none_runs_and_the_next_one_does_the_work(
    project: Project, animus: Animus, daemon: Daemon, events: Events
) -> None:
    assert animus("daemon", "pause").code == 0
    assert animus("queue", "enqueue", "TASK-001").code == 0
    killed = daemon.pid
    daemon.kill()
    assert project.scope.control_socket.exists()
    assert project.scope.daemon_pid.read_text() == f"{killed}\n"

    status, following, stopped, listed = animus.together(
        ["daemon", "status"], ["daemon", "events"], ["daemon", "stop"], ["queue", "list"]
    )
    assert (status.code, status.data["running"]) == (0, False)
    assert (following.code, following.error["code"]) == (5, "unavailable")
    assert following.error["message"] == "no daemon is running"
    assert "animus daemon start" in following.printed
    assert (stopped.code, stopped.data["stopped"]) == (0, False)
    assert [entry["subject_id"] for entry in listed.data["entries"]] == ["TASK-001"]
    read = animus.text("daemon", "events")
    assert read.stderr == "animus: no daemon is running\nStart it: animus daemon start\n"

    daemon.start()
    assert daemon.pid != killed
    assert animus("daemon", "resume").code == 0
    events.wait("workflow_completed", subject_id="TASK-001")


def test_a_broken_registry_of_plugins_is_refused_with_its_path(animus: Animus, config_dir: Path) -> None:
    cases = [
        ("plugins:\n  tool: {binary: [a\n", "plugins.yaml:3: not valid YAML: ", ["daemon", "start"]),
        ("plugins: [tool]\n", "plugins.yaml:1: plugins: is not a mapping", ["plugin", "list"]),
        ("plugins:\n  tool: {binary: 7}\n", "plugins.yaml:2: plugins.tool.binary: is not text", ["queue", "list"]),
    ]
    for text, message, command in cases:
        (config_dir / "plugins.yaml").write_text(text)
        refused = animus(*command)
        assert (refused.code, refused.error["code"]) == (2, "invalid_input")
        assert f"{config_dir}/{message}" in refused.printed
        assert refused.error["hint"]


def test_settings_with_a_wrong_value_are_refused_and_a_broken_file_is_kept_aside(
    project: Project, animus: Animus, stopped_daemon: Daemon, events: Events
) -> None:
    scope = project.scope
    scope.create()
    assert animus("queue", "enqueue", "TASK-001").code == 0
    scope.pm_config.write_text(json.dumps({"pool_size": "many"}))
    refused = animus("daemon", "start")
    assert (refused.code, refused.error["code"]) == (2, "invalid_input")
    assert f"{scope.pm_config}: pool_size is 'many'" in refused.printed
    assert "Write a whole number" in refused.printed

    scope.pm_config.write_text('{"pool_size": ')
    scope.core_state.write_text("\x00\x00")
    stopped_daemon.start()
    for path in (scope.pm_config, scope.core_state):
        aside = path.with_name(f"{path.name}.broken-1")
        assert aside.exists()
        assert f"{path}: broken (" in project.log
        assert f"kept as {aside.name}" in project.log
    events.wait("workflow_completed", subject_id="TASK-001")


def test_a_database_that_is_none_is_refused_and_left_as_it_is(project: Project, animus: Animus) -> None:
    scope = project.scope
    scope.create()
    scope.workflow_db.write_text("this is not a database\n" * 100)
    for refused in animus.together(["daemon", "start"], ["queue", "enqueue", "TASK-001"]):
        assert refused.code == 5
        assert f"{scope.workflow_db}: " in refused.printed
        assert refused.error["hint"]
    assert scope.workflow_db.read_text().startswith("this is not a database")
