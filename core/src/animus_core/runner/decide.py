"""What a runner does next: pure functions from a plan and a state to one step. No I/O.

The verdict of a phase is decided here too. Everything comes from the journal and the plan, so a runner that takes over
decides as the one before it would have. Below lie the plan and the run's state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, OutcomeKind
from animus_core.workflow.definitions import Idempotency, PhaseMode, Risk
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase
from animus_core.workflow.run_stages import Blocked, Concluded, Ended, Intended, New, Ready, Started
from animus_core.workflow.run_state import RunState
from animus_protocol.models.verdict import Verdict

__all__ = ["AppendRecord", "Perform", "Reconcile", "Step", "Stop", "next_step"]

RECOVERY_TRIES: Final = 3
"""How often a lost effect is tried where that is safe: one crash may be chance, three have a cause."""
MAX_ATTEMPTS: Final = 100
"""Attempts of one phase in one run: more than any workflow needs, and an end for those that go round in circles."""
_RISKS: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
_REASON_CHARS: Final = 4000
"""Reasons go into prompts, tables and events; the full text is in the phase's outcome."""
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
    attempt: Intended


@dataclass(frozen=True)
class Reconcile:
    """Find out what became of the effect that an earlier runner intended, after its processes are proved dead."""

    phase: PlannedPhase
    attempt: Intended


@dataclass(frozen=True)
class Stop:
    """Nothing to do: the run is over or waits for a person."""


Step = AppendRecord | Perform | Reconcile | Stop


def next_step(plan: Plan, state: RunState, epoch: int, run_id: str) -> Step:
    """The one thing to do in `state`."""
    match state.at:
        case Blocked() | Ended():
            return Stop()
        case Intended() as attempt:
            # An order to cancel waits, too: the run must not end while nobody knows what its effect has done. Only the
            # runner that wrote the intent knows that the effect has not begun; for any other one it may be half done.
            phase = plan.phases[attempt.phase.ordinal]
            return Perform(phase, attempt) if attempt.epoch == epoch else Reconcile(phase, attempt)
        case at if state.order is not None and state.order.order is kinds.Order.CANCEL:
            return AppendRecord(Kind.WORKFLOW_CANCELLED, _cancelled(at, state.order))
        case New():
            phases = [phase.id for phase in plan.phases]
            started = kinds.WorkflowStarted(workflow_ref=plan.workflow_ref, phases=phases)
            return AppendRecord(Kind.WORKFLOW_STARTED, started)
        case Ready(decision):
            return _begin(plan, state, 0, "first") if decision is None else _follow(plan, state, decision)
        case Started() as started_attempt:
            return AppendRecord(Kind.PHASE_INTENT, _intent(plan, started_attempt))
        case Concluded() as concluded:
            return _conclude(plan, state, concluded, run_id)


def _cancelled(at: New | Ready | Started | Concluded, order: kinds.OperatorOrder) -> kinds.WorkflowEnded:
    match at:
        case Started(phase=phase) | Concluded(phase=phase):
            name: str | None = phase.phase
        case Ready(kinds.PhaseDecision(phase=decided)):
            name = decided
        case _:
            name = None
    return kinds.WorkflowEnded(phase=name, reason=order.feedback or "cancelled by an operator")


def _begin(plan: Plan, state: RunState, ordinal: int, cause: kinds.Cause, context: str | None = None) -> AppendRecord:
    phase = plan.phases[ordinal]
    attempt = state.attempts.get(phase.id, 0) + 1
    # `max_rework_attempts` and `retry` bound one phase each; two that send work to each other need a bound of the run.
    if attempt > MAX_ATTEMPTS:
        ended = kinds.WorkflowEnded(phase=phase.id, reason=f"{phase.id} was started {MAX_ATTEMPTS} times in this run")
        return AppendRecord(Kind.WORKFLOW_FAILED, ended)
    data = kinds.PhaseStarted(phase=phase.id, ordinal=ordinal, attempt=attempt, cause=cause, context=context)
    return AppendRecord(Kind.PHASE_STARTED, data)


def _again(
    plan: Plan, state: RunState, phase: kinds.PhaseStarted, cause: kinds.Cause, wait_s: float = 0
) -> AppendRecord:
    """The same phase once more. Why it was begun still holds, and what a person said about it is added."""
    feedback = None if state.order is None else state.order.feedback
    context = "\n\n".join(text for text in (phase.context, feedback) if text)
    record = _begin(plan, state, phase.ordinal, cause, context or None)
    return AppendRecord(record.kind, record.data, wait_s)


def _intent(plan: Plan, started: Started) -> kinds.PhaseIntent:
    phase = plan.phases[started.phase.ordinal]
    effect: Literal["agent", "command"] = "command" if phase.mode is PhaseMode.COMMAND else "agent"
    intent = kinds.PhaseIntent(phase=phase.id, attempt=started.phase.attempt, effect=effect)
    repeated = started.repeated
    # A session that the provider never saw has nothing to resume: `agent/resume` of it would be an unknown session.
    if repeated is not None and repeated.resumable and repeated.written and repeated.session_id is not None:
        return intent.model_copy(update={"mode": "resume", "session_id": repeated.session_id})
    return intent


def _conclude(plan: Plan, state: RunState, concluded: Concluded, run_id: str) -> Step:
    """What follows from an outcome. The order of these questions is the order of who may decide."""
    attempt, outcome = concluded.phase, concluded.outcome
    phase = plan.phases[attempt.ordinal]
    # A person has decided. The only order that gets here is "do it again": `next_step` has handled a cancellation.
    if state.order is not None:
        return _again(plan, state, attempt, "resumed")
    # Only an operator cancels an effect, and means the whole run: the run is cancelled, the phase has not failed.
    if outcome.result is OutcomeKind.CANCELLED:
        return AppendRecord(Kind.WORKFLOW_CANCELLED, kinds.WorkflowEnded(phase=phase.id, reason=outcome.text))
    # Before `retry`: that is for effects that are known to have failed. Whether this one has failed is not known.
    if outcome.result is OutcomeKind.LOST:
        return _recover(plan, state, concluded, run_id)
    # A finished effect is never retried. A bad verdict leads to rework, which has its own limit.
    if outcome.result is not OutcomeKind.FINISHED and concluded.started.tries < phase.retry.max_attempts:
        return _again(plan, state, attempt, "retry", wait_s=_backoff_s(phase, concluded.started.tries))
    return AppendRecord(Kind.PHASE_DECISION, judge(plan, phase, outcome))


def _recover(plan: Plan, state: RunState, concluded: Concluded, run_id: str) -> Step:
    """An effect of unknown extent is repeated only where that is safe; otherwise a person decides."""
    outcome, tries = concluded.outcome, concluded.started.tries
    phase = plan.phases[concluded.phase.ordinal]
    # It is safe if the effect never reached the provider, if its session can be resumed, or if the author declares that
    # doing it twice has the same result as doing it once.
    safe = not outcome.written or outcome.resumable or phase.idempotency is Idempotency.IDEMPOTENT
    # An effect that is lost every time must not be repeated for ever. An author who allows more retries than this
    # allows more recoveries, too.
    if safe and tries < max(RECOVERY_TRIES, phase.retry.max_attempts):
        return _again(plan, state, concluded.phase, "recovered")
    why = f"it was tried {tries} times" if safe else f"its idempotency is {phase.idempotency}"
    blocked = kinds.WorkflowBlocked(
        phase=phase.id,
        attempt=outcome.attempt,
        reason=f"phase {phase.id} was interrupted ({outcome.text}) and {why}: repeating it needs a decision",
        hint=f"Look at what it did, then run: animus workflow resume {run_id}",
    )
    return AppendRecord(Kind.WORKFLOW_BLOCKED, blocked)


def _backoff_s(phase: PlannedPhase, tries: int) -> float:
    """Seconds to wait after so many tries; a factor beyond every number waits for `max_s`, or for an order."""
    if not phase.retry.initial_s:
        return 0.0
    try:
        wait_s: float = phase.retry.initial_s * phase.retry.factor ** max(0, tries - 1)
    except OverflowError:
        wait_s = math.inf
    return wait_s if phase.retry.max_s is None else min(wait_s, phase.retry.max_s)


def judge(plan: Plan, phase: PlannedPhase, outcome: kinds.PhaseOutcome) -> kinds.PhaseDecision:
    """The verdict of a concluded phase and where it leads."""
    if phase.command is not None:
        decision = _command_verdict(phase, phase.command, outcome)
    else:
        decision = _agent_verdict(phase, outcome)
    return decision.model_copy(update={"target": _target(plan, phase, decision)})


def _command_verdict(phase: PlannedPhase, command: PlannedCommand, outcome: kinds.PhaseOutcome) -> kinds.PhaseDecision:
    passed = outcome.result is OutcomeKind.FINISHED and outcome.exit_code in command.success_exit_codes
    verdict = command.on_success_verdict if passed else command.on_failure_verdict
    reason = f"exit code {outcome.exit_code}" if outcome.result is OutcomeKind.FINISHED else str(outcome.result)
    # The tail of the output is what the next attempt needs to know; of a success nobody asks why.
    if not passed and outcome.text:
        reason += f"\n{outcome.text}"
    return _decision(phase, outcome, verdict, reason, "command")


def _agent_verdict(phase: PlannedPhase, outcome: kinds.PhaseOutcome) -> kinds.PhaseDecision:
    if outcome.result is not OutcomeKind.FINISHED:
        return _decision(phase, outcome, Verdict.FAIL, outcome.text or str(outcome.result), "default")
    decision = _read_decision(outcome.verdict)
    contract = phase.decision_contract
    if decision is None:
        # The verdict is the agent's, the exit code is the provider's: the exit code counts only without a verdict.
        if outcome.exit_code:
            reason = f"the agent ended with exit code {outcome.exit_code}"
            return _decision(phase, outcome, Verdict.FAIL, reason, "default")
        if contract.allow_missing_decision:
            return _decision(phase, outcome, Verdict.ADVANCE, "no decision was asked for", "default")
        return _decision(phase, outcome, Verdict.REWORK, "the agent gave no decision, and one is required", "contract")
    judged = _decision(phase, outcome, Verdict(decision["verdict"]), str(decision.get("reason") or ""), "agent")
    judged = judged.model_copy(
        update={
            "confidence": _confidence(decision.get("confidence")),
            "risk": decision.get("risk") if isinstance(decision.get("risk"), str) else None,
            "target": str(decision.get("target_phase") or ""),
        }
    )
    # The contract applies to advance only: the other verdicts do not claim that the work is good.
    broken = (
        _broken_clauses(phase, judged, decision.get("evidence")) if Verdict(judged.verdict) is Verdict.ADVANCE else []
    )
    if broken:
        reason = "the decision does not meet its contract: " + "; ".join(broken)
        return judged.model_copy(update={"verdict": "rework", "reason": reason, "source": "contract", "target": ""})
    return judged


def _read_decision(verdict: Any) -> dict[str, Any] | None:
    """What the agent decided, as a dict with a known `verdict`; None when that cannot be read."""
    decision = {"verdict": verdict} if isinstance(verdict, str) else verdict
    if isinstance(decision, dict) and decision.get("verdict") in list(Verdict):
        return decision
    return None


def _confidence(value: Any) -> float | None:
    # A model writes this number: anything else counts as not stated, and a number out of range as the nearest in it.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(min(1, max(0, value)))


def _broken_clauses(phase: PlannedPhase, decision: kinds.PhaseDecision, evidence: Any) -> list[str]:
    contract = phase.decision_contract
    broken = []
    # A confidence or a risk that the agent did not state breaks no clause: a model that must state one invents it.
    if decision.confidence is not None and decision.confidence < contract.min_confidence:
        broken.append(f"confidence {decision.confidence:g} is under {contract.min_confidence:g}")
    if decision.risk is not None and decision.risk not in _RISKS[: _RISKS.index(contract.max_risk) + 1]:
        broken.append(f"risk {decision.risk[:_SHOWN_CHARS]} is over {contract.max_risk}")
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


def _target(plan: Plan, phase: PlannedPhase, decision: kinds.PhaseDecision) -> str:
    """Where the verdict leads: what the agent asked for if it may, else the transition, else the natural place."""
    verdict = Verdict(decision.verdict)
    transition = phase.on_verdict.get(verdict)
    ids = [planned.id for planned in plan.phases]
    if transition is not None:
        asked = decision.target
        # The agent's target is only a wish: it must be a phase of this plan, and the author must have allowed it.
        allowed = not transition.allowed_targets or asked in transition.allowed_targets
        if asked in ids and transition.allow_agent_target and allowed:
            return asked
        return transition.target
    here = ids.index(phase.id)
    match verdict:
        case Verdict.ADVANCE | Verdict.SKIP:
            return ids[here + 1] if here + 1 < len(ids) else ""
        case Verdict.REWORK:
            # The phase that judges has rarely done the work itself: the nearest agent phase before it has.
            agents = [planned.id for planned in plan.phases[:here] if planned.mode is PhaseMode.AGENT]
            return agents[-1] if agents else phase.id
        case Verdict.FAIL:
            return ""


def _follow(plan: Plan, state: RunState, decision: kinds.PhaseDecision) -> AppendRecord:
    verdict = Verdict(decision.verdict)
    phase = next(planned for planned in plan.phases if planned.id == decision.phase)
    # A failure that leads to another phase sends work back like a rework, and has the same limit.
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
