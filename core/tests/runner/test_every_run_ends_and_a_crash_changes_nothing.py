"""For any plan and anything that agents and commands do: the run ends, and dying anywhere does not change how."""

from __future__ import annotations

from collections.abc import Sequence
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
from written_values import Writer, written

IDS = ["p0", "p1", "p2", "p3"]
MAX_STEPS = 12 * MAX_ATTEMPTS * len(IDS)
VERDICTS = ("advance", "rework", "skip", "fail")
RESULTS = (*["finished"] * 6, "error", "timed-out", "lost", "lost")


def or_json(writer: Writer, choices: Sequence[str]) -> Any:
    """What is expected there, or any JSON."""
    return writer.pick(choices) if writer.flag() else writer.value()


def verdict(writer: Writer) -> Any:
    match writer.pick("vdj"):
        case "v":
            return writer.pick(VERDICTS)
        case "j":
            return writer.value()
    parts = {
        "confidence": writer.value,
        "risk": lambda: or_json(writer, ("low", "high")),
        "evidence": writer.value,
        "target_phase": lambda: or_json(writer, [*IDS, "nowhere"]),
        "reason": writer.value,
    }
    return {"verdict": or_json(writer, VERDICTS)} | {key: write() for key, write in parts.items() if writer.flag()}


def outcome(writer: Writer) -> dict[str, Any]:
    return {
        "result": OutcomeKind(writer.pick(RESULTS)),
        "exit_code": writer.pick((None, 0, 1, 2)),
        "verdict": verdict(writer),
        "text": writer.text(5),
        "written": writer.flag(),
        "resumable": writer.flag(),
        "session_id": writer.pick((None, "s-1")),
    }


def phase(writer: Writer, name: str, ids: list[str]) -> PlannedPhase:
    verdicts = list(Verdict)
    is_agent = writer.flag()
    command = (
        None
        if is_agent
        else PlannedCommand(
            program="x", on_success_verdict=writer.pick(verdicts), on_failure_verdict=writer.pick(verdicts)
        )
    )
    return PlannedPhase(
        id=name,
        mode=PhaseMode.AGENT if is_agent else PhaseMode.COMMAND,
        tool="mock" if is_agent else None,
        idempotency=writer.pick(list(Idempotency)),
        max_rework_attempts=writer.below(6),
        on_verdict=dict(writer.many(lambda: (writer.pick(verdicts), transition(writer, ids)), 4)),
        retry=PlannedRetry(max_attempts=1 + writer.below(4)),
        decision_contract=DecisionContract(
            min_confidence=writer.below(5) / 4,
            max_risk=writer.pick(list(Risk)),
            allow_missing_decision=writer.flag(),
        ),
        command=command,
    )


def transition(writer: Writer, ids: list[str]) -> Transition:
    return Transition(
        target=writer.pick([*ids, ""]),
        allow_agent_target=writer.flag(),
        allowed_targets=tuple(writer.many(lambda: writer.pick(ids), 2)),
    )


def plan(writer: Writer) -> Plan:
    ids = IDS[: 1 + writer.below(len(IDS))]
    return Plan(workflow_ref="w", name="w", phases=tuple(phase(writer, name, ids) for name in ids))


PLANS = written(plan, 100)
STREAMS = written(lambda writer: writer.many(lambda: outcome(writer), 8, 1), 160)


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


@given(PLANS, STREAMS)
@settings(max_examples=100, deadline=None)
def test_every_run_ends_or_waits_for_a_person_after_a_bounded_number_of_steps(
    plan: Plan, stream: list[dict[str, Any]]
) -> None:
    state = work_off(plan, [], Reported(stream), 1)
    assert state.stage in (Stage.ENDED, Stage.BLOCKED)
    assert all(count <= MAX_ATTEMPTS for count in state.attempts.values())


@given(PLANS, STREAMS, st.data())
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


@given(PLANS, STREAMS, st.sampled_from(["resume", "cancel"]))
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
