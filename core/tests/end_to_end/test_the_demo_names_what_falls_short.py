"""The demo is honest: it succeeds only when everything happened, and otherwise says what did not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary directory that the demo makes its own in; short, for the sake of the sockets."""
    folder = Path(tempfile.mkdtemp(prefix="an"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run_demo(demo: Path, place: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TMPDIR": str(place)}
    command = [sys.executable, str(demo / "run_demo.py"), "--json"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=170, check=False)


def test_a_demo_that_works_says_so_in_one_json_object(place: Path) -> None:
    done = run_demo(DEMO, place)

    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert answer | {"seconds": 0} == {"tasks": 6, "done": 6, "rework": 1, "runs": 6, "facts": 12, "seconds": 0}


def test_a_task_that_is_not_done_is_named_and_the_exit_code_is_one(place: Path) -> None:
    demo = shutil.copytree(DEMO, place / "demo")
    script = demo / "project" / ".animus" / "mock.yaml"
    broken = script.read_text().replace("year % 400 == 0", "year % 600 == 0")
    assert broken != script.read_text()
    script.write_text(broken)

    done = run_demo(demo, place)

    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert answer["done"] == 5
    assert "fell short: TASK-005 is not done in its file" in done.stdout
    assert "fell short: the tests still fail" in done.stdout
