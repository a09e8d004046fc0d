"""Texts of a plugin, made harmless for whoever reads a report: nothing that a terminal or XML would act on or refuse.

Nothing lies below.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["printable"]

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters but tab and line feed, what reverses the writing direction, lone surrogates, and no characters."""


def printable(text: str) -> str:
    """`text` with such characters spelled out as `\\x1b` or `\\ud800`."""
    return _UNPRINTABLE.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
