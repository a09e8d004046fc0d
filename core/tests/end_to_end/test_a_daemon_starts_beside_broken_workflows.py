"""What is broken in a file must not keep an operator from the daemon that would show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Project


def test_without_the_preflight_a_daemon_serves_although_the_workflow_files_are_broken(
    project: Project, animus: Animus, stopped_daemon: Daemon
) -> None:
    project.workflows("workflows: [\n")
    assert animus("daemon", "start").code == 2

    stopped_daemon.start("--skip-preflight")

    assert animus("daemon", "status").data["running"] is True
    assert "workflows.yaml:2" in project.log
