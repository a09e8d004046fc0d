"""Proof that every template makes a plugin that works as it is: `make templates`.

Each template is rendered by `animus plugin new` under an ordinary and an awkward name, out of an installed wheel. What
comes out is installed, tested, linted, typed and judged; then a daemon works a task off through the new subject backend
and the new provider, and reaches the others. Exit 0 only if all of it holds. Below it lie the modules of `proof/`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from proof.daemon import work_through
from proof.environment import Environment
from proof.project import AWKWARD, ORDINARY, GeneratedProject, NotGenerated, ProjectRequest, generate
from proof.steps import Failure, Step, steps_of, typing_of

WORKERS = 4
"""Steps at a time. Most of them wait for processes of their own, so that more than one a core pays off."""


class Proof(NamedTuple):
    """The projects that were requested, how many of them worked inside a daemon, and what fell short."""

    ordinary: list[ProjectRequest]
    awkward: list[ProjectRequest]
    hosted: int
    failures: list[Failure]

    def figures(self) -> dict[str, float]:
        """The result in numbers."""
        failed = {failure.request for failure in self.failures}
        return {
            "templates": len(self.ordinary),
            "passed": len(self.ordinary) - len(failed.intersection(self.ordinary)),
            "awkward": len(self.awkward),
            "awkward_passed": len(self.awkward) - len(failed.intersection(self.awkward)),
            "hosted": self.hosted,
        }


def main() -> int:
    """Prepare, prove, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--kind", action="append", help="only this kind, without the daemon; may be repeated")
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="animus-templates-") as folder:
        proof = prove(Path(folder), args.kind)
    for failure in proof.failures:
        print(f"\n{failure.request.label}: {failure.step} failed\n{failure.output}")
    figures = {**proof.figures(), "seconds": round(time.monotonic() - began, 1)}
    print(", ".join(f"{name}: {value}" for name, value in figures.items()))
    if args.json:
        print(json.dumps(figures))
    return 1 if proof.failures else 0


def prove(place: Path, kinds: list[str] | None) -> Proof:
    """Make, install and judge the projects in `place`; without `kinds` all of them, and a daemon with them."""
    ordinary = [request for request in ORDINARY if kinds is None or request.kind in kinds]
    awkward = [request for request in AWKWARD if kinds is None or request.kind in kinds]
    environment = Environment(place / "environment")
    environment.install([Path(__file__).parent])
    failures: list[Failure] = []
    made: list[GeneratedProject] = []
    for request in (*ordinary, *awkward):
        try:
            made.append(generate(request, environment, place / "projects"))
        except NotGenerated as refused:
            failures.append(Failure(request, "plugin new", str(refused)))
    environment.install([project.folder for project in made])
    print(f"{len(made)} projects are made and installed", flush=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        lanes = [[typing_of(project, environment) for project in made]]  # one after the other: they share a cache
        lanes += [steps_of(project, environment, deep=project.request in ordinary) for project in made]
        for found in pool.map(judged, lanes):
            failures += found
    hosted = 0
    usual = [project for project in made if project.request in ordinary]
    if kinds is None and len(usual) == len(ordinary):  # the workflow needs a plugin of every kind
        began = time.monotonic()
        fell_short = work_through(usual, environment, place / "daemon")
        progress("all kinds in a daemon", "", fell_short, began)
        hosted = len(ordinary) - len({failure.request for failure in fell_short})
        failures += fell_short
    return Proof(ordinary, awkward, hosted, failures)


def judged(steps: list[Step]) -> list[Failure]:
    """Carry out the steps, one after the other, and say how each went."""
    failures = []
    for step in steps:
        began = time.monotonic()
        failure = step.run()
        progress(step.request.label, step.name, failure, began)
        if failure is not None:
            failures.append(failure)
    return failures


def progress(what: str, step: str, failed: object, began: float) -> None:
    """One line."""
    print(f"{what:<54} {step:<16} {'FAILED' if failed else 'ok'}  {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
