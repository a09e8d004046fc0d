"""Runs the hostile pack and says in numbers what came of it: `make hostile`, with JSON=1 as JSON on the last line.

The numbers are what the tests have measured and recorded, added up: kills, questions that were lost, descriptors that
were leaked. Exit code 0 only when every case has passed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
FOLDERS: Final = (HERE, HERE.parent / "end_to_end")
MEASURES: Final = ("kills", "lost", "leaked_fds")


class Tally:
    """Adds up the reports of all cases, wherever they ran."""

    def __init__(self) -> None:
        self.cases: dict[str, bool] = {}
        self.measured: dict[tuple[str, str], int] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A case passes when its setup, call and teardown do and it was not skipped."""
        self.cases[report.nodeid] = self.cases.get(report.nodeid, True) and report.passed
        for name, value in report.user_properties:
            if name in MEASURES and isinstance(value, int):
                self.measured[report.nodeid, name] = value

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is a case that failed."""
        if report.failed:
            self.cases[report.nodeid] = False

    def summary(self) -> dict[str, int]:
        """The numbers."""
        sums = {name: sum(value for (_, what), value in self.measured.items() if what == name) for name in MEASURES}
        return {"cases": len(self.cases), "passed": sum(self.cases.values()), **sums}


def main() -> int:
    """Run every case, print the numbers; the exit code."""
    parser = argparse.ArgumentParser(description="Plugins that misbehave and processes that are killed.")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, for example -k NAME")
    arguments, more = parser.parse_known_args()
    tally = Tally()
    options = ["-q", "-n", "auto", "-m", "hostile", *more, *arguments.pytest, *map(str, FOLDERS)]
    ended = pytest.main(options, plugins=[tally])
    summary = tally.summary()
    whole = ended == 0 and 0 < summary["cases"] == summary["passed"] and not summary["lost"] + summary["leaked_fds"]
    totals = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in summary.items())
    print(json.dumps(summary) if arguments.json else totals, flush=True)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
