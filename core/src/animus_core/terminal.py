"""What others wrote, made fit for a terminal: nothing in it that a terminal obeys."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escape_controls", "escape_unprintable"]

_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Controls, and what makes a terminal show a text in another order than it has: no tab, no end of a line."""


def escape_unprintable(text: str, keep: str = "") -> str:
    """`text` with all that cannot be seen escaped, except for what `keep` has.

    For single words, paths and lines by which somebody decides: two that differ look different.
    """
    if text.isprintable():  # nearly always; names of many thousand files come here
        return text
    return "".join(char if char.isprintable() or char in keep else _escaped(char) for char in text)


def escape_controls(text: str) -> str:
    """`text` with what a terminal would obey escaped: for whole texts, whose blanks and joiners of any script stay."""
    return _OBEYED.sub(lambda found: _escaped(found[0]), text)


def _escaped(char: str) -> str:
    return ascii(char)[1:-1]
