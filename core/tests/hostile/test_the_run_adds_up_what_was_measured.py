"""`make hostile` says what its tests have measured; a case that fails in any phase is not passed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal

import pytest

PATH = Path(__file__).with_name("run.py")


def new_tally() -> Any:
    spec = importlib.util.spec_from_file_location("hostile_run", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Tally()


def report(
    case: str,
    when: Literal["setup", "call", "teardown"],
    outcome: Literal["passed", "failed", "skipped"],
    **measured: object,
) -> pytest.TestReport:
    location = ("f.py", 1, case)
    return pytest.TestReport(case, location, {}, outcome, None, when, user_properties=list(measured.items()))


def test_numbers_are_added_over_all_cases_and_a_case_counts_once() -> None:
    tally = new_tally()
    for case, kills in (("a", 100), ("b", 50)):
        tally.pytest_runtest_logreport(report(case, "setup", "passed"))
        tally.pytest_runtest_logreport(report(case, "call", "passed", kills=kills, lost=0))
        tally.pytest_runtest_logreport(report(case, "teardown", "passed", kills=kills, lost=0, leaked_fds=0))
    assert tally.summary() == {"cases": 2, "passed": 2, "kills": 150, "lost": 0, "leaked_fds": 0}


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_case_that_fails_or_is_left_out_is_not_passed_and_what_it_measured_counts(
    when: Literal["setup", "call", "teardown"], outcome: Literal["failed", "skipped"]
) -> None:
    tally = new_tally()
    for phase in ("setup", "call", "teardown"):
        ended = outcome if phase == when else "passed"
        tally.pytest_runtest_logreport(report("a", phase, ended, lost=3, leaked_fds=2))
    assert tally.summary() == {"cases": 1, "passed": 0, "kills": 0, "lost": 3, "leaked_fds": 2}
