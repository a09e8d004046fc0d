"""The reference page of all requirements, as Markdown: `python -m animus_conformance.reference`.

A test holds the page in the documentation against it. Below it lie the checks.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Final

from animus_conformance.checks.registry import Check, checks
from animus_conformance.kinds import KINDS

__all__ = ["page"]

_WIDTH: Final = 120
_SPECIAL: Final = re.compile(r"[\\<*]")
_TOP: Final = """\
# Conformance requirements

What a plugin owes, and how `animus-conformance` sees whether it keeps it. [Check a plugin](../how-to/check-a-plugin.md)
says how to run it. This page is made from the requirements themselves: `python -m animus_conformance.reference`.

The *level* says how deep a requirement lies: **L0** manifest and life cycle, **L1** the kind's main methods, **L2**
everything that is advertised, **L3** hostile input and robustness, **L4** what it costs. A level is reached when every
MUST of it and of the levels before it passes. SHOULD and MAY are advice. Where *if* names a method, the requirement
counts for plugins that advertise it; of the others it is proved that they refuse it.
"""


def page() -> str:
    """The whole page: requirements of every kind first, then a section a kind."""
    found = list(checks().values())
    sections = [("Every plugin", [check for check in found if "*" in check.requirement.kinds])]
    several = [check for check in found if len(check.requirement.kinds) > 1]
    sections.append(("Several kinds", several))
    for kind in KINDS.values():
        own = [check for check in found if check.requirement.kinds == (kind.name,)]
        sections.append((f"{kind.name} (`{kind.plugin_kind}`)", own))
    return "\n".join([_TOP, *(_section(title, rows) for title, rows in sections if rows)])


def _section(title: str, rows: Iterable[Check]) -> str:
    return "\n".join([f"## {title}", "", *(_entry(row) for row in rows)])


def _entry(check: Check) -> str:
    wanted = check.requirement
    several = wanted.kinds if len(wanted.kinds) > 1 else ()
    facts = [wanted.level.value, wanted.strength.value, wanted.section]
    facts += [f"kinds {', '.join(several)}"] if several else []
    facts += [f"if `{check.method}`"] if check.method else []
    paragraphs = [
        f"### {wanted.id}",
        f"*{' · '.join(facts)}* · **{_escaped(wanted.title)}**",
        _escaped(wanted.text),
        f"*How it is checked:* {_escaped(' '.join(check.how.split()))}",
        *([f"*What to do:* {_escaped(wanted.fix)}"] if wanted.fix else []),
    ]
    return "\n\n".join(_filled(paragraph) for paragraph in paragraphs) + "\n"


def _escaped(text: str) -> str:
    """Plain text as Markdown; what stands between backquotes is code there, too."""
    pieces = text.split("`")
    pieces[::2] = [_SPECIAL.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.stdout.write(page())
