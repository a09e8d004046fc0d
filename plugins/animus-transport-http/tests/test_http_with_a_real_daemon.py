"""The whole way: HTTP, the plugin's process, a daemon of this repository, task files; and the daemon's restart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
COMMAND_S = 40.0
TASK = "---\ntitle: Show the build's duration\nstatus: ready\n---\n\nIn seconds.\n"
WORKFLOWS = """\
default_workflow_ref: check
phases: { work: { mode: command, command: { program: "true" } } }
workflows: [{ id: check, phases: [work] }]
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """The configuration directory: at a short path, because the path of a socket may have 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="animus-") as folder:
        yield Path(folder)


@pytest.fixture
def animus(tmp_path: Path, home: Path) -> Iterator[Command]:
    """`animus("daemon", "start")` in a project with one task: the `data` of its answer. Stops the daemon at the end."""
    root = tmp_path / "project"
    for name, text in {"tasks/TASK-001.md": TASK, "workflows.yaml": WORKFLOWS}.items():
        path = root / ".animus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    env = {**os.environ, "ANIMUS_CONFIG_DIR": str(home)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"

    def run(*words: str, check: bool = True) -> Any:
        command = [Path(sys.executable).with_name("animus"), "--json", *words]
        done = subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return json.loads(done.stdout)["data"] if done.returncode == 0 else None

    run("trust", "--yes")
    yield run
    run("daemon", "stop", check=False)


def test_work_is_done_over_http_also_after_a_restart(animus: Command, plugin: Any, client_at: Any, home: Path) -> None:
    animus("daemon", "start")
    [control_socket] = home.glob("*/control.sock")
    client = client_at(plugin.open(control_socket))
    [task] = client.get("/api/v1/subjects?status=ready").json["subjects"]
    assert (task["id"], task["title"]) == ("TASK-001", "Show the build's duration")
    patched = client.ask("PATCH", "/api/v1/subjects/TASK-001", {"assignee": "carol"})
    assert (patched.status, patched.json["assignee"]) == (200, "carol")
    reader = client.follow("/api/v1/events?since=0")

    animus("daemon", "stop")
    assert client.get("/api/v1/subjects").error == (503, "unavailable")
    animus("daemon", "start")

    entry = client.ask("POST", "/api/v1/queue", {"task_id": "TASK-001"})
    assert (entry.status, entry.json.get("subject_id")) == (201, "TASK-001"), entry.body
    identities = []
    while True:
        identity, event = reader.event()
        identities.append(int(identity))
        if event["kind"] == "workflow_completed":
            break
    assert identities == list(range(1, len(identities) + 1))
    run = client.get(f"/api/v1/workflows/{event['payload']['workflow_id']}")
    assert (run.status, run.json["status"], run.json["subject_id"]) == (200, "completed", "TASK-001")
    assert client.get("/api/v1/subjects/none").error == (404, "not_found")
    reader.close()
