"""`animus subject watch` as people and programs use it: a line a change, whoever made it."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Project

LINE_S = 20.0
MOMENT_S = 0.5


def test_a_change_is_a_line_until_the_daemon_leaves(project: Project, animus: Animus, daemon: Daemon) -> None:
    watching = animus.spawn("subject", "watch", "--kind", "task", stdout=subprocess.PIPE)
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert watching.stdout is not None
        with watching.stdout as stdout:
            for line in stdout:
                lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        first = None
        for number in range(1, int(LINE_S / MOMENT_S)):  # it does not say when it has begun
            project.task("TASK-001", title=f"title {number}")
            try:
                first = json.loads(lines.get(timeout=MOMENT_S))
                break
            except queue.Empty:
                continue
        assert first is not None
        assert (first["change_kind"], first["id"], first["subject"]["kind"]) == ("updated", "TASK-001", "task")
        assert animus("subject", "status", "TASK-002", "blocked").code == 0
        while (answer := json.loads(lines.get(timeout=LINE_S)))["id"] != "TASK-002":
            pass
        assert (answer["change_kind"], answer["subject"]["status"]) == ("status-changed", "blocked")
        unknown = animus("subject", "watch", "--kind", "bug")
        assert (unknown.code, unknown.error["code"]) == (3, "not_found")
        daemon.stop()
        assert watching.wait(LINE_S) == 0
    finally:
        watching.kill()
        watching.wait(LINE_S)
        reader.join(LINE_S)


def test_without_a_daemon_or_with_a_wrong_status_it_says_what_to_do(animus: Animus) -> None:
    alone = animus("subject", "watch")
    assert (alone.code, alone.error["code"]) == (5, "unavailable")
    assert "animus daemon start" in alone.printed
    wrong = animus("subject", "watch", "--status", "open")
    assert (wrong.code, "no subject can be 'open'" in wrong.printed) == (2, True)
