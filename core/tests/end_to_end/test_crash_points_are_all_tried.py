"""Every crash point that the source declares is one at which `make faults` kills a process."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
DECLARED = re.compile(r'declare\(\s*"([^"]+)"')


def test_each_declared_crash_point_has_a_trial() -> None:
    sources = [path for folder in ("sdk/src", "core/src", "plugins") for path in (REPOSITORY / folder).rglob("*.py")]
    declared = {name for path in sources for name in DECLARED.findall(path.read_text(encoding="utf-8"))}
    trials = Path(__file__).with_name("test_crash_points_lose_nothing.py").read_text(encoding="utf-8")

    assert len(declared) > 15
    assert sorted(name for name in declared if name not in trials) == []
