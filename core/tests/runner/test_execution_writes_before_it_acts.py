"""The loop of a run: intent before effect, outcome before decision, room is waited for, cancel ends it at any stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from animus_core.errors import RetryLater
from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, OutcomeKind
from animus_core.journal.reader import iterate
from animus_core.journal.writer import AppendRetries, JournalFull, JournalWriter, Position
from animus_core.runner.execute import Effect, Execution, fold
from animus_core.store.paths import RunPaths
from animus_core.workflow.definitions import Idempotency, PhaseMode
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase, PlannedRetry
from animus_core.workflow.run_stages import Ended, Intended, RunStatus, Stage
from animus_core.workflow.run_state import RunState
from animus_protocol.models.verdict import Verdict

OpenJournal = Callable[[int], JournalWriter]
Act = Callable[[PlannedPhase, Intended, Callable[[kinds.AgentRecord], None]], Coroutine[Any, Any, dict[str, Any]]]
ME = kinds.RunnerStarted(pid=1, starttime="1", boot_id="b", version="0")


class Scripted:
    """An effect in memory; `act` says what each attempt does, `log` what was asked of it."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.log: list[str] = []

    async def perform(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        return await self._do("perform", phase, attempt, note)

    async def reconcile(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        return await self._do("reconcile", phase, attempt, note)

    async def cancel_effect(self, phase: PlannedPhase, attempt: Intended) -> None:
        self.log.append(f"cancel effect {phase.id}")

    async def _do(
        self, what: str, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        self.log.append(f"{what} {phase.id} {attempt.intent.attempt}")
        facts = await self.act(phase, attempt, note)
        outcome = {"result": OutcomeKind.FINISHED, **facts, "phase": phase.id, "attempt": attempt.intent.attempt}
        return kinds.PhaseOutcome.model_validate(outcome)


def agent(phase_id: str, **more: Any) -> PlannedPhase:
    return PlannedPhase(id=phase_id, mode=PhaseMode.AGENT, tool="mock", **more)


def command(phase_id: str, **more: Any) -> PlannedPhase:
    return PlannedPhase(id=phase_id, mode=PhaseMode.COMMAND, command=PlannedCommand(program="x"), **more)


def plan_of(*phases: PlannedPhase) -> Plan:
    return Plan(workflow_ref="w", name="w", phases=phases)


def execution(plan: Plan, journal: JournalWriter, effect: Effect, **more: Any) -> Execution:
    journal_advanced = more.pop("journal_advanced", lambda _: None)
    return Execution(plan, journal, {"agent": effect, "command": effect}, journal_advanced, **more)


def kinds_in(files: RunPaths) -> list[str]:
    return [record.kind for record in iterate(files.journal)]


async def fine(*_: object) -> dict[str, Any]:
    return {"exit_code": 0}


async def forever(*_: object) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_the_intent_is_on_disk_before_the_effect_and_the_outcome_before_the_decision(
    files: RunPaths, open_journal: OpenJournal
) -> None:
    seen: list[list[str]] = []

    async def poll(*_: object) -> dict[str, Any]:
        seen.append(kinds_in(files))
        return {"exit_code": 0}

    offsets: list[int] = []
    run = execution(plan_of(command("a")), open_journal(1), Scripted(poll), journal_advanced=offsets.append)
    assert await run.run(RunState(), ME, None) is RunStatus.COMPLETED
    assert seen == [["runner_started", "workflow_started", "phase_started", "phase_intent"]]
    assert kinds_in(files)[4:] == ["phase_outcome", "phase_decision", "workflow_completed"]
    assert offsets[-1] == files.journal.stat().st_size
    assert fold(files.journal) == run.state


async def test_everything_but_what_agents_say_is_flushed(files: RunPaths, open_journal: OpenJournal) -> None:
    journal, flushed = open_journal(1), dict[str, bool]()
    append = journal.append

    def spy(kind: str, data: Any, *, sync: bool) -> Position:
        flushed[kind] = sync
        return append(kind, data, sync=sync)

    journal.append = spy  # type: ignore[method-assign]  # the journal itself stays real

    async def talk(phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]) -> dict[str, Any]:
        note(kinds.AgentRecord(phase=phase.id, attempt=1, session_seq=1, kind="output", data={"text": "hi"}))
        return {}

    await execution(plan_of(agent("a")), journal, Scripted(talk)).run(RunState(), ME, None)
    assert [kind for kind, sync in flushed.items() if not sync] == ["agent_record"]


async def test_a_runner_that_died_after_its_intent_is_reconciled_by_the_next_one(
    files: RunPaths, open_journal: OpenJournal
) -> None:
    async def die(*_: object) -> dict[str, Any]:
        raise RuntimeError("power cut")

    plan = plan_of(command("a", idempotency=Idempotency.IDEMPOTENT))
    with pytest.raises(RuntimeError):
        await execution(plan, open_journal(1), Scripted(die)).run(RunState(), ME, None)
    effect = Scripted(lambda phase, attempt, note: lost_once(attempt))
    status = await execution(plan, open_journal(2), effect).run(fold(files.journal), ME, None)
    assert status is RunStatus.COMPLETED
    assert effect.log == ["reconcile a 1", "perform a 2"]


async def lost_once(attempt: Intended) -> dict[str, Any]:
    return {"exit_code": 0} if attempt.started.repeated is not None else {"result": OutcomeKind.LOST}


async def test_a_run_that_is_over_is_left_alone(files: RunPaths, open_journal: OpenJournal) -> None:
    plan = plan_of(command("a"))
    await execution(plan, open_journal(1), Scripted(fine)).run(RunState(), ME, None)
    before = files.journal.read_bytes()
    again = execution(plan, open_journal(2), Scripted(forever))
    assert await again.run(fold(files.journal), ME, None) is RunStatus.COMPLETED
    assert files.journal.read_bytes() == before


# == a full disk ==


class FullAt:
    """Stands in front of a journal and refuses one kind of record so many times."""

    def __init__(self, journal: JournalWriter, files: RunPaths, kind: Kind, times: int) -> None:
        self.append_really = journal.append
        self.path, self.kind, self.left = files.journal, kind, times

    def append(self, kind: str, data: Any, *, sync: bool) -> Position:
        if kind == self.kind and self.left:
            self.left -= 1
            raise JournalFull(self.path, "No space left on device")
        return self.append_really(kind, data, sync=sync)


QUICK = AppendRetries(wait_s=0.001)


@pytest.mark.parametrize("kind", [Kind.PHASE_INTENT, Kind.PHASE_OUTCOME, Kind.PHASE_DECISION])
async def test_room_for_a_record_is_waited_for_and_nothing_is_done_twice(
    kind: Kind, files: RunPaths, open_journal: OpenJournal
) -> None:
    journal, effect = open_journal(1), Scripted(fine)
    journal.append = FullAt(journal, files, kind, 5).append  # type: ignore[method-assign]  # the rest stays real
    assert (
        await execution(plan_of(command("a")), journal, effect, append_retries=QUICK).run(RunState(), ME, None)
        is RunStatus.COMPLETED
    )
    assert effect.log == ["perform a 1"]


async def test_without_room_for_the_intent_the_effect_never_happens(files: RunPaths, open_journal: OpenJournal) -> None:
    journal, effect = open_journal(1), Scripted(fine)
    journal.append = FullAt(journal, files, Kind.PHASE_INTENT, 99).append  # type: ignore[method-assign]  # as above
    with pytest.raises(JournalFull):
        await execution(plan_of(command("a")), journal, effect, append_retries=QUICK).run(RunState(), ME, None)
    assert effect.log == []
    assert fold(files.journal).stage is Stage.STARTED


async def test_an_answer_that_no_record_has_room_for_is_cut_and_the_verdict_kept(
    files: RunPaths, open_journal: OpenJournal
) -> None:
    async def talk(phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]) -> dict[str, Any]:
        deep: Any = "x"
        for _ in range(199):
            deep = [deep]
        for number, data in enumerate(({"text": "é" * 2_000_000}, {"deep": deep}, {"many": ["\0"] * 500_000}), 1):
            note(kinds.AgentRecord(phase=phase.id, attempt=1, session_seq=number, kind="toolResult", data=data))
        return {"text": "ß" * 2_000_000, "verdict": {"verdict": "fail", "reason": "no", "evidence": ["e" * 90_000]}}

    run = execution(plan_of(agent("a")), open_journal(1), Scripted(talk))
    assert await run.run(RunState(), ME, None) is RunStatus.FAILED
    state = fold(files.journal)
    assert state == run.state
    assert state.at == Ended(RunStatus.FAILED, kinds.WorkflowEnded(phase="a", reason="no"))
    (outcome,) = (record.data for record in iterate(files.journal) if record.kind == Kind.PHASE_OUTCOME)
    assert outcome["text"].endswith("(cut, 2000000 characters)")
    assert kinds_in(files).count("agent_record") == 3


# == cancelling ==


@pytest.mark.parametrize(
    "stage", [Kind.RUNNER_STARTED, Kind.WORKFLOW_STARTED, Kind.PHASE_STARTED, Kind.PHASE_OUTCOME, Kind.PHASE_DECISION]
)
async def test_a_cancel_between_two_records_ends_the_run_with_the_next_one(
    stage: Kind, files: RunPaths, open_journal: OpenJournal
) -> None:
    run: Execution
    effect = Scripted(fine)

    def cancel_at_the_stage(_: int) -> None:
        if kinds_in(files)[-1] == stage:
            run.cancel("enough")

    run = execution(plan_of(command("a"), command("b")), open_journal(1), effect, journal_advanced=cancel_at_the_stage)
    assert await run.run(RunState(), ME, None) is RunStatus.CANCELLED
    assert kinds_in(files)[-2:] == [stage, "workflow_cancelled"]
    assert run.state.at == Ended(RunStatus.CANCELLED, kinds.WorkflowEnded(reason="enough"))
    assert "perform b 1" not in effect.log


async def test_a_cancel_right_after_the_intent_calls_the_effect_off_before_it_begins(
    files: RunPaths, open_journal: OpenJournal
) -> None:
    run: Execution
    effect = Scripted(fine)

    def cancel_at_the_stage(_: int) -> None:
        if kinds_in(files)[-1] == Kind.PHASE_INTENT:
            run.cancel("enough")

    run = execution(plan_of(command("a")), open_journal(1), effect, journal_advanced=cancel_at_the_stage)
    assert await run.run(RunState(), ME, None) is RunStatus.CANCELLED
    assert effect.log == ["cancel effect a"]


async def test_a_cancel_in_the_middle_of_an_effect_ends_it_first(files: RunPaths, open_journal: OpenJournal) -> None:
    run: Execution

    async def act(*_: object) -> dict[str, Any]:
        asyncio.get_running_loop().call_soon(run.cancel, "enough")
        return await forever()

    effect = Scripted(act)
    run = execution(plan_of(command("a")), open_journal(1), effect)
    assert await run.run(RunState(), ME, None) is RunStatus.CANCELLED
    assert effect.log == ["perform a 1", "cancel effect a"]
    assert kinds_in(files)[-2:] == ["phase_outcome", "workflow_cancelled"]


async def test_a_cancel_ends_the_wait_before_a_retry(files: RunPaths, open_journal: OpenJournal) -> None:
    async def fail(*_: object) -> dict[str, Any]:
        asyncio.get_running_loop().call_later(0.05, run.cancel, "enough")
        return {"result": OutcomeKind.ERROR}

    retry = PlannedRetry(max_attempts=3, initial_s=3600.0)
    run = execution(plan_of(agent("a", retry=retry)), open_journal(1), Scripted(fail))
    assert await run.run(RunState(), ME, None) is RunStatus.CANCELLED
    assert kinds_in(files)[-2:] == ["phase_outcome", "workflow_cancelled"]


async def test_a_cancel_that_meets_the_run_as_it_blocks_is_not_lost(files: RunPaths, open_journal: OpenJournal) -> None:
    def cancel_at_the_stage(_: int) -> None:
        if kinds_in(files)[-1] == Kind.WORKFLOW_BLOCKED:
            run.cancel("enough")

    async def vanish(*_: object) -> dict[str, Any]:
        return {"result": OutcomeKind.LOST}

    run = execution(plan_of(command("a")), open_journal(1), Scripted(vanish), journal_advanced=cancel_at_the_stage)
    assert await run.run(RunState(), ME, None) is RunStatus.CANCELLED
    assert kinds_in(files)[-3:] == ["workflow_blocked", "operator_order", "workflow_cancelled"]


async def test_a_runner_that_is_told_to_leave_writes_nothing_and_calls_nothing_off(
    files: RunPaths, open_journal: OpenJournal
) -> None:
    begun = asyncio.Event()

    async def act(*_: object) -> dict[str, Any]:
        begun.set()
        return await forever()

    effect = Scripted(act)
    run = execution(plan_of(agent("a")), open_journal(1), effect)
    task = asyncio.ensure_future(run.run(RunState(), ME, None))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert effect.log == ["perform a 1"]
    assert fold(files.journal).stage is Stage.INTENDED


# == orders ==


@pytest.mark.parametrize("phases_done", [0, 1])
async def test_an_order_to_cancel_ends_a_run_that_its_journal_does_not_know_to_be_blocked(
    phases_done: int, files: RunPaths, open_journal: OpenJournal
) -> None:
    async def die_in_b(phase: PlannedPhase, *_: object) -> dict[str, Any]:
        if phase.id == "b" or not phases_done:
            raise RetryLater("no room")
        return {"exit_code": 0}

    plan = plan_of(command("a"), command("b"))
    with pytest.raises(RetryLater):
        await execution(plan, open_journal(1), Scripted(die_in_b)).run(RunState(), ME, None)
    order = kinds.OperatorOrder(order=kinds.Order.CANCEL, feedback="enough")
    effect = Scripted(forever)
    run = execution(plan, open_journal(2), effect)
    assert await run.run(fold(files.journal), ME, order) is RunStatus.CANCELLED
    assert effect.log == ["cancel effect b" if phases_done else "cancel effect a"]
    assert run.state.at.ended.reason == "enough"


async def test_an_order_to_cancel_survives_the_runner_that_journaled_it(
    files: RunPaths, open_journal: OpenJournal
) -> None:
    journal = open_journal(1)
    for kind, data in (
        (Kind.WORKFLOW_STARTED, kinds.WorkflowStarted(workflow_ref="w", phases=["a"])),
        (Kind.OPERATOR_ORDER, kinds.OperatorOrder(order=kinds.Order.CANCEL)),
    ):
        journal.append(kind, data.model_dump(mode="json", exclude_none=True), sync=True)
    run = execution(plan_of(command("a")), open_journal(2), Scripted(forever))
    assert await run.run(fold(files.journal), ME, None) is RunStatus.CANCELLED


async def test_an_order_to_resume_goes_on_where_a_run_is_blocked(files: RunPaths, open_journal: OpenJournal) -> None:
    plan, effect = plan_of(command("a")), Scripted(lambda phase, attempt, note: lost_once(attempt))
    assert await execution(plan, open_journal(1), effect).run(RunState(), ME, None) is RunStatus.BLOCKED
    order = kinds.OperatorOrder(order=kinds.Order.RESUME, feedback="go on")
    run = execution(plan, open_journal(2), effect)
    assert await run.run(fold(files.journal), ME, order) is RunStatus.COMPLETED
    assert effect.log == ["perform a 1", "perform a 2"]
    contexts = [record.data.get("context") for record in iterate(files.journal) if record.kind == Kind.PHASE_STARTED]
    assert contexts == [None, "go on"]


async def test_a_verdict_of_the_plan_routes_the_run(files: RunPaths, open_journal: OpenJournal) -> None:
    async def act(phase: PlannedPhase, attempt: Intended, *_: object) -> dict[str, Any]:
        failed = phase.id == "test" and attempt.phase.attempt == 1
        return {"exit_code": 1 if failed else 0, "text": "1 failed", "verdict": Verdict.ADVANCE.value}

    spec = PlannedCommand(program="x", on_failure_verdict=Verdict.REWORK)
    test = PlannedPhase(id="test", mode=PhaseMode.COMMAND, command=spec)
    effect = Scripted(act)
    run = execution(plan_of(agent("build"), test), open_journal(1), effect)
    assert await run.run(RunState(), ME, None) is RunStatus.COMPLETED
    assert effect.log == ["perform build 1", "perform test 1", "perform build 2", "perform test 2"]
