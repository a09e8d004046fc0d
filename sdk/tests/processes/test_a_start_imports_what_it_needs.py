"""What a plugin's process imports: for its manifest no event loop and no models, for a greeting no models of its kind.

Each import costs every start of every plugin, so what comes back here is found by its name and not by a slow start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from raw_host import RawHost

DEADLINE_S = 20.0
REFERENCE = sorted(path.name for path in (Path(__file__).parents[3] / "plugins").iterdir())
ROLES = {
    "Plugin": "",
    "SubjectBackend": 'subject_kinds = ("task",)\n    def get(self, id):\n        return None',
    "LogStorageBackend": "def store(self, entries):\n        return None",
    "Notifier": 'connector_kinds = ("mail",)\n    def notify(self, event):\n        return 0',
    "Provider": 'def run(self, request, ctx):\n        return "done"',
    "TransportBackend": 'def open(self, opening):\n        return "127.0.0.1:1"',
    "WebUi": 'def open(self, opening):\n        return "127.0.0.1:1"',
    "TriggerBackend": 'trigger_kinds = ("mail",)\n    def watch(self, triggers, cursor):\n        yield',
}
LOOP = {"asyncio", "ssl", "socket", "logging", "concurrent.futures", "subprocess"}
MODELS = {"pydantic", "pydantic.main", "importlib.metadata"}


def written(folder: Path, role: str) -> Path:
    """A plugin of that role, with one function of it, in a file."""
    text = f"""from animus_sdk import {role}, serve

class Mine({role}):
    name = "mine"
    version = "1"
    {ROLES[role]}

serve(Mine)
"""
    path = folder / "mine.py"
    path.write_text(text)
    return path


def imported(report: str) -> set[str]:
    """The modules in what `-X importtime` has written, and the packages of them."""
    names = {line.rpartition("|")[2].strip() for line in report.splitlines() if line.startswith("import time:")}
    assert "animus_sdk" in names
    return names


def environment(folder: Path) -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder)}


@pytest.mark.parametrize("flag", ["--manifest", "--version", "--help"])
@pytest.mark.parametrize("role", ROLES)
def test_a_question_on_the_command_line_needs_no_event_loop_and_no_models(role: str, flag: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", written(tmp_path, role), flag],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert "mine" in done.stdout
    assert imported(done.stderr) & (LOOP | MODELS | {"difflib", "pydantic_core"}) == set()


@pytest.mark.parametrize("plugin", REFERENCE)
def test_the_manifest_of_a_reference_plugin_needs_no_event_loop_and_no_models(plugin: str, tmp_path: Path) -> None:
    start = f"from {plugin.replace('-', '_')}.plugin import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", start, "--manifest"],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert plugin in done.stdout
    assert imported(done.stderr) & (LOOP | MODELS | {"anyio", "yaml", "pydantic_core"}) == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_plugin_that_is_greeted_asked_for_its_health_and_ended_needs_no_models(role: str, tmp_path: Path) -> None:
    plugin = RawHost(
        [sys.executable, "-X", "importtime", written(tmp_path, role)], cwd=tmp_path, env=environment(tmp_path)
    )
    try:
        assert plugin.initialize()["plugin_info"]["name"] == "mine"
        assert plugin.result("health/check")["status"] == "healthy"
        assert plugin.end() == 0
        assert imported(plugin.stderr()) & (MODELS | {"difflib", "argparse", "concurrent.futures.thread"}) == set()
    finally:
        plugin.close()
