"""An agent phase: a session at the agent-runner, followed until it closes, across the death of either side.

The session's spool at the agent-runner is the truth; the number of the last record that the journal has is where the
next connection goes on. Below lies the connection to the agent-runner, which `app` provides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from animus_core.errors import AnimusError
from animus_core.journal import kinds
from animus_core.journal.kinds import OutcomeKind
from animus_core.journal.writer import AppendRetries, JournalFull
from animus_core.runner.exits import AgentRunnerUnavailable
from animus_core.runner.prompt import build_prompt, run_variables
from animus_core.workflow.plan import Plan, PlannedPhase
from animus_core.workflow.run_stages import Intended
from animus_protocol.errors import CallTimeout, Cancelled, PeerGone, ProtocolError, RpcError
from animus_protocol.models import agent_session as wire
from animus_protocol.models.dispatch import SubjectDispatch
from animus_protocol.models.provider import AgentRunRequest
from animus_protocol.peer import Peer

__all__ = ["AgentEffect", "AgentLink", "RecordSink"]

_log = logging.getLogger("animus.runner")
_OPEN_S: Final = 30.0
"""An agent-runner answers once the attempt's lock is free: it may have to end what is left of an earlier attempt."""
_CANCEL_S: Final = 20.0
_ROOM: Final = AppendRetries()
_MAX_AGENT_RUNNER_DEATHS: Final = 5
"""After this many deaths during one session the phase is given up: the next would probably die of the same cause."""

RecordSink = Callable[[wire.SessionRecord], None]
AgentLink = Callable[[RecordSink], Awaitable[Peer]]
"""Connects to the project's agent-runner (starting it when there is none) and gives every record to the sink."""


class AgentEffect:
    """Runs agent phases of one run. If the agent-runner dies, the next one is asked what became of the session."""

    def __init__(
        self, plan: Plan, dispatch: SubjectDispatch, run_id: str, epoch: int, root: Path, link: AgentLink
    ) -> None:
        self._plan = plan
        self._dispatch = dispatch
        self._run_id = run_id
        self._epoch = epoch
        self._root = root
        self._link = link

    async def perform(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        """Open the session and follow it to its end."""
        return await self._follow(phase, attempt, note)

    async def reconcile(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        """Follow the session that an earlier runner intended; if it was never opened, it is opened now."""
        return await self._follow(phase, attempt, note)

    async def cancel_effect(self, phase: PlannedPhase, attempt: Intended) -> None:
        """Have the session ended: `agent/cancel`, `$/cancelRequest`, signals."""
        params = wire.SessionCancel(session=self._key(attempt.intent), epoch=self._epoch)
        try:
            peer = await self._link(lambda _: None)
            try:
                await peer.call(wire.SESSION_CANCEL, params, timeout_s=_CANCEL_S)
            finally:
                await peer.aclose()
        except (AnimusError, ProtocolError) as error:
            _log.warning("cancelling the session failed: %s", error)

    async def _follow(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        seen = attempt.session_seq  # an earlier runner may have journaled part of the session
        died = full = 0
        while died < _MAX_AGENT_RUNNER_DEATHS:
            following = _Following(phase, attempt, note, seen)
            peer = await self._link(following.take)
            try:
                return await self._once(peer, following, phase, attempt)
            except (PeerGone, CallTimeout, Cancelled) as error:
                _log.warning("the agent-runner is gone (%s); asking the next one", error)
                died += 1
            except JournalFull as error:  # the spool keeps what does not fit into the journal
                full = 1 if following.seen > seen else full + 1
                if full >= _ROOM.tries:
                    raise
                _log.warning("%s (trying again)", error.message)
                await asyncio.sleep(_ROOM.wait_s)  # no file system reports that it has space again
            finally:
                seen = following.seen
                await peer.aclose()
        raise AgentRunnerUnavailable(f"the agent-runner died {_MAX_AGENT_RUNNER_DEATHS} times during {phase.id}")

    async def _once(
        self, peer: Peer, following: _Following, phase: PlannedPhase, attempt: Intended
    ) -> kinds.PhaseOutcome:
        params = wire.SessionOpen(
            session=self._key(attempt.intent),
            epoch=self._epoch,
            tool=phase.tool or "",
            request=self._request(phase, attempt),
            after_seq=following.seen,
        )
        method = wire.SESSION_RESUME if attempt.intent.mode == "resume" else wire.SESSION_OPEN
        try:
            opened = await peer.call(method, params, timeout_s=_OPEN_S)
        except Cancelled:  # the agent-runner is leaving
            raise
        except RpcError as error:
            if error.category == "unavailable":
                why = f"{phase.id}: the agent-runner cannot open a session: {error.message}"
                raise AgentRunnerUnavailable(why) from error
            return following.outcome(OutcomeKind.ERROR, str(error), written=False)
        # The spool ends in the middle and its process is dead: what the spool knows decides whether to repeat it.
        if opened.state is wire.SessionState.INTERRUPTED:
            outcome = following.outcome(OutcomeKind.LOST, "its agent-runner died", written=opened.written)
            return outcome.model_copy(update={"resumable": opened.resumable, "session_id": opened.session_id})
        closed = await self._until_closed(peer, following)
        return _outcome(following, closed, opened.session_id)

    async def _until_closed(self, peer: Peer, following: _Following) -> wire.SessionClosed:
        ends: list[asyncio.Future[Any]] = [following.closed, peer.ended]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if following.closed.done():
            return following.closed.result()
        raise PeerGone(f"the agent-runner is gone: {peer.ended.result()}")

    def _key(self, intent: kinds.PhaseIntent) -> wire.SessionKey:
        return wire.SessionKey(run=self._run_id, phase=intent.phase, attempt=intent.attempt)

    def _request(self, phase: PlannedPhase, attempt: Intended) -> AgentRunRequest:
        variables = run_variables(self._plan, self._dispatch, self._run_id, attempt.phase)
        subject = self._dispatch.subject
        return AgentRunRequest(
            prompt=build_prompt(phase, self._dispatch, variables, attempt.phase.context),
            cwd=str(self._root),
            project_root=str(self._root),
            model=phase.model,
            system_prompt=phase.system_prompt,
            session_id=attempt.intent.session_id or f"{self._run_id}.{phase.id}.{attempt.intent.attempt}",
            timeout_secs=phase.timeout_s,
            runtime_contract={
                "workflow_id": self._run_id,
                "phase_id": phase.id,
                "attempt": attempt.phase.attempt,
                "subject_id": subject.id,
                "subject_kind": subject.kind,
            },
        )


class _Following:
    """What has been received of a session on one connection."""

    def __init__(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None], seen: int
    ) -> None:
        self._phase = phase
        self._attempt = attempt.intent.attempt
        self._note = note
        self.seen = seen
        self.closed: asyncio.Future[wire.SessionClosed] = asyncio.get_running_loop().create_future()

    def take(self, record: wire.SessionRecord) -> None:
        """Journal one record, unless it was received before; the closing record ends the wait instead."""
        if record.seq <= self.seen or self.closed.done():
            return
        try:
            if record.kind == wire.CLOSED:
                self.closed.set_result(wire.SessionClosed.model_validate(record.data))
                return
            self._note(
                kinds.AgentRecord(
                    phase=self._phase.id,
                    attempt=self._attempt,
                    session_seq=record.seq,
                    kind=record.kind,
                    data=record.data,
                )
            )
            self.seen = record.seq
        except Exception as error:  # noqa: BLE001 - a journal that is full ends the phase, not the connection's reader
            self.closed.set_exception(error)

    def outcome(self, result: OutcomeKind, text: str, *, written: bool = True) -> kinds.PhaseOutcome:
        """An outcome of this attempt."""
        return kinds.PhaseOutcome(
            phase=self._phase.id, attempt=self._attempt, result=result, text=text, written=written
        )


def _outcome(following: _Following, closed: wire.SessionClosed, session_id: str) -> kinds.PhaseOutcome:
    response = closed.response
    match closed.end:
        case wire.SessionEnd.ANSWERED if response is not None:
            usage = response.tokens_used
            fields: dict[str, Any] = {
                "exit_code": response.exit_code,
                "verdict": response.decision_verdict,
                "duration_ms": response.duration_ms,
                "tokens": usage.model_dump(exclude_none=True) if usage else None,
                "session_id": response.session_id,
            }
            return following.outcome(OutcomeKind.FINISHED, response.output).model_copy(update=fields)
        case wire.SessionEnd.DIED | wire.SessionEnd.UNKNOWN:
            fields = {"resumable": closed.resumable, "session_id": session_id}
            text = closed.message or "the provider died"
            return following.outcome(OutcomeKind.LOST, text, written=closed.written).model_copy(update=fields)
        case wire.SessionEnd.TIMED_OUT:
            return following.outcome(OutcomeKind.TIMED_OUT, closed.message or "timed out")
        case wire.SessionEnd.CANCELLED:
            return following.outcome(OutcomeKind.CANCELLED, closed.message or "cancelled")
        case _:
            return following.outcome(OutcomeKind.ERROR, closed.message or "the provider refused")
