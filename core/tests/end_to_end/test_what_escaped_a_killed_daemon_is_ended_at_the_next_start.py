"""A daemon is killed: its plugins die with it at once, and what a plugin has let loose is found by the next daemon."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from file_changes import wait_until

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Plugins, Project

pytestmark = pytest.mark.hostile
PROGRAM = Path(__file__).parents[1] / "hostile/plugins/escapes.py"


def ends(handle: int, timeout_s: float) -> bool:
    """Whether the process behind a pidfd ends in time; the handle is closed."""
    try:
        ready, _, _ = select.select([handle], [], [], timeout_s)
        return bool(ready)
    finally:
        os.close(handle)


def test_direct_children_die_with_the_daemon_and_escaped_ones_are_ended_by_the_next(
    project: Project, animus: Animus, stopped_daemon: Daemon, plugins: Plugins, events: Events
) -> None:
    plugins.command("escapes", [sys.executable, "-I", "-S", str(PROGRAM)])
    stopped_daemon.start()
    assert animus("subject", "list", "--kind", "runaway").code == 0
    assert animus("subject", "list", "--kind", "task").code == 0
    escaped = project.root / "escaped.pid"
    wait_until(escaped.exists, project.root)
    direct = os.pidfd_open(int((project.root / "plugin.pid").read_text()))
    runaway = int(escaped.read_text())

    stopped_daemon.kill()
    assert ends(direct, 5), "the plugin outlived its daemon"
    handle = os.pidfd_open(runaway)
    assert not ends(os.dup(handle), 0), "it had not escaped at all"
    assert runaway in project.processes

    stopped_daemon.start()
    assert ends(handle, 0), "what had escaped was left running by the next daemon"
    assert animus("subject", "list", "--kind", "runaway").code == 0
    stopped_daemon.enqueue("TASK-001")
    events.wait("workflow_completed", subject_id="TASK-001")
