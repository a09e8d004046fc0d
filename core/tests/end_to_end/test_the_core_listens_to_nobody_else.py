"""The core is reached through sockets that belong to its user, and never through a port."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from conftest import Daemon, Events, Project


def test_no_process_of_the_core_listens_on_a_port_and_its_sockets_are_private(
    project: Project, daemon: Daemon, events: Events
) -> None:
    barrier = project.gated("gate")
    daemon.enqueue("TASK-001")
    events.wait("phase_intent")
    core = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            ours = process.environ().get("ANIMUS_CONFIG_DIR") == str(project.config_dir)
        except psutil.Error:
            continue
        if ours and "animus_core.app" in " ".join(process.info["cmdline"] or []):
            core.append(process)

    assert len(core) >= 2
    assert [process.net_connections(kind="inet") for process in core] == [[] for _ in core]
    assert stat.S_IMODE(project.scope.control_socket.stat().st_mode) == 0o600
    barrier.touch()
    events.wait("workflow_completed")
    assert stat.S_IMODE(project.scope.agent_runner_socket.stat().st_mode) == 0o600
