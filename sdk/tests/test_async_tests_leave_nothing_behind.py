"""What `conftest.py` of the workspace asks of every async test, tried on tests that do not keep it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[2] / "conftest.py"
CONFIGURATION = "[pytest]\nanyio_mode = auto\ntimeout = 11\n"
TESTS = """\
import asyncio, os
import pytest

@pytest.fixture
async def number():
    await asyncio.sleep(0)
    yield 7

@pytest.fixture
async def in_background():
    working = asyncio.create_task(asyncio.Event().wait())
    yield working
    working.cancel()
    await asyncio.wait([working])

async def test_keeps_everything(number, in_background):
    assert number == 7
    assert not in_background.done()

async def test_fails():
    asyncio.get_running_loop().leaked = asyncio.create_task(asyncio.Event().wait())
    raise AssertionError("its own reason")

async def test_never_ends():
    await asyncio.Event().wait()

async def test_leaves_a_task():
    asyncio.get_running_loop().leaked = asyncio.create_task(asyncio.Event().wait())

async def test_leaves_a_descriptor():
    os.open("/dev/null", os.O_RDONLY)

async def test_leaves_an_error():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
"""


def test_each_way_to_leave_something_behind_is_reported(tmp_path: Path) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "pytest.ini").write_text(CONFIGURATION)
    (tmp_path / "test_them.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider"]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    reported = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    for expected, line in zip(
        [
            "FAILED test_them.py::test_fails - AssertionError: its own reason",
            "FAILED test_them.py::test_never_ends - TimeoutError",
            "ERROR test_them.py::test_leaves_a_task - AssertionError: the test leaves tasks running",
            "ERROR test_them.py::test_leaves_a_descriptor - AssertionError: the test leaves descriptors open",
            "ERROR test_them.py::test_leaves_an_error - AssertionError: the loop met errors that nobody handled",
        ],
        reported,
        strict=True,
    ):
        assert line.startswith(expected), done.stdout
