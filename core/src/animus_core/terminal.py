"""What others wrote, made fit for a terminal: nothing in it that a terminal obeys."""

from __future__ import annotations

__all__ = ["visible"]


def visible(text: str, keep: str = "") -> str:
    """`text` without anything that a terminal obeys; what cannot be printed is escaped, except for what `keep` has."""
    return "".join(char if char.isprintable() or char in keep else ascii(char)[1:-1] for char in text)
