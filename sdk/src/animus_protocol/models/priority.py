"""Priorities of work: the words that people use, and the numbers of the protocol. Nothing lies below."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PriorityName"]


class PriorityName(StrEnum):
    """Priorities by name, in their order; as numbers 1 to 4, smaller first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def number(self) -> int:
        """From 1 for critical to 4 for low."""
        return list(PriorityName).index(self) + 1

    @staticmethod
    def of_number(number: int | None) -> PriorityName | None:
        """The name of a number; None for one that has no name."""
        return next((name for name in PriorityName if name.number == number), None)

    @staticmethod
    def read(text: str) -> PriorityName:
        """The name that `text` is, or whose number it is. Raises ValueError that says what there is."""
        for name in PriorityName:
            if text in (name.value, str(name.number)):
                return name
        raise ValueError(f"priority {text!r} is none of {', '.join(PriorityName)} (or 1 to {len(PriorityName)})")
