"""What has to hold for a project straight after its generation.

Below it lie the generated project and `environment.py`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Final, NamedTuple

from proof.environment import Environment
from proof.project import GeneratedProject, ProjectRequest

__all__ = ["Failure", "Step", "steps_of", "typing_of"]

_STEP_S: Final = 240
"""For the longest of them, conformance up to L3, while three other steps use the same machine."""

_SHOWN_CHARS: Final = 6000


class Failure(NamedTuple):
    """What did not hold, with the end of what was printed."""

    request: ProjectRequest
    step: str
    output: str


class Step(NamedTuple):
    """One thing that has to hold."""

    request: ProjectRequest
    name: str
    run: Callable[[], Failure | None]


def steps_of(project: GeneratedProject, environment: Environment, *, deep: bool) -> list[Step]:
    """Tests, lint and conformance; `deep` is the level L3 of it, else L0."""
    judge = ["animus-conformance", "run", "--quiet", "--patience", "2", "--level", "L3" if deep else "L0"]
    commands = {
        "tests": ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        "ruff check": ["ruff", "check", "--no-cache", "."],
        "ruff format": ["ruff", "format", "--no-cache", "--check", "."],
        "conformance " + ("L3" if deep else "L0"): [*judge, "--", str(environment.bin / project.distribution)],
    }
    return [_step(project, name, command, environment) for name, command in commands.items()]


def typing_of(project: GeneratedProject, environment: Environment) -> Step:
    """mypy, as strict as the project wants it. Two of them at a time would quarrel over the cache."""
    command = ["python", "-m", "mypy", "--no-error-summary", "--cache-dir", str(environment.cache)]
    return _step(project, "mypy --strict", command, environment)


def _step(project: GeneratedProject, name: str, command: list[str], environment: Environment) -> Step:
    def run() -> Failure | None:
        try:
            done = environment.run(command, project.folder, timeout_s=_STEP_S)
        except subprocess.TimeoutExpired:
            return Failure(project.request, name, f"not done within {_STEP_S} s")
        return None if done.returncode == 0 else Failure(project.request, name, done.stdout[-_SHOWN_CHARS:])

    return Step(project.request, name, run)
