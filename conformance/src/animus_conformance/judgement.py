"""What the outcomes of a run come to: which levels are reached, and the report that holds it all.

Below it lie the verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from animus_conformance.kinds import restriction
from animus_conformance.verdict import CheckOutcome, CheckVerdict, Level, Strength

__all__ = ["Report", "deciding", "levels_of"]


@dataclass(frozen=True)
class Report:
    """What came out of a run. `levels` holds pass, fail or unproven for each level that was judged.

    `complete` says that every check of the kind was carried out, up to the deepest level that any was chosen of.
    """

    plugin: Mapping[str, Any]
    kind: str
    command: Sequence[str]
    profile: str
    seed: int
    levels: Mapping[Level, CheckVerdict]
    outcomes: Sequence[CheckOutcome]
    strict: bool = False
    complete: bool = True

    @property
    def highest(self) -> Level | None:
        """The level that is reached: it and all before it passed. None when there is none, or not all was judged."""
        if not self.complete:
            return None  # with `--only` a level would be reached by leaving out what fails
        return max((level for level in self.levels if self.reached(level)), default=None)

    @property
    def restriction(self) -> str:
        """To what the judgement is restricted, where the suite does not know the plugin's kind; else empty."""
        return restriction(self.kind, self.plugin.get("plugin_kind"))

    def decides(self, outcome: CheckOutcome) -> bool:
        """Whether this outcome counts for its level, or is advice."""
        return outcome.strength in deciding(self.strict)

    def reached(self, level: Level) -> bool:
        """Whether this level and all before it passed."""
        return all(verdict is CheckVerdict.PASS for name, verdict in self.levels.items() if name <= level)


def levels_of(outcomes: Iterable[CheckOutcome], *, strict: bool = False) -> dict[Level, CheckVerdict]:
    """What the outcomes make of each level: only a MUST decides, and a fail weighs more than something unproven."""
    levels: dict[Level, CheckVerdict] = {}
    for outcome in outcomes:
        levels.setdefault(outcome.level, CheckVerdict.PASS)
        # Whoever reads "fail" knows what to fix; "unproven" beside it would only hide that.
        if outcome.strength not in deciding(strict) or levels[outcome.level] is CheckVerdict.FAIL:
            continue
        if outcome.verdict in (CheckVerdict.FAIL, CheckVerdict.UNPROVEN):
            levels[outcome.level] = outcome.verdict
    return dict(sorted(levels.items()))


def deciding(strict: bool) -> frozenset[Strength]:
    """The strengths that count for a level."""
    return frozenset({Strength.MUST, Strength.SHOULD} if strict else {Strength.MUST})
