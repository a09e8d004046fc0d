"""The built-in projector that moves a subject's status with its run.

Registered through `animus.projectors` like anyone's. A status moves only from the one that it must have before, so a
fact that is shown again, or a person's edit in between, changes nothing.
"""

from __future__ import annotations

import logging
from typing import Final

from animus_core.projectors.hooks import FactView, Projector, Subjects, hookimpl

__all__ = ["SubjectProjector"]

_log = logging.getLogger("animus.projector")

MOVES: Final[dict[str, tuple[frozenset[str], str]]] = {
    # From `blocked` too: a run that an operator resumes had blocked its subject.
    "started": (frozenset({"ready", "blocked"}), "in-progress"),
    "completed": (frozenset({"in-progress"}), "done"),
    "failed": (frozenset({"in-progress"}), "blocked"),
    "blocked": (frozenset({"in-progress"}), "blocked"),
    # Ready and not cancelled: that a run was cancelled does not mean that the work is not wanted any more.
    "cancelled": (frozenset({"in-progress", "blocked"}), "ready"),
}
"""Fact kind → the statuses it may move from, and the one it moves to."""


class SubjectProjector:
    """Carries facts over to the statuses of subjects."""

    name = "subject"

    async def project(self, fact: FactView, subjects: Subjects) -> None:
        """Move the subject of `fact`, if its status is one that this fact may move it from."""
        move = MOVES.get(fact.kind)
        if move is None:
            return
        expected, to = move
        status = await subjects.status_of(fact.subject_kind, fact.subject_id)
        if status is None or status == to:
            return
        if status not in expected:
            _log.info("%s is %s: %s leaves it alone", fact.subject_id, status, fact.kind)
            return
        await subjects.move(fact.subject_kind, fact.subject_id, to)


@hookimpl
def animus_projector() -> Projector:
    """The projector of this module."""
    return SubjectProjector()
