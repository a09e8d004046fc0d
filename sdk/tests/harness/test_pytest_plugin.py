"""The pytest plugin as an author's project gets it: from the entry point, in a pytest process of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

AUTHOR = """
import pytest
from animus_protocol.errors import RpcError
from animus_sdk import Plugin, tool

class Parrot(Plugin):
    name = "parrot"
    version = "1"

    @tool
    def where(self) -> str:
        return self.project.project_root

def test_good(animus_host, tmp_path):
    host = animus_host(Parrot)
    assert host.request("where") == str(tmp_path)
    other = animus_host(Parrot, project_root="/elsewhere", env={"A": "1"})
    assert other.request("where") == "/elsewhere"

class Nameless(Plugin):
    version = "1"

def test_mistake(animus_host):
    animus_host(Nameless)

def test_bad(animus_host):
    assert animus_host(Parrot).request("where") == "nowhere"
"""
LOADED = """
import sys
import animus_sdk.testing.fixtures
print([name for name in ("pydantic", "anyio", "asyncio", "animus_sdk.session") if name in sys.modules])
"""


def test_the_fixture_is_found_by_its_entry_point_and_a_failure_shows_the_wire(tmp_path: Path) -> None:
    (found,) = [one for one in entry_points(group="pytest11") if one.name == "animus_sdk"]
    assert found.value == "animus_sdk.testing.fixtures"
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_parrot.py").write_text(AUTHOR)
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", found.value, "--basetemp", str(tmp_path / "its")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=project,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "ValueError: Nameless has no name" in done.stdout
    assert "the wire of Parrot" in done.stdout
    assert '> {"jsonrpc":"2.0","id":2,"method":"where","params":{}}' in done.stdout
    assert "LeftBehind" not in done.stdout


def test_the_plugin_costs_an_ordinary_pytest_run_next_to_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=20, check=True, env={}
    )
    assert "pydantic" not in done.stdout
    assert "animus_sdk.session" not in done.stdout
