"""The real plugin process, spoken to as a host does: one JSON value a line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raw_host import RawHost

_DEADLINE_S = 15


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RawHost]:
    made = RawHost([Path(sys.executable).with_name("animus-subject-files")], cwd=tmp_path)
    yield made
    made.close()


def put(root: Path, task_id: str, text: str) -> Path:
    folder = root / ".animus/tasks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task_id}.md"
    path.write_text(text)
    return path


def test_a_session_from_initialize_to_exit(host: RawHost, tmp_path: Path) -> None:
    path = put(tmp_path, "TASK-001", "---\ntitle: By hand # mine\nstatus: ready\n---\n\nBody")
    answer = host.initialize()
    assert answer["capabilities"]["subject_kinds"] == ["task"]
    verbs = {"list", "get", "create", "update", "next", "status", "delete", "watch", "schema"}
    assert {f"task/{verb}" for verb in verbs} <= set(answer["capabilities"]["methods"])

    (listed,) = host.result("task/list")["subjects"]
    assert (listed["id"], listed["kind"], listed["title"]) == ("TASK-001", "task", "By hand")
    assert host.result("task/next")["id"] == "TASK-001"
    assert host.result("task/watch") == {"watching": True}

    assert host.result("task/status", id="TASK-001", status="in-progress")["status"] == "in-progress"
    assert path.read_text() == "---\ntitle: By hand # mine\nstatus: in-progress\n---\n\nBody"
    event = host.event("subject/changed")
    assert (event["subject"]["id"], event["change_kind"]) == ("TASK-001", "status-changed")

    path.write_text(path.read_text().replace("Body", "Edited by hand"))
    event = host.event("subject/changed")
    assert (event["change_kind"], event["subject"]["description"]) == ("updated", "Edited by hand")

    made = host.result("task/create", kind="task", title="New", priority=1, labels=["a"])
    assert made["id"] == "TASK-002"
    assert host.event("subject/changed")["change_kind"] == "created"
    patched = host.result(
        "task/update", id="TASK-002", patch={"labels_add": ["b"], "comment": "Hm.", "assignee": "bob"}
    )
    assert (patched["labels"], patched["assignee"]) == (["a", "b"], "bob")
    assert host.event("subject/changed")["change_kind"] == "updated"
    assert "assignee" not in host.result("subject/update", id="TASK-002", patch={"assignee": None})
    assert host.event("subject/changed")["change_kind"] == "updated"
    assert host.result("task/delete", id="TASK-002") == {"ok": True}
    assert host.event("subject/changed")["change_kind"] == "deleted"

    schema = host.result("task/schema")
    assert (schema["supports_watch"], schema["supports_delete"], schema["supports_pagination"]) == (True, True, True)
    host.result("shutdown")
    host.tell("exit")
    assert host.wait() == 0


def test_errors_travel_with_their_category_and_a_broken_file_degrades_health(host: RawHost, tmp_path: Path) -> None:
    put(tmp_path, "BROKEN", "---\ntitle: x\nstatus: later\n---\n")
    host.initialize()
    health = host.result("health/check")
    assert health["status"] == "degraded"
    assert health["last_error"].startswith(".animus/tasks/BROKEN.md:3: `status: later` is not known")
    assert host.result("task/list")["subjects"] == []
    error = host.ask("task/get", id="BROKEN")["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
    assert ".animus/tasks/BROKEN.md:3: " in error["message"]
    error = host.ask("task/get", id="TASK-9")["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "not_found")
    error = host.ask("task/delete", id="../../etc/passwd")["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
    assert host.end() == 0
    assert host.stderr().count("BROKEN.md:3") == 1


def test_the_manifest_is_told_without_starting() -> None:
    answer = subprocess.run(
        [Path(sys.executable).with_name("animus-subject-files"), "--manifest"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=_DEADLINE_S,
    )
    manifest = json.loads(answer.stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("animus-subject-files", "subject_backend")
    assert "subject_kind:task" in manifest["capabilities"]


def test_the_manifest_is_told_without_reading_yaml_or_watching_files() -> None:
    program = (
        "import sys, animus_subject_files.plugin as p; p.FilesPlugin.manifest();"
        "sys.exit(bool({'yaml', 'watchfiles'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=_DEADLINE_S, check=False).returncode == 0
