"""The state of a run: a table of stages, and the fold of its journal into a state.

A record that the table does not allow raises and changes nothing. Below lie the kinds of records.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from animus_core.errors import Internal
from animus_core.journal import kinds
from animus_core.journal.kinds import Kind

__all__ = ["IllegalRecord", "RunState", "RunStatus", "Stage", "apply"]


class IllegalRecord(Internal):
    """A record that does not follow from the ones before it: the journal or its writer is faulty."""


class RunStatus(StrEnum):
    """A run as operators see it; on the control socket `blocked` is spelled `paused` (protocol §5)."""

    PENDING = "pending"
    RUNNING = "running"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """Where the runner is between two records."""

    NEW = "new"
    READY = "ready"
    STARTED = "started"
    INTENDED = "intended"
    CONCLUDED = "concluded"
    BLOCKED = "blocked"
    ENDED = "ended"


_ENDS: Final = (Kind.WORKFLOW_COMPLETED, Kind.WORKFLOW_FAILED, Kind.WORKFLOW_CANCELLED)

MOVES: Final[dict[tuple[Stage, Kind], Stage]] = {
    (Stage.NEW, Kind.WORKFLOW_STARTED): Stage.READY,
    (Stage.READY, Kind.PHASE_STARTED): Stage.STARTED,
    (Stage.STARTED, Kind.PHASE_INTENT): Stage.INTENDED,
    (Stage.INTENDED, Kind.AGENT_RECORD): Stage.INTENDED,
    (Stage.INTENDED, Kind.PHASE_OUTCOME): Stage.CONCLUDED,
    (Stage.CONCLUDED, Kind.PHASE_STARTED): Stage.STARTED,
    (Stage.CONCLUDED, Kind.PHASE_DECISION): Stage.READY,
    (Stage.CONCLUDED, Kind.WORKFLOW_BLOCKED): Stage.BLOCKED,
    (Stage.BLOCKED, Kind.OPERATOR_ORDER): Stage.CONCLUDED,
    **{(stage, kind): Stage.ENDED for stage in (Stage.READY, Stage.CONCLUDED) for kind in _ENDS},
    (Stage.NEW, Kind.WORKFLOW_CANCELLED): Stage.ENDED,
    (Stage.STARTED, Kind.WORKFLOW_CANCELLED): Stage.ENDED,
    **{(stage, Kind.RUNNER_STARTED): stage for stage in Stage if stage is not Stage.ENDED},
    **{(stage, Kind.OPERATOR_ORDER): stage for stage in Stage if stage not in (Stage.BLOCKED, Stage.ENDED)},
}
"""Every legal record, from each stage; what is not here raises IllegalRecord."""

_STATUS_BY_STAGE: Final = {Stage.NEW: RunStatus.PENDING, Stage.BLOCKED: RunStatus.BLOCKED}
_STATUS_BY_END: Final = {
    Kind.WORKFLOW_COMPLETED: RunStatus.COMPLETED,
    Kind.WORKFLOW_FAILED: RunStatus.FAILED,
    Kind.WORKFLOW_CANCELLED: RunStatus.CANCELLED,
}


@dataclass(frozen=True)
class RunState:
    """What the records so far amount to.

    `order` is what an operator decided and nobody has carried out yet. `attempts` counts each phase's attempts over the
    whole run, `tries` those since the phase was entered, `reworks` how often each phase sent work back. `intent_epoch`
    is that of the runner that intended the open effect, `lost` the outcome of the attempt that this one makes good.
    """

    stage: Stage = Stage.NEW
    status: RunStatus = RunStatus.PENDING
    phase: kinds.PhaseStarted | None = None
    intent: kinds.PhaseIntent | None = None
    intent_epoch: int = 0
    session_seq: int = 0
    outcome: kinds.PhaseOutcome | None = None
    lost: kinds.PhaseOutcome | None = None
    decision: kinds.PhaseDecision | None = None
    order: kinds.OperatorOrder | None = None
    blocked: kinds.WorkflowBlocked | None = None
    ended: kinds.WorkflowEnded | None = None
    tries: int = 0
    attempts: MappingProxyType[str, int] = field(default_factory=lambda: MappingProxyType({}))
    reworks: MappingProxyType[str, int] = field(default_factory=lambda: MappingProxyType({}))


def apply(state: RunState, kind: str, data: kinds.RecordData | None, epoch: int) -> RunState:
    """The state after one more record. Raises IllegalRecord for one that may not come here.

    A kind that this version does not know changes nothing.
    """
    if data is None:
        return state
    stage = MOVES.get((state.stage, Kind(kind)))
    if stage is None:
        raise IllegalRecord(f"a {kind} record cannot follow in stage {state.stage}")
    _check_subject(state, kind, data)
    status = _STATUS_BY_END.get(Kind(kind)) or _STATUS_BY_STAGE.get(stage, RunStatus.RUNNING)
    return replace(_with(state, data, epoch), stage=stage, status=status)


def _check_subject(state: RunState, kind: str, data: kinds.RecordData) -> None:
    """A record is about the attempt that is going on, or begins the next one of its phase."""
    match data:
        case kinds.PhaseStarted():
            going_on: tuple[str, int] | None = (data.phase, state.attempts.get(data.phase, 0) + 1)
        case (
            kinds.PhaseIntent()
            | kinds.AgentRecord()
            | kinds.PhaseOutcome()
            | kinds.PhaseDecision()
            | kinds.WorkflowBlocked()
        ):
            going_on = None if state.phase is None else (state.phase.phase, state.phase.attempt)
        case _:
            return
    if (data.phase, data.attempt) != going_on:
        expected = "no attempt" if going_on is None else f"attempt {going_on[1]} of {going_on[0]}"
        raise IllegalRecord(f"a {kind} record of attempt {data.attempt} of {data.phase}, but {expected} is due")


def _with(state: RunState, data: kinds.RecordData, epoch: int) -> RunState:
    match data:
        case kinds.PhaseStarted():
            again = data.cause in ("retry", "recovered", "resumed")
            return replace(
                state,
                phase=data,
                intent=None,
                outcome=None,
                lost=state.outcome if again else None,
                decision=None,
                order=None,
                blocked=None,
                session_seq=0,
                tries=state.tries + 1 if again else 1,
                attempts=MappingProxyType({**state.attempts, data.phase: data.attempt}),
            )
        case kinds.PhaseIntent():
            return replace(state, intent=data, intent_epoch=epoch)
        case kinds.AgentRecord():
            return replace(state, session_seq=data.session_seq)
        case kinds.PhaseOutcome():
            return replace(state, outcome=data)
        case kinds.PhaseDecision():
            reworks = dict(state.reworks)
            if data.verdict == "rework" or (data.verdict == "fail" and data.target):
                reworks[data.phase] = reworks.get(data.phase, 0) + 1
            return replace(state, decision=data, reworks=MappingProxyType(reworks))
        case kinds.OperatorOrder():
            # Nothing waits for a person in the other stages, so only the end of the run is left to be ordered there.
            if state.stage is not Stage.BLOCKED and data.order is not kinds.Order.CANCEL:
                return state
            return replace(state, order=data, blocked=None)
        case kinds.WorkflowBlocked():
            return replace(state, blocked=data)
        case kinds.WorkflowEnded():
            return replace(state, ended=data)
        case _:
            return state
