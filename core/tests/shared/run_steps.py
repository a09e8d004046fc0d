"""Plans of a few phases, and the states that their runs come to: for tests of what a run does next."""

from __future__ import annotations

from typing import Any

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, OutcomeKind
from animus_core.runner.decide import AppendRecord, Perform, Step, next_step
from animus_core.workflow.definitions import PhaseMode
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase
from animus_core.workflow.run_stages import Intended
from animus_core.workflow.run_state import RunState, apply

EPOCH = 1


def agent(phase_id: str, **more: Any) -> PlannedPhase:
    return PlannedPhase(id=phase_id, mode=PhaseMode.AGENT, tool="mock", **more)


def command(phase_id: str, spec: dict[str, Any] | None = None, **more: Any) -> PlannedPhase:
    planned = PlannedCommand(program="true", **(spec or {}))
    return PlannedPhase(id=phase_id, mode=PhaseMode.COMMAND, command=planned, **more)


def plan_of(*phases: PlannedPhase) -> Plan:
    return Plan(workflow_ref="w", name="w", phases=phases)


def step_of(plan: Plan, state: RunState, epoch: int = EPOCH) -> Step:
    return next_step(plan, state, epoch, "run-1")


def take(state: RunState, record: AppendRecord, epoch: int = EPOCH) -> RunState:
    return apply(state, record.kind, record.data, epoch)


def until_performing(plan: Plan, state: RunState | None = None, epoch: int = EPOCH) -> RunState:
    state = state or RunState()
    while isinstance(step := step_of(plan, state, epoch), AppendRecord):
        state = take(state, step, epoch)
    assert isinstance(step, Perform)
    return state


def ended_with(state: RunState, result: str = "finished", **more: Any) -> RunState:
    assert isinstance(state.at, Intended)
    facts = {"phase": state.at.intent.phase, "attempt": state.at.intent.attempt, "result": OutcomeKind(result), **more}
    return apply(state, Kind.PHASE_OUTCOME, kinds.PhaseOutcome.model_validate(facts), EPOCH)


def after(plan: Plan, *outcomes: dict[str, Any]) -> RunState:
    """The state once each phase in turn had one of these outcomes."""
    state = RunState()
    for facts in outcomes:
        state = ended_with(until_performing(plan, state), **facts)
    return state


def decided(plan: Plan, *outcomes: dict[str, Any]) -> kinds.PhaseDecision:
    step = step_of(plan, after(plan, *outcomes))
    assert isinstance(step, AppendRecord)
    assert isinstance(step.data, kinds.PhaseDecision), step
    return step.data


def says(verdict: Any, **more: Any) -> dict[str, Any]:
    return {"verdict": {"verdict": verdict, **more}}


def record_of(step: Step) -> AppendRecord:
    assert isinstance(step, AppendRecord), step
    return step


def started_by(step: Step) -> kinds.PhaseStarted:
    data = record_of(step).data
    assert isinstance(data, kinds.PhaseStarted), data
    return data
