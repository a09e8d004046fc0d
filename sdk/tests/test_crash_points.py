"""A crash point costs nothing, kills exactly once a marker, and cannot be misspelt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from animus_protocol import crash_points

REACH_THREE_TIMES = """
import os, sys
from animus_protocol.crash_points import declare, reach
declare("test.first", "between the lines")
declare("test.second", "between the lines")
for turn in range(3):
    reach("test.first")
    reach("test.second")
    print(turn, flush=True)
"""
REACH_AFTER_FORK = """
import os
from animus_protocol.crash_points import declare, reach
declare("test.first", "between the lines")
reach("test.first")
child = os.fork()
if not child:
    reach("test.first")
else:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run(script: str, variable: str | None) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != crash_points.VARIABLE}
    if variable is not None:
        env[crash_points.VARIABLE] = variable
    return subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=False
    )


def test_without_the_variable_a_point_is_passed() -> None:
    done = run(REACH_THREE_TIMES, None)
    assert (done.returncode, done.stdout) == (0, "0\n1\n2\n")


def test_the_process_dies_at_the_nth_arrival_and_never_again_with_the_same_marker(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    first = run(REACH_THREE_TIMES, f"test.first@3:{marker}")
    assert (first.returncode, first.stdout) == (-signal.SIGKILL, "0\n1\n")
    assert marker.read_text().startswith("test.first ")
    second = run(REACH_THREE_TIMES, f"test.first@3:{marker}")
    assert (second.returncode, second.stdout) == (0, "0\n1\n2\n")


def test_several_points_crash_one_after_another_over_several_starts(tmp_path: Path) -> None:
    variable = f"test.first@2:{tmp_path / 'one'};test.second@1:{tmp_path / 'two'}"
    outputs = [run(REACH_THREE_TIMES, variable).stdout for _ in range(3)]
    assert outputs == ["", "0\n", "0\n1\n2\n"]


def test_a_forked_child_counts_its_own_arrivals(tmp_path: Path) -> None:
    # The parent arrived once before the fork; with its count the child would die at its own first arrival.
    done = run(REACH_AFTER_FORK, f"test.first@2:{tmp_path / 'marker'}")
    assert (done.returncode, done.stdout) == (0, "0\n")


def test_a_point_that_is_armed_and_never_reached_changes_nothing(tmp_path: Path) -> None:
    assert run(REACH_THREE_TIMES, f"test.elsewhere@1:{tmp_path / 'marker'}").returncode == 0


@pytest.mark.parametrize("text", ["test.first", "test.first@1", "test.first@0:/m", "test.first@x:/m", "@1:/m", "a@1:"])
def test_a_variable_that_cannot_be_read_is_refused_at_import(text: str) -> None:
    done = run(REACH_THREE_TIMES, text)
    assert done.returncode == 1
    assert "write name@nth:/path/to/marker" in done.stderr


def test_an_undeclared_point_is_an_error_even_when_nothing_is_armed() -> None:
    with pytest.raises(LookupError, match=r"'test.unknown' is not declared"):
        crash_points.reach("test.unknown")


def test_a_point_is_declared_once_with_one_meaning() -> None:
    assert crash_points.declare("test.once", "here") == "test.once"
    assert crash_points.declare("test.once", "here") == "test.once"
    with pytest.raises(ValueError, match="declared twice"):
        crash_points.declare("test.once", "there")
    assert crash_points.CRASH_POINTS["test.once"] == "here"
    del crash_points.CRASH_POINTS["test.once"]


@pytest.mark.parametrize("name", ["", "a@b", "a:b", "a;b", "a b"])
def test_a_name_that_the_variable_could_not_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="crash point"):
        crash_points.declare(name, "nowhere")
