"""From what a person types to the names of a project: pure functions, and the bounds of every answer.

Below it lies slugify, which spells every script in ASCII letters.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from slugify import slugify

from animus_templates.errors import BadAnswer

__all__ = ["KINDS", "LICENSES", "camel", "line", "slug"]

KINDS: Final = ("subject", "provider", "trigger", "transport", "web-ui", "log-storage", "notifier")
"""The kinds as people type them; each is the name of a template's folder."""

LICENSES: Final = ("MIT", "Apache-2.0", "BSD-3-Clause", "none")

_MAX_SLUG: Final = 32
_MAX_LINE: Final = 90
"""Leaves 30 of the 120 columns that the projects' linter allows to whatever stands around it in a file."""
_ANOTHER_NAME: Final = "Give it a name with letters or digits, for example my-tickets."


def slug(name: str, kind: str) -> str:
    """What follows `animus-<kind>-` in the distribution's name: 1 to 32 lowercase letters, digits and single hyphens.

    A name that is spelled with that beginning already loses it. Raises BadAnswer.
    """
    bare = slugify(name).removeprefix(f"animus-{kind}-")
    if not bare:
        raise BadAnswer(f"name {name!r}: nothing is left of it for the name of a Python package", _ANOTHER_NAME)
    if len(bare) > _MAX_SLUG:
        raise BadAnswer(
            f"name {name[:_MAX_SLUG]!r}…: {len(bare)} letters are too many",
            f"Give it a name of at most {_MAX_SLUG} letters; the description may say more.",
        )
    return bare


def camel(slug: str) -> str:
    """The beginning of a class's name: `my-tickets` becomes `MyTickets`, and `7days` becomes `N7days`."""
    words = "".join(word.capitalize() for word in slug.split("-"))
    return f"N{words}" if words[0].isdigit() else words


def line(text: str, what: str) -> str:
    """`text` without blanks around it: one line of at most 90 characters that any file can carry. Raises BadAnswer."""
    text = text.strip()
    if not text or len(text) > _MAX_LINE:
        raise BadAnswer(f"{what}: {len(text)} characters", f"Write one line of 1 to {_MAX_LINE} characters.")
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in text):
        raise BadAnswer(f"{what} {text!r}: a line break or control character", "Write one line of plain text.")
    return text
