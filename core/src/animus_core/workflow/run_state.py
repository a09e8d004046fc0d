"""The state of a run: a table of stages, and the fold of its journal into a state.

A record that the table does not allow raises and changes nothing. Below lie the stages and the kinds of records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from animus_core.errors import Internal
from animus_core.journal import kinds
from animus_core.journal.kinds import Kind
from animus_core.workflow.run_stages import (
    At,
    Blocked,
    Concluded,
    Ended,
    Intended,
    New,
    Ready,
    RunStatus,
    Stage,
    Started,
)

__all__ = ["MOVES", "IllegalRecord", "RunState", "apply"]


class IllegalRecord(Internal):
    """A record that does not follow from the ones before it: the journal or its writer is faulty."""


_ENDS: Final = {
    Kind.WORKFLOW_COMPLETED: RunStatus.COMPLETED,
    Kind.WORKFLOW_FAILED: RunStatus.FAILED,
    Kind.WORKFLOW_CANCELLED: RunStatus.CANCELLED,
}

MOVES: Final[dict[tuple[Stage, Kind], Stage]] = {
    (Stage.NEW, Kind.WORKFLOW_STARTED): Stage.READY,
    (Stage.READY, Kind.PHASE_STARTED): Stage.STARTED,
    (Stage.STARTED, Kind.PHASE_INTENT): Stage.INTENDED,
    (Stage.INTENDED, Kind.AGENT_RECORD): Stage.INTENDED,
    (Stage.INTENDED, Kind.PHASE_OUTCOME): Stage.CONCLUDED,
    # Without a decision in between: the attempt failed and is tried again, or an operator said so.
    (Stage.CONCLUDED, Kind.PHASE_STARTED): Stage.STARTED,
    (Stage.CONCLUDED, Kind.PHASE_DECISION): Stage.READY,
    (Stage.CONCLUDED, Kind.WORKFLOW_BLOCKED): Stage.BLOCKED,
    # Back to the outcome and not to the next attempt: the runner decides once more, with the order in hand.
    (Stage.BLOCKED, Kind.OPERATOR_ORDER): Stage.CONCLUDED,
    # Not from INTENDED: an effect may have happened, and its outcome comes first, whatever becomes of the run.
    **{(stage, kind): Stage.ENDED for stage in (Stage.READY, Stage.CONCLUDED) for kind in _ENDS},
    # Nothing was done yet, so nothing has to be concluded.
    (Stage.NEW, Kind.WORKFLOW_CANCELLED): Stage.ENDED,
    (Stage.STARTED, Kind.WORKFLOW_CANCELLED): Stage.ENDED,
    # A new runner may take over at any moment; after the end there is nothing to take over.
    **{(stage, Kind.RUNNER_STARTED): stage for stage in Stage if stage is not Stage.ENDED},
    **{(stage, Kind.OPERATOR_ORDER): stage for stage in Stage if stage not in (Stage.BLOCKED, Stage.ENDED)},
}
"""Every legal record, from each stage; what is not here raises IllegalRecord."""

_AGAIN: Final = ("retry", "recovered", "resumed")
"""The causes of an attempt that repeats the one before it, and therefore counts with it."""


@dataclass(frozen=True)
class RunState:
    """What the records so far amount to: the stage, and what is kept from stage to stage.

    `order` is what an operator decided and nobody has carried out yet. `attempts` counts each phase's attempts over the
    whole run, `reworks` how often each phase sent work back.
    """

    at: At = field(default_factory=New)
    order: kinds.OperatorOrder | None = None
    attempts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    reworks: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def stage(self) -> Stage:
        """The name of the stage."""
        return self.at.stage

    @property
    def status(self) -> RunStatus:
        """The run as operators see it."""
        match self.at:
            case New():
                return RunStatus.PENDING
            case Blocked():
                return RunStatus.BLOCKED
            case Ended(status):
                return status
            case _:
                return RunStatus.RUNNING


def apply(state: RunState, kind: str, data: kinds.RecordData | None, epoch: int) -> RunState:
    """The state after one more record. Raises IllegalRecord for one that may not come here.

    A kind that this version does not know changes nothing.
    """
    # A newer version wrote it: what it adds does not change this table.
    if data is None:
        return state
    if (state.stage, Kind(kind)) not in MOVES:
        raise IllegalRecord(f"a {kind} record cannot follow in stage {state.stage}")
    _check_subject(state, kind, data)
    at = _move(state.at, Kind(kind), data, epoch)
    match data:
        case kinds.PhaseStarted():
            attempts = MappingProxyType({**state.attempts, data.phase: data.attempt})
            return replace(state, at=at, order=None, attempts=attempts)  # the new attempt carries the order out
        case kinds.PhaseDecision():
            return replace(state, at=at, reworks=_count_rework(state.reworks, data))
        case kinds.OperatorOrder() if isinstance(state.at, Blocked) or data.order is kinds.Order.CANCEL:
            return replace(state, at=at, order=data)
        case _:  # an order to resume a run that does not wait for a person has no effect
            return replace(state, at=at)


def _move(at: At, kind: Kind, data: kinds.RecordData, epoch: int) -> At:
    """The stage that a legal record leads to; records about the process alone leave it as it is."""
    match at, data:
        case New(), kinds.WorkflowStarted():
            return Ready(None)
        case Concluded(started, outcome), kinds.PhaseStarted() if data.cause in _AGAIN:
            return Started(data, started.tries + 1, repeated=outcome)
        case Ready() | Concluded(), kinds.PhaseStarted():
            return Started(data)
        case Started(), kinds.PhaseIntent():
            return Intended(at, data, epoch)
        case Intended(), kinds.AgentRecord():
            return replace(at, session_seq=data.session_seq)
        case Intended(started), kinds.PhaseOutcome():
            return Concluded(started, data)
        case Concluded(), kinds.PhaseDecision():
            return Ready(data)
        case Concluded(), kinds.WorkflowBlocked():
            return Blocked(at, data)
        case Blocked(concluded), kinds.OperatorOrder():
            return concluded
        case _, kinds.WorkflowEnded():
            return Ended(_ENDS[kind], data)
        case _:
            return at


def _check_subject(state: RunState, kind: str, data: kinds.RecordData) -> None:
    """A record is about the attempt that is going on, or begins the next one of its phase."""
    match state.at, data:
        case _, kinds.PhaseStarted():
            due = (data.phase, state.attempts.get(data.phase, 0) + 1)
        case (
            Started(phase=phase) | Intended(phase=phase) | Concluded(phase=phase),
            kinds.PhaseIntent()
            | kinds.AgentRecord()
            | kinds.PhaseOutcome()
            | kinds.PhaseDecision()
            | kinds.WorkflowBlocked(),
        ):
            due = (phase.phase, phase.attempt)
        case _:
            return
    if (data.phase, data.attempt) != due:
        expected = f"attempt {due[1]} of {due[0]}"
        raise IllegalRecord(f"a {kind} record of attempt {data.attempt} of {data.phase}, but {expected} is due")


def _count_rework(reworks: Mapping[str, int], decision: kinds.PhaseDecision) -> Mapping[str, int]:
    """Count a verdict of rework, and a failure that leads to another phase: both may go round for ever."""
    if decision.verdict == "rework" or (decision.verdict == "fail" and decision.target):
        return MappingProxyType({**reworks, decision.phase: reworks.get(decision.phase, 0) + 1})
    return reworks
