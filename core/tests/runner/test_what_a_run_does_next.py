"""What a run does next is a pure function of its plan and its records: verdicts, decisions, commands."""

from __future__ import annotations

import math
from typing import Any

import pytest

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind
from animus_core.runner.decide import AppendRecord, Perform, Reconcile, Stop
from animus_core.workflow.definitions import DecisionContract, Risk, Transition
from animus_core.workflow.run_stages import Stage
from animus_core.workflow.run_state import RunState, apply
from animus_protocol.models.verdict import Verdict
from run_steps import (
    EPOCH,
    after,
    agent,
    command,
    decided,
    ended_with,
    plan_of,
    record_of,
    says,
    started_by,
    step_of,
    take,
    until_performing,
)


def test_a_run_begins_intends_and_performs_its_first_phase() -> None:
    plan = plan_of(agent("build"), command("test"))
    state, seen = RunState(), []
    while isinstance(step := step_of(plan, state), AppendRecord):
        seen.append(step.kind)
        state = take(state, step)
    assert seen == [Kind.WORKFLOW_STARTED, Kind.PHASE_STARTED, Kind.PHASE_INTENT]
    assert step == Perform(plan.phases[0], state.at)
    assert (state.at.intent.effect, state.at.intent.mode) == ("agent", "run")


def test_what_an_earlier_runner_intended_is_reconciled_and_never_performed() -> None:
    plan = plan_of(agent("build"))
    state = until_performing(plan)
    assert step_of(plan, state, epoch=2) == Reconcile(plan.phases[0], state.at)


def test_an_ended_or_blocked_run_has_nothing_to_do() -> None:
    plan = plan_of(command("build"))
    blocked = after(plan, {"result": "lost"})
    blocked = take(blocked, record_of(step_of(plan, blocked)))
    assert blocked.stage is Stage.BLOCKED
    assert isinstance(step_of(plan, blocked), Stop)
    ended = apply(RunState(), Kind.WORKFLOW_CANCELLED, kinds.WorkflowEnded(), EPOCH)
    assert isinstance(step_of(plan, ended), Stop)


# == verdicts ==


@pytest.mark.parametrize(
    ("verdict", "target"), [("advance", "review"), ("skip", "review"), ("rework", "draft"), ("fail", "")]
)
def test_without_a_transition_a_verdict_leads_to_its_natural_place(verdict: str, target: str) -> None:
    plan = plan_of(agent("draft"), agent("build"), agent("review"))
    decision = decided(plan, says("advance"), says(verdict))
    assert (decision.verdict, decision.target, decision.source) == (verdict, target, "agent")


def test_rework_of_a_command_goes_to_the_nearest_agent_before_it() -> None:
    plan = plan_of(agent("a"), agent("b"), command("lint"), command("test", {"on_failure_verdict": Verdict.REWORK}))
    decision = decided(plan, {}, {}, {"exit_code": 0}, {"exit_code": 1, "text": "2 failed"})
    assert (decision.verdict, decision.target, decision.source) == ("rework", "b", "command")
    assert decision.reason == "exit code 1\n2 failed"


def test_rework_without_an_agent_before_repeats_the_phase_itself() -> None:
    plan = plan_of(command("test", {"on_failure_verdict": Verdict.REWORK}))
    assert decided(plan, {"exit_code": 1}).target == "test"


@pytest.mark.parametrize("verdict", Verdict)
def test_a_transition_goes_before_the_natural_place(verdict: Verdict) -> None:
    plan = plan_of(agent("build", on_verdict={verdict: Transition(target="fix")}), agent("review"), agent("fix"))
    assert decided(plan, says(verdict.value)).target == "fix"


@pytest.mark.parametrize(
    ("verdict", "end"),
    [
        ("advance", Kind.WORKFLOW_COMPLETED),
        ("skip", Kind.WORKFLOW_COMPLETED),
        ("rework", Kind.WORKFLOW_FAILED),
        ("fail", Kind.WORKFLOW_FAILED),
    ],
)
def test_an_empty_target_ends_the_run(verdict: str, end: Kind) -> None:
    plan = plan_of(agent("build", on_verdict={Verdict(verdict): Transition(target="")}), agent("review"))
    state = after(plan, says(verdict, reason="because"))
    state = take(state, record_of(step_of(plan, state)))
    assert record_of(step_of(plan, state)).kind is end


def test_after_the_last_phase_the_run_is_complete() -> None:
    plan = plan_of(command("build"))
    state = after(plan, {"exit_code": 0})
    state = take(state, record_of(step_of(plan, state)))
    assert record_of(step_of(plan, state)).kind is Kind.WORKFLOW_COMPLETED


@pytest.mark.parametrize(
    ("allow", "allowed", "asked", "target"),
    [
        (True, (), "draft", "draft"),
        (True, ("draft",), "draft", "draft"),
        (True, ("fix",), "draft", "review"),
        (False, (), "draft", "review"),
        (True, (), "nowhere", "review"),
        (True, (), "", "review"),
        (True, (), {"not": "text"}, "review"),
    ],
)
def test_an_agent_names_the_next_phase_only_where_it_may(
    allow: bool, allowed: tuple[str, ...], asked: Any, target: str
) -> None:
    transition = Transition(target="review", allow_agent_target=allow, allowed_targets=allowed)
    build = agent("build", on_verdict={Verdict.REWORK: transition})
    plan = plan_of(agent("draft"), build, agent("review"), agent("fix"))
    assert decided(plan, {}, says("rework", target_phase=asked)).target == target


def test_an_agent_cannot_name_a_phase_without_any_transition() -> None:
    plan = plan_of(agent("draft"), agent("build"), agent("review"))
    assert decided(plan, {}, says("rework", target_phase="review")).target == "draft"


def test_the_reason_of_a_rework_is_the_context_of_the_next_attempt() -> None:
    plan = plan_of(agent("build"), agent("review"))
    state = after(plan, {}, says("rework", reason="no tests"))
    state = take(state, record_of(step_of(plan, state)))
    begun = started_by(step_of(plan, state))
    assert (begun.phase, begun.attempt, begun.cause, begun.context) == ("build", 2, "rework", "no tests")


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_rework_beyond_its_budget_fails_the_run(allowed: int) -> None:
    plan = plan_of(agent("build"), agent("review", max_rework_attempts=allowed))
    state, reworks = RunState(), 0
    while True:
        step = step_of(plan, state)
        if isinstance(step, AppendRecord):
            if step.kind is Kind.WORKFLOW_FAILED:
                break
            reworks += isinstance(step.data, kinds.PhaseDecision) and step.data.verdict == "rework"
            state = take(state, step)
        else:
            assert isinstance(step, Perform)
            state = ended_with(state, **says("rework" if step.phase.id == "review" else "advance", reason="again"))
    assert reworks == allowed + 1
    assert isinstance(step.data, kinds.WorkflowEnded)
    assert step.data.reason == f"review asked for rework more than {allowed} times: again"


# == the agent's decision ==


@pytest.mark.parametrize(
    "unreadable",
    [
        None,
        7,
        [],
        "perhaps",
        {},
        {"verdict": None},
        {"verdict": "perhaps"},
        {"verdict": ["advance"]},
        {"verdict": {"verdict": "advance"}},
        {"reason": "none"},
    ],
)
def test_what_is_no_decision_counts_as_none(unreadable: Any) -> None:
    lenient, strict = plan_of(agent("a")), DecisionContract(allow_missing_decision=False)
    assert decided(lenient, {"verdict": unreadable}).verdict == "advance"
    demanded = decided(plan_of(agent("a", decision_contract=strict)), {"verdict": unreadable})
    assert (demanded.verdict, demanded.source) == ("rework", "contract")


def test_without_a_decision_an_exit_code_that_is_not_zero_fails_the_phase() -> None:
    decision = decided(plan_of(agent("a")), {"exit_code": 2})
    assert (decision.verdict, decision.reason) == ("fail", "the agent ended with exit code 2")


def test_a_word_is_a_decision() -> None:
    assert decided(plan_of(agent("a"), agent("b")), {"verdict": "skip"}).verdict == "skip"


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        ({"confidence": 0.59}, "confidence 0.59 is under 0.6"),
        ({"confidence": -(10**400)}, "confidence 0 is under 0.6"),
        ({"confidence": -math.inf}, "confidence 0 is under 0.6"),
        ({"risk": "high"}, "risk high is over medium"),
        ({"risk": "catastrophic"}, "risk catastrophic is over medium"),
        ({"evidence": []}, "evidence is missing: tests"),
        ({"evidence": "tests"}, "evidence is missing: tests"),
        ({"evidence": [{"kind": ["tests"]}, ["tests"], {"tests": 1}]}, "evidence is missing: tests"),
    ],
)
def test_a_decision_to_advance_that_breaks_its_contract_is_rework(said: dict[str, Any], broken: str) -> None:
    contract = DecisionContract(required_evidence=("tests",), min_confidence=0.6, max_risk=Risk.MEDIUM)
    plan = plan_of(agent("draft"), agent("build", decision_contract=contract), agent("review"))
    kept = {"confidence": 0.9, "risk": "low", "evidence": [{"kind": "tests"}]}
    decision = decided(plan, {}, says("advance", **{**kept, **said}, target_phase="review"))
    assert (decision.verdict, decision.source, decision.target) == ("rework", "contract", "draft")
    assert decision.reason == f"the decision does not meet its contract: {broken}"


@pytest.mark.parametrize(
    "said",
    [
        {"confidence": 0.6, "risk": "medium", "evidence": ["tests"]},
        {"confidence": 10**400, "evidence": [{"kind": "tests"}]},
        {"confidence": True, "risk": None, "evidence": ["other", "tests"]},
    ],
)
def test_a_decision_that_keeps_its_contract_stands(said: dict[str, Any]) -> None:
    contract = DecisionContract(required_evidence=("tests",), min_confidence=0.6, max_risk=Risk.MEDIUM)
    decision = decided(plan_of(agent("a", decision_contract=contract), agent("b")), says("advance", **said))
    assert (decision.verdict, decision.target) == ("advance", "b")
    assert kinds.PhaseDecision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize("verdict", ["rework", "skip", "fail"])
def test_the_contract_asks_only_of_decisions_to_advance(verdict: str) -> None:
    plan = plan_of(agent("a", decision_contract=DecisionContract(required_evidence=("tests",))), agent("b"))
    assert decided(plan, says(verdict, confidence=0.0, risk="high")).verdict == verdict


# == commands ==


@pytest.mark.parametrize(("exit_code", "verdict"), [(0, "advance"), (3, "advance"), (1, "fail"), (None, "fail")])
def test_a_command_is_judged_by_its_exit_code(exit_code: int | None, verdict: str) -> None:
    plan = plan_of(command("test", {"success_exit_codes": (0, 3)}), agent("b"))
    assert decided(plan, {"exit_code": exit_code}).verdict == verdict


def test_a_command_has_the_verdicts_that_its_plan_names() -> None:
    spec = {"on_success_verdict": Verdict.SKIP, "on_failure_verdict": Verdict.REWORK}
    plan = plan_of(agent("a"), command("test", spec), agent("b"))
    assert decided(plan, {}, {"exit_code": 0}).verdict == "skip"
    assert decided(plan, {}, {"exit_code": 1}).verdict == "rework"
    assert decided(plan, {}, {"result": "timed-out", "exit_code": 0}).verdict == "rework"
