"""What is measured of a plugin, also behind a command that starts it."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from animus_conformance.budget.measure import memory_bytes
from animus_conformance.verdict import Unproven

HELD_BYTES: Final = 40 * 1024 * 1024


def test_the_memory_of_a_plugin_behind_a_shell_is_counted() -> None:
    program = f"held = bytearray({HELD_BYTES}); print('ready', flush=True); input()"
    with subprocess.Popen(
        ["/bin/sh", "-c", '"$0" -c "$1"; :', sys.executable, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"ready\n"
        assert HELD_BYTES < memory_bytes(shell.pid) < 3 * HELD_BYTES
        shell.communicate(b"\n")


def test_a_session_without_processes_leaves_its_memory_unproven() -> None:
    with subprocess.Popen(["/bin/true"], start_new_session=True) as ended:
        ended.wait()
    with pytest.raises(Unproven, match="does not tell"):
        memory_bytes(ended.pid)
