"""The stages of a run between two records, each with what is known in it and nowhere else.

A runner decides by the stage, so what a stage always has is a field of its class and never has to be looked for.
Values only. Below lie the kinds of records.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from animus_core.journal import kinds

__all__ = ["At", "Blocked", "Concluded", "Ended", "Intended", "New", "Ready", "RunStatus", "Stage", "Started"]


class RunStatus(StrEnum):
    """A run as operators see it; on the control socket `blocked` is spelled `paused` (protocol §5)."""

    PENDING = "pending"
    RUNNING = "running"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """The names of the stages."""

    NEW = "new"
    READY = "ready"
    STARTED = "started"
    INTENDED = "intended"
    CONCLUDED = "concluded"
    BLOCKED = "blocked"
    ENDED = "ended"


@dataclass(frozen=True)
class New:
    """No runner has begun the run."""

    stage: ClassVar = Stage.NEW


@dataclass(frozen=True)
class Ready:
    """Between two phases; `decision` is what the last one came to, None before the first one."""

    stage: ClassVar = Stage.READY
    decision: kinds.PhaseDecision | None


@dataclass(frozen=True)
class Started:
    """An attempt of a phase has begun and nothing is intended yet.

    `tries` counts the attempts since the phase was entered. `repeated` is the outcome of the attempt that this one
    repeats (as a retry, after a recovery or a resume); None for a first try.
    """

    stage: ClassVar = Stage.STARTED
    phase: kinds.PhaseStarted
    tries: int = 1
    # Kept for the next intent: it may resume the session of the attempt that is repeated.
    repeated: kinds.PhaseOutcome | None = None


@dataclass(frozen=True)
class Intended:
    """The effect of an attempt may have happened, in part or in whole: only its outcome says more.

    `epoch` is that of the runner that intended it, `session_seq` the last record of its session that the journal has.
    """

    stage: ClassVar = Stage.INTENDED
    started: Started
    intent: kinds.PhaseIntent
    # Only the runner with this epoch knows that the effect has not begun; any later one must find out.
    epoch: int
    session_seq: int = 0

    @property
    def phase(self) -> kinds.PhaseStarted:
        """The attempt."""
        return self.started.phase


@dataclass(frozen=True)
class Concluded:
    """The effect is over; nothing was decided from its outcome."""

    stage: ClassVar = Stage.CONCLUDED
    started: Started
    outcome: kinds.PhaseOutcome

    @property
    def phase(self) -> kinds.PhaseStarted:
        """The attempt."""
        return self.started.phase


@dataclass(frozen=True)
class Blocked:
    """The run waits for a person, who decides about `concluded`."""

    stage: ClassVar = Stage.BLOCKED
    # Not only the attempt: when the order comes, the runner decides about this outcome again.
    concluded: Concluded
    blocked: kinds.WorkflowBlocked

    @property
    def phase(self) -> kinds.PhaseStarted:
        """The attempt."""
        return self.concluded.phase


@dataclass(frozen=True)
class Ended:
    """The run is over and stays so."""

    stage: ClassVar = Stage.ENDED
    status: RunStatus
    ended: kinds.WorkflowEnded


At = New | Ready | Started | Intended | Concluded | Blocked | Ended
