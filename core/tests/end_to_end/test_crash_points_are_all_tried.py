"""Every crash point that the source declares is one at which something is killed, here or in a plugin's own tests."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
DECLARED = re.compile(r'^\w.*declare\(\s*"([^"]+)"', re.MULTILINE)  # an example in a docstring is indented


def test_each_declared_crash_point_has_a_trial() -> None:
    trials = Path(__file__).with_name("test_crash_points_lose_nothing.py").read_text(encoding="utf-8")
    declared = declared_in("sdk/src", "core/src")

    assert len(declared) > 15
    assert sorted(name for name in declared if name not in trials) == []


def test_each_crash_point_of_a_plugin_has_a_trial_among_its_own_tests_or_here() -> None:
    here = Path(__file__).with_name("test_crash_points_lose_nothing.py").read_text(encoding="utf-8")
    for plugin in (REPOSITORY / "plugins").iterdir():
        own = "".join(path.read_text(encoding="utf-8") for path in plugin.glob("tests/**/*.py"))
        assert sorted(name for name in declared_in(f"plugins/{plugin.name}/src") if name not in own + here) == []


def declared_in(*folders: str) -> set[str]:
    sources = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    return {name for path in sources for name in DECLARED.findall(path.read_text(encoding="utf-8"))}
