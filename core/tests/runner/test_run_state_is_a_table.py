"""The state of a run follows from its records by a table; what the table does not list raises and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind
from animus_core.workflow.run_stages import RunStatus, Stage, Started
from animus_core.workflow.run_state import MOVES, IllegalRecord, RunState, apply


def started(phase: str = "build", attempt: int = 1, cause: kinds.Cause = "first", **more: Any) -> kinds.PhaseStarted:
    return kinds.PhaseStarted(phase=phase, ordinal=0, attempt=attempt, cause=cause, **more)


def intent(phase: str = "build", attempt: int = 1) -> kinds.PhaseIntent:
    return kinds.PhaseIntent(phase=phase, attempt=attempt, effect="agent")


def outcome(result: str = "finished", phase: str = "build", attempt: int = 1, **more: Any) -> kinds.PhaseOutcome:
    return kinds.PhaseOutcome(phase=phase, attempt=attempt, result=kinds.OutcomeKind(result), **more)


def decision(verdict: Any = "advance", phase: str = "build", attempt: int = 1, **more: Any) -> kinds.PhaseDecision:
    return kinds.PhaseDecision(phase=phase, attempt=attempt, verdict=verdict, **more)


RUNNER = kinds.RunnerStarted(pid=1, starttime="1", boot_id="b", version="0")
SAMPLES: dict[Kind, kinds.RecordData] = {
    Kind.RUNNER_STARTED: RUNNER,
    Kind.OPERATOR_ORDER: kinds.OperatorOrder(order=kinds.Order.RESUME),
    Kind.WORKFLOW_STARTED: kinds.WorkflowStarted(workflow_ref="w", phases=["build"]),
    Kind.PHASE_STARTED: started(),
    Kind.PHASE_INTENT: intent(),
    Kind.AGENT_RECORD: kinds.AgentRecord(phase="build", attempt=1, session_seq=3, kind="output"),
    Kind.PHASE_OUTCOME: outcome(),
    Kind.PHASE_DECISION: decision(),
    Kind.WORKFLOW_COMPLETED: kinds.WorkflowEnded(),
    Kind.WORKFLOW_FAILED: kinds.WorkflowEnded(reason="no"),
    Kind.WORKFLOW_BLOCKED: kinds.WorkflowBlocked(phase="build", attempt=1, reason="r", hint="h"),
    Kind.WORKFLOW_CANCELLED: kinds.WorkflowEnded(reason="stop"),
}
TO_BLOCKED = [
    (Kind.WORKFLOW_STARTED, SAMPLES[Kind.WORKFLOW_STARTED]),
    (Kind.PHASE_STARTED, started()),
    (Kind.PHASE_INTENT, intent()),
    (Kind.PHASE_OUTCOME, outcome("lost")),
    (Kind.WORKFLOW_BLOCKED, SAMPLES[Kind.WORKFLOW_BLOCKED]),
]
PATHS: dict[Stage, list[tuple[Kind, kinds.RecordData]]] = {
    Stage.NEW: [],
    Stage.READY: TO_BLOCKED[:1],
    Stage.STARTED: TO_BLOCKED[:2],
    Stage.INTENDED: TO_BLOCKED[:3],
    Stage.CONCLUDED: TO_BLOCKED[:4],
    Stage.BLOCKED: TO_BLOCKED,
    Stage.ENDED: [*TO_BLOCKED[:1], (Kind.WORKFLOW_COMPLETED, kinds.WorkflowEnded())],
}
LEGAL = {
    (Stage.NEW, Kind.WORKFLOW_STARTED): (Stage.READY, "running"),
    (Stage.NEW, Kind.WORKFLOW_CANCELLED): (Stage.ENDED, "cancelled"),
    (Stage.NEW, Kind.RUNNER_STARTED): (Stage.NEW, "pending"),
    (Stage.NEW, Kind.OPERATOR_ORDER): (Stage.NEW, "pending"),
    (Stage.READY, Kind.PHASE_STARTED): (Stage.STARTED, "running"),
    (Stage.READY, Kind.WORKFLOW_COMPLETED): (Stage.ENDED, "completed"),
    (Stage.READY, Kind.WORKFLOW_FAILED): (Stage.ENDED, "failed"),
    (Stage.READY, Kind.WORKFLOW_CANCELLED): (Stage.ENDED, "cancelled"),
    (Stage.READY, Kind.RUNNER_STARTED): (Stage.READY, "running"),
    (Stage.READY, Kind.OPERATOR_ORDER): (Stage.READY, "running"),
    (Stage.STARTED, Kind.PHASE_INTENT): (Stage.INTENDED, "running"),
    (Stage.STARTED, Kind.WORKFLOW_CANCELLED): (Stage.ENDED, "cancelled"),
    (Stage.STARTED, Kind.RUNNER_STARTED): (Stage.STARTED, "running"),
    (Stage.STARTED, Kind.OPERATOR_ORDER): (Stage.STARTED, "running"),
    (Stage.INTENDED, Kind.AGENT_RECORD): (Stage.INTENDED, "running"),
    (Stage.INTENDED, Kind.PHASE_OUTCOME): (Stage.CONCLUDED, "running"),
    (Stage.INTENDED, Kind.RUNNER_STARTED): (Stage.INTENDED, "running"),
    (Stage.INTENDED, Kind.OPERATOR_ORDER): (Stage.INTENDED, "running"),
    (Stage.CONCLUDED, Kind.PHASE_STARTED): (Stage.STARTED, "running"),
    (Stage.CONCLUDED, Kind.PHASE_DECISION): (Stage.READY, "running"),
    (Stage.CONCLUDED, Kind.WORKFLOW_BLOCKED): (Stage.BLOCKED, "blocked"),
    (Stage.CONCLUDED, Kind.WORKFLOW_COMPLETED): (Stage.ENDED, "completed"),
    (Stage.CONCLUDED, Kind.WORKFLOW_FAILED): (Stage.ENDED, "failed"),
    (Stage.CONCLUDED, Kind.WORKFLOW_CANCELLED): (Stage.ENDED, "cancelled"),
    (Stage.CONCLUDED, Kind.RUNNER_STARTED): (Stage.CONCLUDED, "running"),
    (Stage.CONCLUDED, Kind.OPERATOR_ORDER): (Stage.CONCLUDED, "running"),
    (Stage.BLOCKED, Kind.OPERATOR_ORDER): (Stage.CONCLUDED, "running"),
    (Stage.BLOCKED, Kind.RUNNER_STARTED): (Stage.BLOCKED, "blocked"),
}


def at(stage: Stage) -> RunState:
    state = RunState()
    for kind, data in PATHS[stage]:
        state = apply(state, kind, data, 1)
    assert state.stage is stage
    return state


def sample(stage: Stage, kind: Kind) -> kinds.RecordData:
    return (
        started(attempt=2, cause="retry") if (stage, kind) == (Stage.CONCLUDED, Kind.PHASE_STARTED) else SAMPLES[kind]
    )


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("kind", Kind)
def test_every_stage_takes_exactly_the_records_of_its_row(stage: Stage, kind: Kind) -> None:
    before = at(stage)
    expected = LEGAL.get((stage, kind))
    if expected is None:
        with pytest.raises(IllegalRecord, match=f"{kind} record cannot follow in stage {stage}"):
            apply(before, kind, sample(stage, kind), 1)
        assert before == at(stage)
    else:
        after = apply(before, kind, sample(stage, kind), 1)
        assert (after.stage, after.status) == expected
        assert before == at(stage)


def test_the_table_lists_no_move_beyond_those_that_are_proved_here() -> None:
    assert {key: stage for key, (stage, _) in LEGAL.items()} == MOVES


@pytest.mark.parametrize(
    ("stage", "kind", "data"),
    [
        (Stage.READY, Kind.PHASE_STARTED, started(attempt=2)),
        (Stage.CONCLUDED, Kind.PHASE_STARTED, started(attempt=1, cause="retry")),
        (Stage.STARTED, Kind.PHASE_INTENT, intent(attempt=2)),
        (Stage.STARTED, Kind.PHASE_INTENT, intent("other")),
        (Stage.INTENDED, Kind.AGENT_RECORD, kinds.AgentRecord(phase="other", attempt=1, session_seq=1, kind="output")),
        (Stage.INTENDED, Kind.PHASE_OUTCOME, outcome(attempt=2)),
        (Stage.INTENDED, Kind.PHASE_OUTCOME, outcome(phase="other")),
        (Stage.CONCLUDED, Kind.PHASE_DECISION, decision(attempt=7)),
        (
            Stage.CONCLUDED,
            Kind.WORKFLOW_BLOCKED,
            kinds.WorkflowBlocked(phase="other", attempt=1, reason="", hint=""),
        ),
    ],
)
def test_a_record_about_another_attempt_is_illegal(stage: Stage, kind: Kind, data: kinds.RecordData) -> None:
    before = at(stage)
    with pytest.raises(IllegalRecord, match="is due"):
        apply(before, kind, data, 1)
    assert before == at(stage)


def test_a_record_of_an_unknown_kind_changes_nothing() -> None:
    before = at(Stage.INTENDED)
    assert kinds.read_data("phase_dreamed", {"phase": "build"}) is None
    assert apply(before, "phase_dreamed", None, 9) is before


def test_the_intent_remembers_which_epoch_intended_it() -> None:
    state = apply(at(Stage.STARTED), Kind.PHASE_INTENT, intent(), 4)
    state = apply(state, Kind.RUNNER_STARTED, RUNNER, 5)
    assert state.at.epoch == 4


@pytest.mark.parametrize("cause", ["retry", "recovered", "resumed"])
def test_doing_an_attempt_again_counts_its_tries_and_keeps_the_outcome_that_it_repeats(cause: kinds.Cause) -> None:
    concluded = apply(at(Stage.INTENDED), Kind.PHASE_OUTCOME, outcome("lost", session_id="s", resumable=True), 1)
    again = apply(concluded, Kind.PHASE_STARTED, started(attempt=2, cause=cause), 1)
    assert again.at == Started(started(attempt=2, cause=cause), tries=2, repeated=concluded.at.outcome)
    assert (again.attempts, again.order) == ({"build": 2}, None)


@pytest.mark.parametrize("cause", ["next", "rework"])
def test_entering_a_phase_anew_begins_its_tries_from_one(cause: kinds.Cause) -> None:
    state = apply(at(Stage.CONCLUDED), Kind.PHASE_DECISION, decision("rework", target="build"), 1)
    state = apply(state, Kind.PHASE_STARTED, started(attempt=2, cause=cause), 1)
    assert state.at == Started(started(attempt=2, cause=cause), tries=1, repeated=None)


@pytest.mark.parametrize(
    ("verdict", "target", "counted"),
    [("rework", "build", 1), ("rework", "", 1), ("fail", "build", 1), ("fail", "", 0), ("advance", "build", 0)],
)
def test_only_what_sends_work_back_counts_as_rework(verdict: str, target: str, counted: int) -> None:
    state = apply(at(Stage.CONCLUDED), Kind.PHASE_DECISION, decision(verdict, target=target), 1)
    assert state.reworks.get("build", 0) == counted


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in (Stage.BLOCKED, Stage.ENDED)])
def test_an_order_to_cancel_is_remembered_in_every_stage_and_one_to_resume_only_where_the_run_waits(
    stage: Stage,
) -> None:
    cancel = kinds.OperatorOrder(order=kinds.Order.CANCEL, feedback="enough")
    assert apply(at(stage), Kind.OPERATOR_ORDER, cancel, 1).order == cancel
    resume = kinds.OperatorOrder(order=kinds.Order.RESUME)
    assert apply(at(stage), Kind.OPERATOR_ORDER, resume, 1) == at(stage)


@given(
    st.lists(
        st.sampled_from(list(Kind)).flatmap(
            lambda kind: st.tuples(
                st.just(kind),
                st.sampled_from(["build", "test"]),
                st.integers(min_value=1, max_value=3),
                st.sampled_from(["advance", "rework", "skip", "fail"]),
            )
        ),
        max_size=40,
    )
)
def test_any_sequence_of_records_folds_or_raises_and_a_refused_one_leaves_no_trace(
    records: list[tuple[Kind, str, int, str]],
) -> None:
    state = RunState()
    for kind, phase, attempt, verdict in records:
        data = SAMPLES[kind]
        fields = {"phase": phase, "attempt": attempt, "verdict": verdict}
        data = data.model_copy(update={name: fields[name] for name in fields if name in type(data).model_fields})
        before = repr(state)
        try:
            following = apply(state, kind, data, 1)
        except IllegalRecord:
            assert repr(state) == before
            continue
        assert repr(state) == before
        assert (following.stage is Stage.ENDED) == (following.status not in set(RunStatus) - set(ENDS))
        assert (following.stage is Stage.BLOCKED) == (following.status is RunStatus.BLOCKED)
        state = following


ENDS = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)
