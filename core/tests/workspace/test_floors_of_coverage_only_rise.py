"""What `make coverage` holds the figures against: .ci/coverage/report.py, and the floors beside it."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[3]
REPORT: Final[dict[str, Any]] = runpy.run_path(str(ROOT / ".ci/coverage/report.py"))


def test_a_floor_that_is_lower_than_it_ever_was_is_named() -> None:
    lowered = REPORT["lowered"]
    assert lowered({"sdk": 80, "core": 70}, [{"sdk": 80, "core": 75}, {"sdk": 85}]) == ["core: 70 < 75", "sdk: 80 < 85"]
    assert lowered({"sdk": 85, "new": 1}, [{"sdk": 85, "gone": 90}, {}]) == []


def test_every_distribution_has_a_floor() -> None:
    floors = tomllib.loads((ROOT / ".ci/coverage/floors.toml").read_text())
    assert {*floors} == {name for name, _ in REPORT["distributions"]()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="without its history nobody knows what a floor was before")
def test_no_floor_of_this_repository_was_lowered() -> None:
    floors = tomllib.loads((ROOT / ".ci/coverage/floors.toml").read_text())
    assert REPORT["lowered"](floors, REPORT["earlier_floors"]()) == []


def test_a_percentage_is_never_rounded_up() -> None:
    assert REPORT["Covered"](lines=10_000, executed=9_999).percent == 99.9
    assert REPORT["Covered"](lines=0, executed=0).percent == 100.0
