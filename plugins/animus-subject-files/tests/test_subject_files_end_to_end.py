"""The real plugin process, spoken to as a host does: one JSON value a line."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_DEADLINE_S = 15


class Host:
    """Speaks to one plugin process; every wait has a deadline."""

    def __init__(self, root: Path, stderr: Path) -> None:
        self._stderr = stderr.open("wb")
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("animus-subject-files")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=root,
        )
        self._root = root
        self._ids = 0
        self._replies: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def notify(self, method: str, **params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole reply: `result` or `error`."""
        self._ids += 1
        self._send({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        while self._ids not in self._replies:
            self._take()
        return self._replies.pop(self._ids)

    def call(self, method: str, **params: Any) -> Any:
        reply = self.ask(method, **params)
        assert "error" not in reply, reply
        return reply["result"]

    def event(self) -> dict[str, Any]:
        while not self.events:
            self._take()
        return self.events.pop(0)

    def _send(self, frame: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")
        self.process.stdin.flush()

    def _take(self) -> None:
        frame = json.loads(self._lines.get(timeout=_DEADLINE_S))
        if "method" in frame:
            assert frame["method"] == "subject/changed"
            self.events.append(frame["params"])
        else:
            self._replies[frame["id"]] = frame

    def begin(self) -> dict[str, Any]:
        result: dict[str, Any] = self.call(
            "initialize",
            protocol_version="1.1.0",
            host_info={"name": "test", "version": "0"},
            capabilities={"streaming": True, "progress": True, "cancellation": True},
            init_extensions={"project_binding": {"project_root": str(self._root)}},
        )
        self.notify("initialized")
        return result

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(_DEADLINE_S)
        self._reader.join(_DEADLINE_S)
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path, tmp_path / "stderr")
    yield made
    made.close()


def put(root: Path, task_id: str, text: str) -> Path:
    folder = root / ".animus/tasks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task_id}.md"
    path.write_text(text)
    return path


def test_a_session_from_initialize_to_exit(host: Host, tmp_path: Path) -> None:
    path = put(tmp_path, "TASK-001", "---\ntitle: By hand # mine\nstatus: ready\n---\n\nBody")
    told = host.begin()
    assert told["capabilities"]["subject_kinds"] == ["task"]
    verbs = {"list", "get", "create", "update", "next", "status", "delete", "watch", "schema"}
    assert {f"task/{verb}" for verb in verbs} <= set(told["capabilities"]["methods"])

    (listed,) = host.call("task/list")["subjects"]
    assert (listed["id"], listed["kind"], listed["title"]) == ("TASK-001", "task", "By hand")
    assert host.call("task/next")["id"] == "TASK-001"
    assert host.call("task/watch") == {"watching": True}

    assert host.call("task/status", id="TASK-001", status="in-progress")["status"] == "in-progress"
    assert path.read_text() == "---\ntitle: By hand # mine\nstatus: in-progress\n---\n\nBody"
    event = host.event()
    assert (event["subject"]["id"], event["change_kind"]) == ("TASK-001", "status-changed")

    path.write_text(path.read_text().replace("Body", "Edited by hand"))
    event = host.event()
    assert (event["change_kind"], event["subject"]["description"]) == ("updated", "Edited by hand")

    made = host.call("task/create", kind="task", title="New", priority=1, labels=["a"])
    assert made["id"] == "TASK-002"
    assert host.event()["change_kind"] == "created"
    patched = host.call("task/update", id="TASK-002", patch={"labels_add": ["b"], "comment": "Hm.", "assignee": "bob"})
    assert (patched["labels"], patched["assignee"]) == (["a", "b"], "bob")
    assert host.event()["change_kind"] == "updated"
    assert "assignee" not in host.call("subject/update", id="TASK-002", patch={"assignee": None})
    assert host.event()["change_kind"] == "updated"
    assert host.call("task/delete", id="TASK-002") == {"ok": True}
    assert host.event()["change_kind"] == "deleted"

    schema = host.call("task/schema")
    assert (schema["supports_watch"], schema["supports_delete"], schema["supports_pagination"]) == (True, True, True)
    host.call("shutdown")
    host.notify("exit")
    assert host.process.wait(_DEADLINE_S) == 0


def test_errors_travel_with_their_category_and_a_broken_file_degrades_health(host: Host, tmp_path: Path) -> None:
    put(tmp_path, "BROKEN", "---\ntitle: x\nstatus: later\n---\n")
    host.begin()
    health = host.call("health/check")
    assert health["status"] == "degraded"
    assert health["last_error"].startswith(".animus/tasks/BROKEN.md:3: `status: later` is not known")
    assert host.call("task/list")["subjects"] == []
    error = host.ask("task/get", id="BROKEN")["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
    assert ".animus/tasks/BROKEN.md:3: " in error["message"]
    error = host.ask("task/get", id="TASK-9")["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "not_found")
    error = host.ask("task/delete", id="../../etc/passwd")["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
    assert (tmp_path / "stderr").read_text().count("BROKEN.md:3") == 1


def test_the_manifest_is_told_without_starting() -> None:
    told = subprocess.run(
        [Path(sys.executable).with_name("animus-subject-files"), "--manifest"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=_DEADLINE_S,
    )
    manifest = json.loads(told.stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("animus-subject-files", "subject_backend")
    assert "subject_kind:task" in manifest["capabilities"]


def test_the_manifest_is_told_without_reading_yaml_or_watching_files() -> None:
    program = (
        "import sys, animus_subject_files.plugin as p; p.FilesPlugin.manifest();"
        "sys.exit(bool({'yaml', 'watchfiles'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=_DEADLINE_S, check=False).returncode == 0
