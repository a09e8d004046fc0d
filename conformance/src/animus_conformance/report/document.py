"""The report as JSON: for programs, and what the other formats are compared with.

Nothing lies below but the outcomes. Members are added, never renamed or removed.
"""

from __future__ import annotations

import json
from typing import Any

from animus_conformance.judgement import Report
from animus_conformance.verdict import CheckOutcome

__all__ = ["as_document", "as_json"]


def as_json(report: Report) -> str:
    """The document as text, indented, with a line end behind it."""
    return json.dumps(as_document(report), indent=2, ensure_ascii=False) + "\n"


def as_document(report: Report) -> dict[str, Any]:
    """`plugin`, `kind`, `levels`, `reached` (None when it is no level), `checks`, and how the run was made.

    `restriction` says what alone was judged, for a kind that the suite has no checks for; else it is empty.
    """
    return {
        "plugin": dict(report.plugin),
        "kind": report.kind,
        "restriction": report.restriction,
        "levels": {level.value: verdict.value for level, verdict in report.levels.items()},
        "reached": None if report.highest is None else report.highest.value,
        "checks": [_check(outcome) for outcome in report.outcomes],
        "command": [*report.command],
        "profile": report.profile,
        "seed": report.seed,
        "strict": report.strict,
        "complete": report.complete,
    }


def _check(outcome: CheckOutcome) -> dict[str, Any]:
    return {
        "id": outcome.id,
        "level": outcome.level.value,
        "strength": outcome.strength.value,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
        "evidence": outcome.evidence,
        "reproduction": outcome.reproduction,
    }
