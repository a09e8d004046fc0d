"""What a run does after a failed attempt, a lost effect, or an operator's order, and where it ends at the latest."""

from __future__ import annotations

import math

import pytest

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind
from animus_core.runner.decide import MAX_ATTEMPTS, AppendRecord, Perform, Stop
from animus_core.workflow.definitions import Idempotency, Transition
from animus_core.workflow.plan import Plan, PlannedRetry
from animus_core.workflow.run_stages import Stage
from animus_core.workflow.run_state import RunState, apply
from animus_protocol.models.verdict import Verdict
from run_steps import (
    EPOCH,
    after,
    agent,
    command,
    ended_with,
    plan_of,
    record_of,
    says,
    started_by,
    step_of,
    take,
    until_performing,
)

# == retries ==


@pytest.mark.parametrize("result", ["error", "timed-out"])
def test_a_failed_attempt_is_tried_again_as_often_as_the_plan_says_and_then_judged(result: str) -> None:
    plan = plan_of(agent("a", retry=PlannedRetry(max_attempts=3, initial_s=2.0, factor=3.0, max_s=5.0)))
    state, waits = after(plan, {"result": result}), []
    while isinstance(step := step_of(plan, state), AppendRecord) and step.kind is Kind.PHASE_STARTED:
        assert started_by(step).cause == "retry"
        waits.append(step.wait_s)
        state = ended_with(until_performing(plan, take(state, step)), result)
    assert waits == [2.0, 5.0]
    data = record_of(step).data
    assert isinstance(data, kinds.PhaseDecision)
    assert (data.verdict, data.attempt, data.source) == ("fail", 3, "default")


def test_a_backoff_that_outgrows_all_numbers_is_still_a_wait() -> None:
    for retry, wait_s in (
        (PlannedRetry(max_attempts=10, initial_s=1.0, factor=1e200, max_s=60.0), 60.0),
        (PlannedRetry(max_attempts=10, initial_s=0.0, factor=1e200), 0.0),
        (PlannedRetry(max_attempts=10, initial_s=1.0, factor=1e200), math.inf),
    ):
        plan = plan_of(agent("a", retry=retry))
        state = after(plan, *[{"result": "error"}] * 5)
        assert record_of(step_of(plan, state)).wait_s == wait_s


def test_a_retry_keeps_the_context_that_the_attempt_had() -> None:
    plan = plan_of(agent("build", retry=PlannedRetry(max_attempts=2)), agent("review"))
    state = after(plan, {}, says("rework", reason="no tests"), {"result": "error"})
    assert started_by(step_of(plan, state)).context == "no tests"


# == recovery ==


@pytest.mark.parametrize("idempotency", Idempotency)
@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("resumable", [True, False])
def test_a_lost_effect_is_repeated_only_where_that_is_safe(
    idempotency: Idempotency, written: bool, resumable: bool
) -> None:
    plan = plan_of(agent("a", idempotency=idempotency))
    state = after(plan, {"result": "lost", "written": written, "resumable": resumable, "session_id": "s-1"})
    step = record_of(step_of(plan, state))
    if not written or resumable or idempotency is Idempotency.IDEMPOTENT:
        assert started_by(step).cause == "recovered"
        intent = until_performing(plan, take(state, step)).at.intent
        expected = ("resume", "s-1") if resumable and written else ("run", None)
        assert (intent.mode, intent.session_id) == expected
    else:
        assert isinstance(step.data, kinds.WorkflowBlocked)
        assert f"its idempotency is {idempotency}" in step.data.reason
        assert step.data.hint.endswith("animus workflow resume run-1")


def test_recovery_is_bounded_and_then_a_person_decides() -> None:
    plan = plan_of(agent("a", idempotency=Idempotency.IDEMPOTENT))
    step = record_of(step_of(plan, after(plan, *[{"result": "lost"}] * 3)))
    assert isinstance(step.data, kinds.WorkflowBlocked)
    assert "it was tried 3 times" in step.data.reason


def test_a_retry_after_an_error_starts_a_session_of_its_own() -> None:
    plan = plan_of(agent("a", retry=PlannedRetry(max_attempts=2)))
    intent = until_performing(plan, after(plan, {"result": "error", "session_id": "s-1"})).at.intent
    assert (intent.mode, intent.session_id) == ("run", None)


# == operators ==


def blocked(plan: Plan, order: kinds.OperatorOrder) -> RunState:
    state = after(plan, {"result": "lost"})
    state = take(state, record_of(step_of(plan, state)))
    return apply(state, Kind.OPERATOR_ORDER, order, EPOCH)


def test_an_order_to_resume_repeats_the_phase_and_tells_it_the_feedback() -> None:
    plan = plan_of(command("a"))
    order = kinds.OperatorOrder(order=kinds.Order.RESUME, feedback="the disk is fixed")
    begun = started_by(step_of(plan, blocked(plan, order)))
    assert (begun.cause, begun.attempt, begun.context) == ("resumed", 2, "the disk is fixed")


def test_feedback_stands_behind_the_context_that_was_there() -> None:
    plan = plan_of(agent("build"), agent("review"))
    state = after(plan, {}, says("rework", reason="no tests"), {"result": "lost"})
    state = take(state, record_of(step_of(plan, state)))
    order = kinds.OperatorOrder(order=kinds.Order.RESUME, feedback="look at CI")
    state = apply(state, Kind.OPERATOR_ORDER, order, EPOCH)
    assert started_by(step_of(plan, state)).context == "no tests\n\nlook at CI"


@pytest.mark.parametrize("feedback", ["enough", None])
def test_an_order_to_cancel_ends_the_run(feedback: str | None) -> None:
    plan = plan_of(command("a"))
    order = kinds.OperatorOrder(order=kinds.Order.CANCEL, feedback=feedback)
    step = record_of(step_of(plan, blocked(plan, order)))
    assert step.kind is Kind.WORKFLOW_CANCELLED
    assert isinstance(step.data, kinds.WorkflowEnded)
    assert (step.data.phase, step.data.reason) == ("a", feedback or "cancelled by an operator")


def test_an_order_to_cancel_ends_a_run_that_the_daemon_gave_up_wherever_its_journal_stands() -> None:
    plan, order = plan_of(command("a"), command("b")), kinds.OperatorOrder(order=kinds.Order.CANCEL)
    state, stages = RunState(), set()
    while not isinstance(step := step_of(plan, state), Stop):
        stages.add(state.stage)
        if state.stage is not Stage.INTENDED:
            ordered = step_of(plan, apply(state, Kind.OPERATOR_ORDER, order, EPOCH))
            assert record_of(ordered).kind is Kind.WORKFLOW_CANCELLED
        state = take(state, step) if isinstance(step, AppendRecord) else ended_with(state, exit_code=0)
    assert stages == set(Stage) - {Stage.BLOCKED, Stage.ENDED}


def test_a_cancelled_effect_cancels_the_run() -> None:
    step = record_of(step_of(plan_of(agent("a")), after(plan_of(agent("a")), {"result": "cancelled", "text": "stop"})))
    assert (step.kind, step.data) == (Kind.WORKFLOW_CANCELLED, kinds.WorkflowEnded(phase="a", reason="stop"))


# == bounds ==


def test_no_phase_is_started_more_often_than_the_cap() -> None:
    plan = plan_of(agent("a", on_verdict={Verdict.ADVANCE: Transition(target="a")}))
    state, performed = RunState(), 0
    while isinstance(step := step_of(plan, state), AppendRecord | Perform):
        if isinstance(step, Perform):
            performed += 1
            state = ended_with(state)
        else:
            state = take(state, step)
    assert performed == MAX_ATTEMPTS
    assert state.at.ended.reason == f"a was started {MAX_ATTEMPTS} times in this run"
