"""Requirements and checks fit together both ways, and an id that was published stays."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Final

import pytest

from animus_conformance import reference
from animus_conformance.checks.registry import check, checks, checks_for
from animus_conformance.errors import SuiteBroken
from animus_conformance.kinds import KINDS, Kind
from animus_conformance.requirements.manifest import requirements
from animus_conformance.verdict import Level
from animus_conformance.wire.host import Host

KNOWN_IDS: Final = Path(__file__).with_name("known_ids.txt")
PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "conformance.md"


def test_every_requirement_has_a_check_and_every_check_a_requirement() -> None:
    assert checks().keys() == requirements().keys()
    assert all(one.requirement is requirements()[name] for name, one in checks().items())


def test_every_requirement_says_what_where_and_why() -> None:
    for one in requirements().values():
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", one.id), one.id
        assert re.fullmatch(r"protocol §\d(, §\d)*|performance", one.section), one.id
        assert one.title, one.id
        assert not one.title.endswith("."), one.id
        assert len(one.text) > len(one.title) / 2, one.id
        assert one.text.endswith("."), one.id
        assert set(one.kinds) <= {"*", *KINDS}, one.id
        assert one.kinds, one.id


def test_every_check_says_what_it_does() -> None:
    for name, one in checks().items():
        assert one.how.endswith("."), name
        assert inspect.iscoroutinefunction(one.function), name


def test_an_id_that_was_published_is_never_removed_or_renamed() -> None:
    known = KNOWN_IDS.read_text("utf-8").split()
    assert known == sorted(set(known))
    gone = sorted(set(known) - requirements().keys())
    assert not gone, f"people name these ids in their conformance.toml: {gone}"
    new = sorted(requirements().keys() - set(known))
    assert not new, f"add to {KNOWN_IDS.name}, in order: {new}"


def test_the_reference_page_is_what_the_requirements_say() -> None:
    assert PAGE.read_text("utf-8") == reference.page(), "run: python -m animus_conformance.reference > " + str(PAGE)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_deeper_level_has_all_checks_of_the_ones_before(kind: Kind) -> None:
    before: set[str] = set()
    for level in Level:
        chosen = checks_for(kind, level)
        names = {one.requirement.id for one in chosen}
        assert len(names) == len(chosen)
        assert before <= names
        assert all(one.requirement.level <= level and one.requirement.concerns(kind.name) for one in chosen)
        before = names


def test_a_check_that_does_not_fit_is_refused() -> None:
    async def documented() -> None:
        """Does nothing."""

    checks()
    with pytest.raises(SuiteBroken, match="which is no requirement"):
        check("no.such-requirement")(documented)
    with pytest.raises(SuiteBroken, match=r"lifecycle\.ping has two checks"):
        check("lifecycle.ping")(documented)


def test_a_check_that_says_nothing_is_refused() -> None:
    async def silent() -> None:
        pass

    with pytest.raises(SuiteBroken, match="does not say what it does"):
        check("lifecycle.ping")(silent)


def test_a_check_that_asks_for_what_is_no_part_of_a_run_is_refused() -> None:
    async def asks_for_a_text(plugin: str) -> None:
        """Does nothing."""

    async def asks_for_a_host(host: Host) -> None:
        """Does nothing."""

    with pytest.raises(SuiteBroken, match=r"asks_for_a_text: the parameter plugin asks for <class 'str'>"):
        check("lifecycle.ping")(asks_for_a_text)
    with pytest.raises(SuiteBroken, match=r"which is no part of a run"):
        check("lifecycle.ping")(asks_for_a_host)
