"""An agent phase from the runner's side: followed across lost connections, truthful, cancelled only by an order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from animus_core.errors import RetryLater
from animus_core.journal import kinds
from animus_core.journal.kinds import OutcomeKind
from animus_core.runner.agent_phase import AgentEffect, RecordSink
from animus_core.workflow.definitions import PhaseMode
from animus_core.workflow.plan import Plan, PlannedPhase
from animus_core.workflow.run_stages import Intended, Started
from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.errors import Cancelled, Code, RpcError
from animus_protocol.models import agent_session as wire
from animus_protocol.models.base import Empty
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from animus_protocol.models.provider import AgentRunResponse
from animus_protocol.peer import Peer

Perform = Callable[..., Coroutine[Any, Any, tuple[Any, list[kinds.AgentRecord]]]]
PHASE = PlannedPhase(id="build", mode=PhaseMode.AGENT, tool="mock", directive="Do {{subject_id}}.", timeout_s=9)
ANSWER = AgentRunResponse(session_id="s-1", exit_code=0, output="done", duration_ms=5, backend="mock")
LIVE = wire.SessionOpened(state=wire.SessionState.LIVE, session_id="s-1", written=True, resumable=True)
Answer = Callable[[wire.SessionOpen, Peer], Coroutine[Any, Any, wire.SessionOpened]]


def attempt_of(mode: Any = "run", context: str | None = None, session_seq: int = 0) -> Intended:
    return Intended(
        Started(kinds.PhaseStarted(phase="build", ordinal=0, attempt=2, cause="retry", context=context)),
        intent=kinds.PhaseIntent(phase="build", attempt=2, effect="agent", mode=mode, session_id="s-1"),
        epoch=1,
        session_seq=session_seq,
    )


class FakeAgentRunner:
    """Answers each connection as the next entry of `answers` says; the last one answers all later ones."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, wire.SessionOpen]] = []
        self.cancelled: list[wire.SessionCancel] = []
        self.peers: list[Peer] = []

    async def link(self, sink: RecordSink) -> Peer:
        ours, theirs = socket.socketpair()
        ours_fd, theirs_fd = ours.detach(), theirs.detach()
        served, following = Dispatcher(), Dispatcher()
        served.answer(wire.SESSION_OPEN, lambda params, asker: self._open("run", params, asker))
        served.answer(wire.SESSION_RESUME, lambda params, asker: self._open("resume", params, asker))
        served.answer(wire.SESSION_CANCEL, self._cancel)
        following.on_notification(wire.SESSION_RECORD, lambda record, _: sink(record))
        self.peers.append(Peer(theirs_fd, theirs_fd, served, name="runner"))
        return Peer(ours_fd, ours_fd, following, name="agent-runner")

    async def _open(self, how: str, params: wire.SessionOpen, asker: Asker) -> wire.SessionOpened:
        self.asked.append((how, params))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(params, asker.peer)

    async def _cancel(self, params: wire.SessionCancel, _: Asker) -> Empty:
        self.cancelled.append(params)
        return Empty()

    async def close(self) -> None:
        for peer in self.peers:
            await peer.aclose()


def tell(peer: Peer, params: wire.SessionOpen, seq: int, kind: str, **data: Any) -> None:
    peer.notify(wire.SESSION_RECORD, wire.SessionRecord(session=params.session, seq=seq, kind=kind, data=data))


def tell_closed(peer: Peer, params: wire.SessionOpen, seq: int, end: wire.SessionEnd, **more: Any) -> None:
    closed = wire.SessionClosed(end=end, written=more.pop("written", True), **more)
    tell(peer, params, seq, wire.CLOSED, **closed.model_dump(mode="json", exclude_none=True))


async def answered(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
    for seq in range(1, 4):
        if seq > params.after_seq:
            tell(peer, params, seq, "output", text=str(seq))
    tell_closed(peer, params, 4, wire.SessionEnd.ANSWERED, response=ANSWER)
    return LIVE


@pytest.fixture
def perform(tmp_path: Path) -> Perform:
    async def run(agents: FakeAgentRunner, attempt: Intended | None = None) -> tuple[Any, list[kinds.AgentRecord]]:
        noted: list[kinds.AgentRecord] = []
        try:
            outcome = await effect_of(agents, tmp_path).perform(PHASE, attempt or attempt_of(), noted.append)
        finally:
            await agents.close()
        return outcome, noted

    return run


def effect_of(agents: FakeAgentRunner, root: Path) -> AgentEffect:
    dispatch = SubjectDispatch(
        subject=SubjectRef(kind="task", id="TASK-1", title="Fix it"),
        workflow_ref="w",
        trigger_source="test",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return AgentEffect(Plan(workflow_ref="w", name="w", phases=(PHASE,)), dispatch, "run-1", 3, root, agents.link)


async def test_what_the_agent_says_is_noted_and_its_answer_is_the_outcome(perform: Perform) -> None:
    agents = FakeAgentRunner(answered)
    outcome, noted = await perform(agents, attempt_of(context="no tests"))
    assert (outcome.result, outcome.exit_code, outcome.text) == (OutcomeKind.FINISHED, 0, "done")
    assert (outcome.session_id, outcome.attempt) == ("s-1", 2)
    assert [(record.session_seq, record.data["text"]) for record in noted] == [(1, "1"), (2, "2"), (3, "3")]
    ((how, asked),) = agents.asked
    assert (how, asked.session.attempt, asked.epoch, asked.request.timeout_secs) == ("run", 2, 3, 9)
    assert "Do TASK-1." in asked.request.prompt
    assert "no tests" in asked.request.prompt


async def test_a_resumed_session_is_asked_for_by_its_id_and_from_where_the_journal_ends(perform: Perform) -> None:
    agents = FakeAgentRunner(answered)
    _, noted = await perform(agents, attempt_of(mode="resume", session_seq=2))
    ((how, asked),) = agents.asked
    assert (how, asked.request.session_id, asked.after_seq) == ("resume", "s-1", 2)
    assert [record.session_seq for record in noted] == [3]


async def half(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
    tell(peer, params, 1, "output", text="1")
    tell(peer, params, 2, "output", text="2")
    asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(peer.aclose()))
    return LIVE


async def leaving(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
    raise Cancelled("the connection is being closed")


@pytest.mark.parametrize(("first", "after_seq"), [(half, 2), (leaving, 0)])
async def test_a_lost_connection_is_made_again_and_nothing_is_noted_twice(
    first: Answer, after_seq: int, perform: Perform
) -> None:
    agents = FakeAgentRunner(first, answered)
    outcome, noted = await perform(agents)
    assert outcome.result is OutcomeKind.FINISHED
    assert [record.session_seq for record in noted] == [1, 2, 3]
    assert [asked.after_seq for _, asked in agents.asked] == [0, after_seq]


async def test_an_agent_runner_that_keeps_dying_is_given_up(perform: Perform) -> None:
    agents = FakeAgentRunner(leaving)
    with pytest.raises(RetryLater, match="the agent-runner died 5 times during build"):
        await perform(agents)


@pytest.mark.parametrize(
    ("end", "result"),
    [
        (wire.SessionEnd.REFUSED, OutcomeKind.ERROR),
        (wire.SessionEnd.TIMED_OUT, OutcomeKind.TIMED_OUT),
        (wire.SessionEnd.CANCELLED, OutcomeKind.CANCELLED),
        (wire.SessionEnd.DIED, OutcomeKind.LOST),
    ],
)
@pytest.mark.parametrize("written", [True, False])
async def test_each_end_of_a_session_has_its_outcome(
    end: wire.SessionEnd, result: OutcomeKind, written: bool, perform: Perform
) -> None:
    async def close(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
        tell_closed(peer, params, 1, end, message="so it was", written=written, resumable=written)
        return LIVE

    outcome, _ = await perform(FakeAgentRunner(close))
    assert (outcome.result, outcome.text) == (result, "so it was")
    if end is wire.SessionEnd.DIED:
        assert (outcome.written, outcome.resumable, outcome.session_id) == (written, written, "s-1")


@pytest.mark.parametrize("written", [True, False])
async def test_an_interrupted_session_is_lost_and_says_how_far_it_came(written: bool, perform: Perform) -> None:
    async def interrupted(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
        state = wire.SessionState.INTERRUPTED
        return wire.SessionOpened(state=state, session_id="s-1", written=written, resumable=written)

    outcome, _ = await perform(FakeAgentRunner(interrupted))
    assert (outcome.result, outcome.written, outcome.resumable) == (OutcomeKind.LOST, written, written)


async def test_what_cannot_be_opened_now_is_for_an_operator_and_what_is_not_there_an_error(perform: Perform) -> None:
    async def refuse(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
        raise RpcError(Code.INTERNAL_ERROR, "no space left on device", {"category": "unavailable"})

    async def missing(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
        raise RpcError(Code.INVALID_PARAMS, "no provider", {"category": "not_found"})

    with pytest.raises(RetryLater, match="no space left on device"):
        await perform(FakeAgentRunner(refuse))
    outcome, _ = await perform(FakeAgentRunner(missing))
    assert (outcome.result, outcome.written) == (OutcomeKind.ERROR, False)


async def test_a_runner_that_leaves_lets_the_session_go_on_and_only_an_order_calls_it_off(tmp_path: Path) -> None:
    opened = asyncio.Event()

    async def endless(params: wire.SessionOpen, peer: Peer) -> wire.SessionOpened:
        opened.set()
        return LIVE

    agents = FakeAgentRunner(endless)
    effect = effect_of(agents, tmp_path)
    task = asyncio.ensure_future(effect.perform(PHASE, attempt_of(), lambda _: None))
    await opened.wait()
    task.cancel()
    await asyncio.wait([task])
    assert agents.cancelled == []
    await effect.cancel_effect(PHASE, attempt_of())
    assert [(cancel.session.attempt, cancel.epoch) for cancel in agents.cancelled] == [(2, 3)]
    await agents.close()
