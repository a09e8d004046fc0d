"""What a requirement asks and how it is checked, for people and for programs.

Below it lie the requirements and the checks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

from animus_conformance.checks.registry import Check, checks
from animus_conformance.errors import UsageMistake

__all__ = ["check_named", "described", "explanation", "listing", "of_kind"]

_WIDTH: Final = 100


def check_named(requirement_id: str) -> Check:
    """The check with this id. Raises UsageMistake that names near ones."""
    found = checks().get(requirement_id)
    if found is None:
        near = get_close_matches(requirement_id, checks(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "animus-conformance list shows all"
        raise UsageMistake(f"no requirement has the id {requirement_id!r}; {hint}")
    return found


def of_kind(kind: str | None) -> list[Check]:
    """The checks that concern `kind`, or all."""
    return [check for check in checks().values() if kind is None or check.requirement.concerns(kind)]


def explanation(found: Check) -> str:
    """The whole of one requirement, as text."""
    wanted = found.requirement
    kinds = "every kind" if "*" in wanted.kinds else ", ".join(wanted.kinds)
    applies = f" that advertises {found.method}" if found.method else ""
    parts = [
        f"{wanted.id}  ({wanted.strength}, {wanted.level}, {wanted.section}; {kinds}{applies})",
        wanted.title,
        wanted.text,
        f"How it is checked: {' '.join(found.how.split())}",
        *([f"What to do: {wanted.fix}"] if wanted.fix else []),
    ]
    return "\n\n".join(textwrap.fill(part, _WIDTH) for part in parts)


def listing(found: Sequence[Check]) -> str:
    """One line a requirement."""
    rows = [check.requirement for check in found]
    width = max((len(row.id) for row in rows), default=0)
    return "\n".join(f"{row.level}  {row.strength:6}  {row.id:{width}}  {row.title}" for row in rows)


def described(found: Check) -> dict[str, Any]:
    """The whole of one requirement, for programs; `method` is what has to be advertised for it to apply, or None."""
    return {**found.requirement._asdict(), "method": found.method, "how": " ".join(found.how.split())}
