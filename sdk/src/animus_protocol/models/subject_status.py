"""The states of a subject, without the models: commands that need no more import no more. Nothing lies below."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["SubjectStatus"]


class SubjectStatus(StrEnum):
    """The normalized states; snake_case is read too."""

    READY = "ready"
    IN_PROGRESS = "in-progress"
    BLOCKED = "blocked"
    DONE = "done"
    CANCELLED = "cancelled"

    @classmethod
    def _missing_(cls, value: object) -> SubjectStatus | None:
        spelled = value.replace("_", "-") if isinstance(value, str) else None
        return next((status for status in cls if status.value == spelled), None)
