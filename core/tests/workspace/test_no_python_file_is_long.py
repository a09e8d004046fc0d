"""A Python file that has grown over the bound is about two things: it is split by what it is about."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
MOST_LINES = 400
"""As CONTRIBUTING.md says."""


def test_no_python_file_has_more_lines_than_the_bound() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, check=True, capture_output=True, timeout=20)
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).exists()]
    assert len(names) > 500
    lines = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in names}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
