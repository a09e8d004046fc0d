"""How a check's end becomes an outcome, and outcomes become levels."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_conformance.checks.registry import Check, checks
from animus_conformance.judgement import Report, levels_of
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.patience import Patience
from animus_conformance.requirements.manifest import requirement
from animus_conformance.run import run, run_check
from animus_conformance.settings import ExpectedFailure, SuiteSettings
from animus_conformance.verdict import CheckOutcome, CheckVerdict, Failed, Level, NotAdvertised, Strength, Unproven

ID: Final = "lifecycle.ping"
DAY: Final = date(2026, 3, 10)

OUTCOMES: Final = st.builds(
    CheckOutcome,
    id=st.just("an.id"),
    level=st.sampled_from(Level),
    strength=st.sampled_from(Strength),
    verdict=st.sampled_from(CheckVerdict),
    reason=st.just(""),
    seconds=st.just(0.0),
)

Function = Callable[[], Awaitable[None]]


def ending(error: Exception | None) -> Function:
    async def function() -> None:
        if error is not None:
            raise error

    return function


async def outcome_of(
    function: Function, *, expires: date | None = None, today: date = DAY, patience: Patience | None = None
) -> CheckOutcome:
    expected = {} if expires is None else {ID: ExpectedFailure(ID, "being fixed", expires)}
    settings = SuiteSettings(expected_failures=expected)
    options = RunOptions([sys.executable], settings=settings, patience=patience or Patience())
    async with Parts.opened(options) as parts:
        return await run_check(parts, Check(requirement(ID), function, None), today)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, CheckVerdict.PASS),
        (Failed("why"), CheckVerdict.FAIL),
        (Unproven("why"), CheckVerdict.UNPROVEN),
        (NotAdvertised("why"), CheckVerdict.NOT_ADVERTISED),
    ],
)
async def test_what_a_check_raises_is_its_verdict(error: Exception | None, verdict: CheckVerdict) -> None:
    outcome = await outcome_of(ending(error))
    assert (outcome.verdict, outcome.reason) == (verdict, "why" if error else "")


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("bug"), AssertionError("a bug"), OSError("a bug")])
async def test_a_bug_in_a_check_leaves_it_unproven_and_shows_where(error: Exception) -> None:
    outcome = await outcome_of(ending(error))
    assert outcome.verdict is CheckVerdict.UNPROVEN
    assert outcome.reason == f"the suite failed: {error!r}"
    assert "Traceback" in outcome.evidence
    assert "in function" in outcome.evidence


async def test_a_check_that_does_not_end_is_unproven() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    outcome = await outcome_of(waits, patience=Patience(check_s=0.05))
    assert outcome.verdict is CheckVerdict.UNPROVEN
    assert "did not come to an end within 0.05 s" in outcome.reason


@pytest.mark.parametrize(
    ("error", "today", "verdict"),
    [
        (Failed("why"), date(2026, 3, 9), CheckVerdict.EXPECTED_FAILURE),
        (Failed("why"), DAY, CheckVerdict.EXPECTED_FAILURE),
        (Failed("why"), date(2026, 3, 11), CheckVerdict.FAIL),
        (None, DAY, CheckVerdict.FAIL),
        (Unproven("why"), DAY, CheckVerdict.UNPROVEN),
    ],
)
async def test_a_failure_is_expected_until_its_day_is_over(
    error: Exception | None, today: date, verdict: CheckVerdict
) -> None:
    assert (await outcome_of(ending(error), expires=DAY, today=today)).verdict is verdict


@given(st.lists(OUTCOMES), st.booleans())
def test_a_level_is_what_its_worst_deciding_outcome_is(outcomes: list[CheckOutcome], strict: bool) -> None:
    levels = levels_of(outcomes, strict=strict)
    assert list(levels) == sorted({one.level for one in outcomes})
    counting = {Strength.MUST, Strength.SHOULD} if strict else {Strength.MUST}
    for level, verdict in levels.items():
        deciding = {one.verdict for one in outcomes if one.level is level and one.strength in counting}
        worst = [one for one in (CheckVerdict.FAIL, CheckVerdict.UNPROVEN) if one in deciding]
        assert verdict is (worst[0] if worst else CheckVerdict.PASS)


@given(
    st.dictionaries(
        st.sampled_from(Level), st.sampled_from((CheckVerdict.PASS, CheckVerdict.FAIL, CheckVerdict.UNPROVEN))
    )
)
def test_a_level_is_reached_when_all_up_to_it_passed(levels: dict[Level, CheckVerdict]) -> None:
    report = Report({}, "custom", ["plugin"], "1.1", 1, levels, [])
    for level in Level:
        assert report.reached(level) is all(levels[one] is CheckVerdict.PASS for one in levels if one <= level)
    highest = report.highest
    assert highest is None or (report.reached(highest) and levels[highest] is CheckVerdict.PASS)
    assert replace(report, complete=False).highest is None


async def test_a_run_tells_of_each_check_before_and_behind_it(good: Sequence[str]) -> None:
    calls: list[tuple[str, str]] = []

    async with Parts.opened(RunOptions(good)) as parts:
        chosen = [checks()["manifest.prints-one-object"], checks()["lifecycle.ping"]]
        report = await run(
            parts,
            chosen,
            lambda outcome: calls.append(("ended", outcome.id)),
            on_begin=lambda check: calls.append(("began", check.requirement.id)),
        )
    assert calls == [(what, one.id) for one in report.outcomes for what in ("began", "ended")]
    assert report.plugin["name"] == "good-custom"
    assert not report.complete
