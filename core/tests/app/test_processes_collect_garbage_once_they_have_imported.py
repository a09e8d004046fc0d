"""A process of the core lets the garbage collector rest while it imports, and not a moment longer."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SHOW = """
import gc, importlib, sys
process = importlib.import_module(sys.argv[1])
resting = not gc.isenabled()
sys.argv[1:] = ["--help"]
try:
    process.main()
except SystemExit:
    print(resting, gc.isenabled(), gc.get_freeze_count() > 10_000)
"""


@pytest.mark.parametrize("process", ["daemon", "runner", "agent_runner"])
def test_the_collector_rests_until_main(process: str) -> None:
    command = [sys.executable, "-c", _SHOW, f"animus_core.app.{process}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert shown.splitlines()[-1] == "True True True"
