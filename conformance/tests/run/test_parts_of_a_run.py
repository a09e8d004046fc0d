"""The parts of a run: who asks for a type gets the one part of it, and all that has to be is closed at the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from animus_conformance.errors import SuiteBroken
from animus_conformance.parts import Parts, RunOptions
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes


class Ledger:
    def __init__(self) -> None:
        self.lines: list[str] = []


class Lower:
    def __init__(self, ledger: Ledger, claims: Claims) -> None:
        self.ledger = ledger
        self.claims = claims

    async def close(self) -> None:
        self.ledger.lines.append("lower")


class Upper:
    def __init__(self, lower: Lower, ledger: Ledger) -> None:
        self.lower = lower
        self.ledger = ledger

    async def close(self) -> None:
        self.ledger.lines.append("upper")


class Untyped:
    def __init__(self, lower) -> None: ...


class Counting:
    def __init__(self, count: int) -> None: ...


class Alternating:
    def __init__(self, other: Circular) -> None: ...


class Circular:
    def __init__(self, other: Alternating) -> None: ...


async def test_whoever_asks_for_a_type_gets_the_same_part(good: Sequence[str]) -> None:
    async with Parts.opened(RunOptions(good)) as parts:
        upper = parts.part(Upper)
        assert upper.lower is parts.part(Lower)
        assert upper.lower.claims is parts.part(Claims)
        assert upper.ledger is upper.lower.ledger


async def test_a_part_is_closed_before_those_that_it_is_made_of(good: Sequence[str]) -> None:
    async with Parts.opened(RunOptions(good)) as parts:
        ledger = parts.part(Upper).ledger
        assert ledger.lines == []
    assert ledger.lines == ["upper", "lower"]


async def test_a_part_that_is_made_of_itself_is_refused(good: Sequence[str]) -> None:
    async with Parts.opened(RunOptions(good)) as parts:
        with pytest.raises(SuiteBroken, match="Circular needs itself"):
            parts.part(Circular)


@pytest.mark.parametrize("maker", [Untyped, Counting])
async def test_what_asks_for_something_else_than_parts_is_refused(good: Sequence[str], maker: type) -> None:
    async with Parts.opened(RunOptions(good)) as parts:
        with pytest.raises(SuiteBroken, match="which is no part of a run"):
            parts.part(maker)


async def test_nothing_is_left_of_a_run_that_is_over(good: Sequence[str]) -> None:
    async with Parts.opened(RunOptions(good)) as parts:
        host = await parts.part(Processes).shared()
    assert host.process.exit_code is not None
    assert not host.project.exists()
