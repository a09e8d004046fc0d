"""What a plugin's command does when no host speaks to it (protocol §2)."""

from __future__ import annotations

import json
import os
import pty
from typing import Any

import pytest


def nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(nulls(item) for item in value.values())
    return any(map(nulls, value)) if isinstance(value, list) else value is None


@pytest.mark.parametrize("flag", ["--manifest", "-m"])
def test_the_manifest_is_one_json_object_without_nulls_and_nothing_else(run_plugin: Any, flag: str) -> None:
    done = run_plugin("tasks.py", flag)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"}\n")
    manifest = json.loads(done.stdout)
    assert not nulls(manifest)
    assert {name: manifest[name] for name in ("name", "version", "plugin_kind", "description", "protocol_version")} == {
        "name": "animus-subject-tasks",
        "version": "1.2.3",
        "plugin_kind": "subject_backend",
        "description": "Tasks in memory, für Tests.",
        "protocol_version": "1.1.0",
    }
    assert manifest["notification_buffer_size"] == 1024
    assert manifest["env_required"] == [{"name": "TASKS_TOKEN", "required": False, "sensitive": True}]
    served = {"list", "get", "create", "next", "watch", "schema"}
    methods = {f"{kind}/{verb}" for kind in ("task", "bug") for verb in served}
    assert set(manifest["capabilities"]) == {*methods, "health/check", "subject_kind:task", "subject_kind:bug"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_manifest_is_utf8_whatever_the_locale_says(run_plugin: Any, encoding: str) -> None:
    done = run_plugin("tasks.py", "--manifest", env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode())["description"] == "Tasks in memory, für Tests."


def test_the_manifest_of_a_plugin_that_declares_nothing_says_nothing_more(run_plugin: Any) -> None:
    assert json.loads(run_plugin("stubborn.py", "--manifest").stdout) == {
        "name": "stubborn",
        "version": "0",
        "plugin_kind": "custom",
        "description": "",
        "protocol_version": "1.1.0",
        "capabilities": [],
    }


def test_on_a_terminal_it_says_what_it_is_and_exits_with_2(run_plugin: Any) -> None:
    ours, terminal = pty.openpty()
    try:
        done = run_plugin("tasks.py", stdin=terminal)
    finally:
        os.close(terminal)
        os.close(ours)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"animus-subject-tasks is an Animus plugin" in done.stderr
    assert b"--manifest" in done.stderr


def test_the_manifest_is_printed_on_a_terminal_too(run_plugin: Any) -> None:
    ours, terminal = pty.openpty()
    try:
        done = run_plugin("tasks.py", "--manifest", stdin=terminal)
    finally:
        os.close(terminal)
        os.close(ours)
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "animus-subject-tasks"


def test_unknown_arguments_exit_with_2_and_the_version_is_told(run_plugin: Any) -> None:
    wrong = run_plugin("tasks.py", "--what")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert run_plugin("tasks.py", "--version").stdout == b"animus-subject-tasks 1.2.3\n"


def test_a_file_of_requests_is_answered_to_its_last_line_and_the_process_ends(run_plugin: Any, tmp_path: Any) -> None:
    hello = {"protocol_version": "1.0.0", "host_info": {"name": "f", "version": "0"}, "capabilities": {}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "initialized", "params": {}},
        {"jsonrpc": "2.0", "id": 2, "method": "$/ping", "params": {}},
    ]
    requests = tmp_path / "requests.jsonl"
    requests.write_text("\n".join(map(json.dumps, lines)))
    with requests.open("rb") as stdin:
        done = run_plugin("tasks.py", stdin=stdin)
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, 2]
