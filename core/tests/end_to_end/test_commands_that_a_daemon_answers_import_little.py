"""What a running daemon answers costs its command next to nothing: each module that it may load is a promise."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Animus, Daemon

pytestmark = pytest.mark.bare

IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
ASKED = [
    ("daemon", "status"),
    ("daemon", "pause"),
    ("daemon", "resume"),
    ("queue", "enqueue", "TASK-001"),
    ("queue", "list"),
    ("queue", "stats"),
    ("queue", "hold", "TASK-404"),
    ("workflow", "list"),
    ("workflow", "get", "run-404"),
    ("subject", "list"),
    ("subject", "get", "TASK-001"),
    ("subject", "create", "a title"),
    ("plugin", "status"),
    ("plugin", "ping", "animus-subject-files"),
]
HEAVY = {
    *("asyncio", "dataclasses", "importlib.metadata", "inspect", "logging", "pydantic", "pydantic_core", "rich"),
    *("shutil", "sqlite3", "subprocess", "yaml"),
}
OURS = {"cli", "control", "errors", "store", "terminal"}
ASKING = {"ask", "blocking", "errors", "message_lines", "methods", "presence"}


def modules_in(stderr: str) -> set[str]:
    """Those that `-X importtime` names."""
    return {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}


def check(imported: set[str]) -> None:
    assert "animus_core.control.ask" in imported
    assert not HEAVY & imported
    parts = [name.split(".") for name in imported if name.startswith("animus_core.")]
    assert {part[1] for part in parts} <= OURS
    assert {part[2] for part in parts if part[1] == "control" and len(part) > 2} <= ASKING


def test_a_command_that_a_daemon_answers_imports_nothing_heavy(animus: Animus, daemon: Daemon) -> None:
    assert daemon.running
    for command in ASKED:
        check(modules_in(animus.text(*command, env=IMPORTS).stderr))


def test_a_stream_is_followed_with_as_little(animus: Animus, daemon: Daemon) -> None:
    assert daemon.running
    assert animus("queue", "enqueue", "TASK-001").code == 0
    follower = replace(animus, env={**animus.env, **IMPORTS})
    following = follower.spawn("daemon", "events", "--since", "0", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert following.stdout is not None
    assert following.stdout.readline().startswith('{"id": ')
    following.send_signal(signal.SIGINT)
    _, stderr = following.communicate(timeout=20)
    assert following.returncode == 130
    check(modules_in(stderr))
