"""`make check`, the hooks of pre-commit and CI's workflow ask for the same things."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).parents[3]


def prerequisites(target: str) -> list[str]:
    """What a target of the Makefile consists of."""
    found = re.search(rf"^{target}: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


def targets_of_ci() -> set[str]:
    """What `.ci/run` makes, without the options of make and the variables."""
    lines = re.findall(r"^step make (.+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    return {word for line in lines for word in line.split() if not word.startswith("-") and "=" not in word}


def test_the_hooks_before_a_commit_are_the_parts_of_make_check() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["id"] for hook in hooks] == prerequisites("check")
    assert [hook["entry"] for hook in hooks] == [f"make {hook['id']}" for hook in hooks]
    assert [repository["repo"] for repository in config["repos"]] == ["local"], "nothing is downloaded"


def test_ci_runs_what_people_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    proofs = workflow["jobs"]["proofs"]["strategy"]["matrix"]["proof"]
    tests = [step["run"].split()[1] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    script = targets_of_ci()
    assert {*tests, *proofs} == script - {"clean"}
    helped = set(re.findall(r'@echo "make ([a-z-]+)', (ROOT / "Makefile").read_text()))
    assert script <= helped, "`make help` names each of them"
