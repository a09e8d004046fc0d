"""What a requirement asks and how it is checked, as text for people.

Called by the CLI; below it lie the requirements and the checks.
"""

from __future__ import annotations

import textwrap
from difflib import get_close_matches

from animus_conformance.checks.registry import checks
from animus_conformance.errors import UsageMistake

__all__ = ["explanation", "listing"]

_WIDTH = 100


def explanation(requirement_id: str) -> str:
    """The whole of one requirement. Raises UsageMistake for an id that there is not."""
    found = checks().get(requirement_id)
    if found is None:
        near = get_close_matches(requirement_id, checks(), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; animus-conformance list shows all"
        raise UsageMistake(f"no requirement has the id {requirement_id!r}{hint}")
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


def listing(kind: str | None) -> str:
    """One line a requirement, those of `kind` or all."""
    rows = [one.requirement for one in checks().values() if kind is None or one.requirement.concerns(kind)]
    width = max(len(row.id) for row in rows)
    return "\n".join(f"{row.level}  {row.strength:6}  {row.id:{width}}  {row.title}" for row in rows)
