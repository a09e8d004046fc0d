"""What others wrote, made fit for a terminal: nothing in it that a terminal obeys."""

from __future__ import annotations

__all__ = ["escape_controls", "escape_unprintable"]

_RANGES = ((0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0x2028, 0x202E), (0x2066, 0x2069))
_OBEYED = {code: ascii(chr(code))[1:-1] for first, last in _RANGES for code in range(first, last + 1)}
"""Controls, and what makes a terminal show a text in another order than it has: no tab, no end of a line.

A table and no expression: to compile one takes longer than a short command has.
"""


def escape_unprintable(text: str, keep: str = "") -> str:
    """`text` with all that cannot be seen escaped, except for what `keep` has.

    For single words, paths and lines by which somebody decides: two that differ look different.
    """
    if text.isprintable():  # nearly always; names of many thousand files come here
        return text
    return "".join(char if char.isprintable() or char in keep else ascii(char)[1:-1] for char in text)


def escape_controls(text: str) -> str:
    """`text` with what a terminal would obey escaped: for whole texts, whose blanks and joiners of any script stay."""
    return text.translate(_OBEYED)
