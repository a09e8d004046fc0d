"""The four verdicts that may end a phase, as an enumeration and as words. Nothing lies below."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

__all__ = ["Verdict", "VerdictWord"]


class Verdict(StrEnum):
    """How a phase ended; a workflow knows no other verdict."""

    ADVANCE = "advance"
    REWORK = "rework"
    SKIP = "skip"
    FAIL = "fail"


# A type checker accepts a plain "advance" for this type and not for the enumeration; a test keeps both alike.
VerdictWord: TypeAlias = Literal["advance", "rework", "skip", "fail"]
"""A verdict as it is written: in a workflow, on the wire, in a journal."""
