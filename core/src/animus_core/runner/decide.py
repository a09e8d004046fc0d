"""What a runner does next: pure functions from a plan and a state to one step. No I/O.

Called by `execute.py`; below lie the plan and the run's state. The verdict of a phase is decided here too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, OutcomeKind
from animus_core.workflow.definitions import Idempotency, PhaseMode, Risk, Verdict
from animus_core.workflow.plan import Plan, PlannedPhase
from animus_core.workflow.run_state import RunState, Stage

__all__ = ["AppendRecord", "Perform", "Settle", "Step", "Stop", "next_step"]

RECOVERY_TRIES: Final = 3
MAX_ATTEMPTS: Final = 100
_RISKS: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
_REASON_CHARS: Final = 4000
_SHOWN_CHARS: Final = 40


@dataclass(frozen=True)
class AppendRecord:
    """Journal this, then ask again. `wait_s`: pause before it (the backoff of a retry)."""

    kind: Kind
    data: kinds.RecordData
    wait_s: float = 0.0


@dataclass(frozen=True)
class Perform:
    """Do the effect that this runner intended."""

    phase: PlannedPhase


@dataclass(frozen=True)
class Settle:
    """Find out what became of the effect that an earlier runner intended, after its processes are proved dead."""

    phase: PlannedPhase


@dataclass(frozen=True)
class Stop:
    """Nothing to do: the run is over or waits for a person."""


Step = AppendRecord | Perform | Settle | Stop


def next_step(plan: Plan, state: RunState, epoch: int, run_id: str) -> Step:
    """The one thing to do in `state`."""
    if _called_off(state) and state.stage not in (Stage.INTENDED, Stage.BLOCKED, Stage.ENDED):
        return AppendRecord(Kind.WORKFLOW_CANCELLED, _cancelled(state))
    match state.stage:
        case Stage.NEW:
            phases = [phase.id for phase in plan.phases]
            started = kinds.WorkflowStarted(workflow_ref=plan.workflow_ref, phases=phases)
            return AppendRecord(Kind.WORKFLOW_STARTED, started)
        case Stage.READY:
            return _begin(plan, state, 0, "first") if state.decision is None else _follow(plan, state, state.decision)
        case Stage.STARTED:
            return AppendRecord(Kind.PHASE_INTENT, _intent(plan, state))
        case Stage.INTENDED:
            phase = _current(plan, state)
            return Perform(phase) if state.intent_epoch == epoch else Settle(phase)
        case Stage.CONCLUDED:
            return _conclude(plan, state, run_id)
        case Stage.BLOCKED | Stage.ENDED:
            return Stop()


def _called_off(state: RunState) -> bool:
    return state.order is not None and state.order.order is kinds.Order.CANCEL


def _cancelled(state: RunState) -> kinds.WorkflowEnded:
    feedback = None if state.order is None else state.order.feedback
    phase = None if state.phase is None else state.phase.phase
    return kinds.WorkflowEnded(phase=phase, reason=feedback or "cancelled by an operator")


def _current(plan: Plan, state: RunState) -> PlannedPhase:
    assert state.phase is not None  # noqa: S101 - the table of stages guarantees it
    return plan.phases[state.phase.ordinal]


def _begin(plan: Plan, state: RunState, ordinal: int, cause: kinds.Cause, context: str | None = None) -> AppendRecord:
    phase = plan.phases[ordinal]
    attempt = state.attempts.get(phase.id, 0) + 1
    if attempt > MAX_ATTEMPTS:
        ended = kinds.WorkflowEnded(phase=phase.id, reason=f"{phase.id} was started {MAX_ATTEMPTS} times in this run")
        return AppendRecord(Kind.WORKFLOW_FAILED, ended)
    data = kinds.PhaseStarted(phase=phase.id, ordinal=ordinal, attempt=attempt, cause=cause, context=context)
    return AppendRecord(Kind.PHASE_STARTED, data)


def _again(plan: Plan, state: RunState, cause: kinds.Cause, wait_s: float = 0.0) -> AppendRecord:
    assert state.phase is not None  # noqa: S101 - the table of stages guarantees it
    feedback = None if state.order is None else state.order.feedback
    context = "\n\n".join(text for text in (state.phase.context, feedback) if text)
    record = _begin(plan, state, state.phase.ordinal, cause, context or None)
    return AppendRecord(record.kind, record.data, wait_s)


def _intent(plan: Plan, state: RunState) -> kinds.PhaseIntent:
    phase = _current(plan, state)
    assert state.phase is not None  # noqa: S101 - the table of stages guarantees it
    effect: Literal["agent", "command"] = "command" if phase.mode is PhaseMode.COMMAND else "agent"
    intent = kinds.PhaseIntent(phase=phase.id, attempt=state.phase.attempt, effect=effect)
    lost = state.lost
    if lost is not None and lost.resumable and lost.written and lost.session_id is not None:
        return intent.model_copy(update={"mode": "resume", "session_id": lost.session_id})
    return intent


def _conclude(plan: Plan, state: RunState, run_id: str) -> Step:
    phase, outcome = _current(plan, state), state.outcome
    assert outcome is not None  # noqa: S101 - the table of stages guarantees it
    if state.order is not None:
        return _again(plan, state, "resumed")
    if outcome.result is OutcomeKind.CANCELLED:
        return AppendRecord(Kind.WORKFLOW_CANCELLED, kinds.WorkflowEnded(phase=phase.id, reason=outcome.text))
    if outcome.result is OutcomeKind.LOST:
        return _recover(plan, state, phase, outcome, run_id)
    if outcome.result is not OutcomeKind.FINISHED and state.tries < phase.retry.max_attempts:
        return _again(plan, state, "retry", wait_s=_backoff_s(phase, state.tries))
    return AppendRecord(Kind.PHASE_DECISION, judge(plan, state, phase, outcome))


def _recover(plan: Plan, state: RunState, phase: PlannedPhase, outcome: kinds.PhaseOutcome, run_id: str) -> Step:
    """An effect of unknown extent is repeated only where that is safe; otherwise a person decides."""
    safe = not outcome.written or outcome.resumable or phase.idempotency is Idempotency.IDEMPOTENT
    tries = max(RECOVERY_TRIES, phase.retry.max_attempts)
    if safe and state.tries < tries:
        return _again(plan, state, "recovered")
    why = f"it was tried {state.tries} times" if safe else f"its idempotency is {phase.idempotency}"
    blocked = kinds.WorkflowBlocked(
        phase=phase.id,
        attempt=outcome.attempt,
        reason=f"phase {phase.id} was interrupted ({outcome.text}) and {why}: repeating it needs a decision",
        hint=f"Look at what it did, then run: animus workflow resume {run_id}",
    )
    return AppendRecord(Kind.WORKFLOW_BLOCKED, blocked)


def _backoff_s(phase: PlannedPhase, tries: int) -> float:
    if not phase.retry.initial_s:
        return 0.0
    try:
        wait_s: float = phase.retry.initial_s * phase.retry.factor ** max(0, tries - 1)
    except OverflowError:
        wait_s = math.inf
    return wait_s if phase.retry.max_s is None else min(wait_s, phase.retry.max_s)


def judge(plan: Plan, state: RunState, phase: PlannedPhase, outcome: kinds.PhaseOutcome) -> kinds.PhaseDecision:
    """The verdict of a concluded phase and where it leads."""
    decision = _command_verdict(phase, outcome) if phase.command else _agent_verdict(phase, outcome)
    return decision.model_copy(update={"target": _target(plan, state, phase, decision)})


def _command_verdict(phase: PlannedPhase, outcome: kinds.PhaseOutcome) -> kinds.PhaseDecision:
    command = phase.command
    assert command is not None  # noqa: S101 - the caller looked
    passed = outcome.result is OutcomeKind.FINISHED and outcome.exit_code in command.success_exit_codes
    verdict = command.on_success_verdict if passed else command.on_failure_verdict
    reason = f"exit code {outcome.exit_code}" if outcome.result is OutcomeKind.FINISHED else str(outcome.result)
    if not passed and outcome.text:
        reason += f"\n{outcome.text}"
    return _decision(phase, outcome, verdict, reason, "command")


def _agent_verdict(phase: PlannedPhase, outcome: kinds.PhaseOutcome) -> kinds.PhaseDecision:
    if outcome.result is not OutcomeKind.FINISHED:
        return _decision(phase, outcome, Verdict.FAIL, outcome.text or str(outcome.result), "default")
    said = _said(outcome.verdict)
    contract = phase.decision_contract
    if said is None:
        if outcome.exit_code:
            reason = f"the agent ended with exit code {outcome.exit_code}"
            return _decision(phase, outcome, Verdict.FAIL, reason, "default")
        if contract.allow_missing_decision:
            return _decision(phase, outcome, Verdict.ADVANCE, "no decision was asked for", "default")
        return _decision(phase, outcome, Verdict.REWORK, "the agent gave no decision, and one is required", "contract")
    decision = _decision(phase, outcome, Verdict(said["verdict"]), str(said.get("reason") or ""), "agent")
    decision = decision.model_copy(
        update={
            "confidence": _confidence(said.get("confidence")),
            "risk": said.get("risk") if isinstance(said.get("risk"), str) else None,
            "target": str(said.get("target_phase") or ""),
        }
    )
    broken = _broken_clauses(phase, decision, said) if Verdict(decision.verdict) is Verdict.ADVANCE else []
    if broken:
        reason = "the decision does not meet its contract: " + "; ".join(broken)
        return decision.model_copy(update={"verdict": "rework", "reason": reason, "source": "contract", "target": ""})
    return decision


def _said(verdict: Any) -> dict[str, Any] | None:
    """What the agent decided, as a dict with a known `verdict`; None when it decided nothing readable."""
    said = {"verdict": verdict} if isinstance(verdict, str) else verdict
    if isinstance(said, dict) and said.get("verdict") in list(Verdict):
        return said
    return None


def _confidence(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(min(1, max(0, value)))


def _broken_clauses(phase: PlannedPhase, decision: kinds.PhaseDecision, said: dict[str, Any]) -> list[str]:
    contract = phase.decision_contract
    broken = []
    if decision.confidence is not None and decision.confidence < contract.min_confidence:
        broken.append(f"confidence {decision.confidence:g} is under {contract.min_confidence:g}")
    if decision.risk is not None and decision.risk not in _RISKS[: _RISKS.index(contract.max_risk) + 1]:
        broken.append(f"risk {decision.risk[:_SHOWN_CHARS]} is over {contract.max_risk}")
    evidence = said.get("evidence")
    given = (
        [row.get("kind") if isinstance(row, dict) else row for row in evidence] if isinstance(evidence, list) else []
    )
    missing = [kind for kind in contract.required_evidence if kind not in given]
    if missing:
        broken.append(f"evidence is missing: {', '.join(missing)}")
    return broken


def _decision(
    phase: PlannedPhase,
    outcome: kinds.PhaseOutcome,
    verdict: Verdict,
    reason: str,
    source: Literal["agent", "command", "default", "contract"],
) -> kinds.PhaseDecision:
    return kinds.PhaseDecision(
        phase=phase.id, attempt=outcome.attempt, verdict=verdict.value, reason=reason[:_REASON_CHARS], source=source
    )


def _target(plan: Plan, state: RunState, phase: PlannedPhase, decision: kinds.PhaseDecision) -> str:
    """Where the verdict leads: what the agent asked for if it may, else the transition, else the natural place."""
    verdict = Verdict(decision.verdict)
    transition = phase.on_verdict.get(verdict)
    ids = [planned.id for planned in plan.phases]
    if transition is not None:
        asked = decision.target
        allowed = not transition.allowed_targets or asked in transition.allowed_targets
        if asked in ids and transition.allow_agent_target and allowed:
            return asked
        return transition.target
    here = ids.index(phase.id)
    match verdict:
        case Verdict.ADVANCE | Verdict.SKIP:
            return ids[here + 1] if here + 1 < len(ids) else ""
        case Verdict.REWORK:
            agents = [planned.id for planned in plan.phases[:here] if planned.mode is PhaseMode.AGENT]
            return agents[-1] if agents else phase.id
        case Verdict.FAIL:
            return ""


def _follow(plan: Plan, state: RunState, decision: kinds.PhaseDecision) -> AppendRecord:
    verdict = Verdict(decision.verdict)
    phase = next(planned for planned in plan.phases if planned.id == decision.phase)
    sent_back = verdict is Verdict.REWORK or (verdict is Verdict.FAIL and bool(decision.target))
    if sent_back and state.reworks.get(phase.id, 0) > phase.max_rework_attempts:
        reason = f"{phase.id} asked for rework more than {phase.max_rework_attempts} times: {decision.reason}"
        return AppendRecord(Kind.WORKFLOW_FAILED, kinds.WorkflowEnded(phase=phase.id, reason=reason))
    if decision.target:
        ordinal = next(i for i, planned in enumerate(plan.phases) if planned.id == decision.target)
        return _begin(plan, state, ordinal, *(("rework", decision.reason) if sent_back else ("next", None)))
    if verdict in (Verdict.ADVANCE, Verdict.SKIP):
        return AppendRecord(Kind.WORKFLOW_COMPLETED, kinds.WorkflowEnded())
    return AppendRecord(Kind.WORKFLOW_FAILED, kinds.WorkflowEnded(phase=phase.id, reason=decision.reason))
