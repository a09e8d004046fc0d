"""Prints how much of each distribution was executed, and fails where that is less than its floor.

Run by `make coverage` after the tests. A floor (`floors.toml`, percent of lines) may be raised and never lowered: it is
held against every earlier state of that file.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import coverage

ROOT: Final = Path(__file__).parents[2]
FLOORS: Final = Path(__file__).with_name("floors.toml")


class Covered(NamedTuple):
    """How many lines of a distribution there are, and how many were executed."""

    lines: int
    executed: int

    @property
    def percent(self) -> float:
        """Rounded down, so that 100 means all of them."""
        return math.floor(1000 * self.executed / self.lines) / 10 if self.lines else 100.0


def distributions() -> Iterator[tuple[str, Path]]:
    """Name and sources of each distribution of this repository."""
    for project in sorted([*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]):
        yield tomllib.loads(project.read_text())["project"]["name"], project.parent / "src"


def measure(data: coverage.Coverage, sources: Path) -> Covered:
    """Count over every module, also over those that nobody imported."""
    lines = executed = 0
    for path in sorted(sources.rglob("*.py")):
        if "{{" not in str(path):  # a template is Python only once it is rendered
            _, statements, _, missing, _ = data.analysis2(str(path))
            lines += len(statements)
            executed += len(statements) - len(missing)
    return Covered(lines, executed)


def lowered(now: Mapping[str, float], earlier: list[Mapping[str, float]]) -> list[str]:
    """Each floor that is not as high as it once was, in words."""
    highest: dict[str, float] = {}
    for floors in earlier:
        for name, floor in floors.items():
            highest[name] = max(floor, highest.get(name, 0.0))
    return [f"{name}: {now[name]} < {highest[name]}" for name in sorted(now) if now[name] < highest.get(name, 0.0)]


def earlier_floors() -> list[Mapping[str, float]]:
    """What `floors.toml` said in each commit that changed it."""
    path = str(FLOORS.relative_to(ROOT))
    commits = _git("log", "--format=%H", "--diff-filter=AM", "--", path).split()
    return [tomllib.loads(_git("show", f"{commit}:{path}")) for commit in commits]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Print the table; 1 when something is below its floor, has none, or a floor was lowered."""
    floors: dict[str, float] = tomllib.loads(FLOORS.read_text())
    data = coverage.Coverage(
        data_file=str(Path(sys.prefix, "measured", "data")), config_file=str(ROOT / "pyproject.toml")
    )
    data.combine()
    wrong = [f"a floor was lowered: {text}" for text in lowered(floors, earlier_floors())]
    print(f"{'distribution':<28}{'lines':>8}{'executed':>10}{'percent':>9}{'floor':>7}")
    for name, sources in distributions():
        covered, floor = measure(data, sources), floors.get(name)
        print(f"{name:<28}{covered.lines:>8}{covered.executed:>10}{covered.percent:>9}{floor or '–':>7}")
        if floor is None:
            wrong.append(f"{name} has no floor in {FLOORS.relative_to(ROOT)}")
        elif covered.percent < floor:
            wrong.append(f"{name}: {covered.percent} % of its lines were executed, and the floor is {floor} %")
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
