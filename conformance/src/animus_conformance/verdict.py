"""What a check can come to, and how it says so.

A check says its verdict by raising it, or passes by returning. Nothing lies below.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CheckEnded", "CheckOutcome", "CheckVerdict", "Failed", "Level", "NotAdvertised", "Strength", "Unproven"]


class Level(StrEnum):
    """How deep a requirement lies; a level is reached when it and all levels before it are."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"


class Strength(StrEnum):
    """How binding a requirement is: only a MUST decides about a level, a SHOULD and a MAY are advice."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class CheckVerdict(StrEnum):
    """What became of a check."""

    PASS = "pass"  # noqa: S105 - a verdict and no password
    FAIL = "fail"
    EXPECTED_FAILURE = "expected-failure"
    NOT_ADVERTISED = "not-advertised"
    UNPROVEN = "unproven"


class CheckEnded(Exception):
    """Base of what a check raises when it does not simply return, which means `pass`.

    Verdicts are about the plugin, so they stand beside the tree of the suite's own errors, in `errors.py`.
    """

    verdict: CheckVerdict


class Failed(CheckEnded):
    """The plugin does not do what the requirement says: what was expected, and what came."""

    verdict = CheckVerdict.FAIL


class NotAdvertised(CheckEnded):
    """The plugin does not claim this, and was asked and refused as it should."""

    verdict = CheckVerdict.NOT_ADVERTISED


class Unproven(CheckEnded):
    """Something before the point in question went wrong or is missing: what, and what would help."""

    verdict = CheckVerdict.UNPROVEN


@dataclass(frozen=True)
class CheckOutcome:
    """The end of one check. `evidence` is the transcript of its conversations and the tail of the plugin's stderr."""

    id: str
    level: Level
    strength: Strength
    verdict: CheckVerdict
    reason: str
    seconds: float
    evidence: str = ""
    reproduction: str = ""
