"""For any plan and anything that agents and commands do: the run ends, and dying anywhere does not change how."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, OutcomeKind
from animus_core.runner.decide import MAX_ATTEMPTS, AppendRecord, Perform, Reconcile, next_step
from animus_core.workflow.definitions import DecisionContract, Idempotency, PhaseMode, Risk, Transition
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase, PlannedRetry
from animus_core.workflow.run_stages import Intended, RunStatus, Stage
from animus_core.workflow.run_state import RunState, apply
from animus_protocol.models.verdict import Verdict

IDS = ["p0", "p1", "p2", "p3"]
MAX_STEPS = 12 * MAX_ATTEMPTS * len(IDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
VERDICTS = st.one_of(
    JSON,
    st.sampled_from(["advance", "rework", "skip", "fail"]),
    st.fixed_dictionaries(
        {"verdict": st.sampled_from(["advance", "rework", "skip", "fail"]) | JSON},
        optional={
            "confidence": JSON,
            "risk": st.sampled_from(["low", "high"]) | JSON,
            "evidence": JSON,
            "target_phase": st.sampled_from([*IDS, "nowhere"]) | JSON,
            "reason": JSON,
        },
    ),
)


@st.composite
def outcomes(draw: st.DrawFn) -> dict[str, Any]:
    result = draw(st.sampled_from(["finished"] * 6 + ["error", "timed-out", "lost", "lost"]))
    return {
        "result": OutcomeKind(result),
        "exit_code": draw(st.none() | st.integers(min_value=0, max_value=2)),
        "verdict": draw(VERDICTS),
        "text": draw(st.text(max_size=5)),
        "written": draw(st.booleans()),
        "resumable": draw(st.booleans()),
        "session_id": draw(st.none() | st.just("s-1")),
    }


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    ids = IDS[: draw(st.integers(min_value=1, max_value=len(IDS)))]
    targets = st.sampled_from([*ids, ""])
    verdicts = st.sampled_from(list(Verdict))
    phases = []
    for name in ids:
        is_agent = draw(st.booleans())
        transitions = st.builds(
            Transition,
            target=targets,
            allow_agent_target=st.booleans(),
            allowed_targets=st.lists(st.sampled_from(ids), max_size=2).map(tuple),
        )
        phases.append(
            PlannedPhase(
                id=name,
                mode=PhaseMode.AGENT if is_agent else PhaseMode.COMMAND,
                tool="mock" if is_agent else None,
                idempotency=draw(st.sampled_from(list(Idempotency))),
                max_rework_attempts=draw(st.integers(min_value=0, max_value=5)),
                on_verdict=draw(st.dictionaries(verdicts, transitions, max_size=4)),
                retry=PlannedRetry(max_attempts=draw(st.integers(min_value=1, max_value=4))),
                decision_contract=draw(
                    st.builds(
                        DecisionContract,
                        min_confidence=st.floats(min_value=0, max_value=1),
                        max_risk=st.sampled_from(list(Risk)),
                        allow_missing_decision=st.booleans(),
                    )
                ),
                command=None
                if is_agent
                else PlannedCommand(program="x", on_success_verdict=draw(verdicts), on_failure_verdict=draw(verdicts)),
            )
        )
    return Plan(workflow_ref="w", name="w", phases=tuple(phases))


class Reported:
    """The world: the same attempt of the same phase always has the same outcome, whoever asks."""

    def __init__(self, stream: list[dict[str, Any]]) -> None:
        self.stream = stream
        self.given: dict[tuple[str, int], kinds.PhaseOutcome] = {}

    def outcome(self, state: RunState) -> kinds.PhaseOutcome:
        assert isinstance(state.at, Intended)
        key = (state.at.intent.phase, state.at.intent.attempt)
        if key not in self.given:
            facts = self.stream[len(self.given) % len(self.stream)]
            self.given[key] = kinds.PhaseOutcome(phase=key[0], attempt=key[1], **facts)
        return self.given[key]


Journal = list[tuple[Kind, dict[str, Any], int]]


def fold(journal: Journal) -> RunState:
    state = RunState()
    for kind, data, epoch in journal:
        state = apply(state, kind, kinds.read_data(kind, data), epoch)
    return state


def work_off(plan: Plan, journal: Journal, world: Reported, epoch: int) -> RunState:
    """What a runner does from a journal on: decide, act, write down."""
    state = fold(journal)
    for _ in range(MAX_STEPS):
        step = next_step(plan, state, epoch, "run-1")
        match step:
            case AppendRecord(kind, data, _):
                pass
            case Perform() | Reconcile():
                kind, data = Kind.PHASE_OUTCOME, world.outcome(state)
            case _:
                return state
        journal.append((kind, data.model_dump(mode="json", exclude_none=True), epoch))
        state = apply(state, kind, data, epoch)
    raise AssertionError(f"the run did not end within {MAX_STEPS} steps")


@given(plans(), st.lists(outcomes(), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_every_run_ends_or_waits_for_a_person_after_a_bounded_number_of_steps(
    plan: Plan, stream: list[dict[str, Any]]
) -> None:
    state = work_off(plan, [], Reported(stream), 1)
    assert state.stage in (Stage.ENDED, Stage.BLOCKED)
    assert all(count <= MAX_ATTEMPTS for count in state.attempts.values())


@given(plans(), st.lists(outcomes(), min_size=1, max_size=8), st.data())
@settings(max_examples=50, deadline=None)
def test_going_on_from_any_prefix_of_the_journal_ends_in_the_same_state(
    plan: Plan, stream: list[dict[str, Any]], data: st.DataObject
) -> None:
    world, journal = Reported(stream), Journal()
    uncrashed = work_off(plan, journal, world, 1)
    assert fold(journal) == uncrashed
    for _ in range(5):
        cut = data.draw(st.integers(min_value=0, max_value=len(journal)))
        survivor = journal[:cut]
        if fold(survivor).stage is not Stage.ENDED:
            runner = kinds.RunnerStarted(pid=1, starttime="1", boot_id="b", version="0")
            survivor = [*survivor, (Kind.RUNNER_STARTED, runner.model_dump(mode="json"), 2)]
        assert work_off(plan, survivor, world, 2) == uncrashed


@given(plans(), st.lists(outcomes(), min_size=1, max_size=8), st.sampled_from(["resume", "cancel"]))
@settings(max_examples=60, deadline=None)
def test_a_blocked_run_obeys_its_operator(plan: Plan, stream: list[dict[str, Any]], order: str) -> None:
    journal = Journal()
    state = work_off(plan, journal, Reported(stream), 1)
    if state.stage is not Stage.BLOCKED:
        return
    journal.append((Kind.OPERATOR_ORDER, {"order": order}, 2))
    resumed = work_off(plan, journal, Reported(stream), 2)
    if order == "cancel":
        assert resumed.status is RunStatus.CANCELLED
    else:
        assert sum(resumed.attempts.values()) > sum(state.attempts.values())
