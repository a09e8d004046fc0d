"""The loop of a run: ask what comes next, do it, journal it, fold it; until the run is over or waits.

The loop has no state of its own: the runner that holds the run's lock can begin it anew from the journal at any time.
Below lie `decide.py` (what comes next), the two kinds of effect, and the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

from animus_core.errors import InvalidInput
from animus_core.journal import kinds
from animus_core.journal.kinds import Kind, RecordData, read_data, truncate_to_fit
from animus_core.journal.reader import iterate
from animus_core.journal.writer import AppendRetries, JournalFull, JournalWriter
from animus_core.runner.decide import AppendRecord, Perform, Reconcile, Stop, next_step
from animus_core.workflow.plan import Plan, PlannedPhase
from animus_core.workflow.run_stages import Blocked, Ended, Intended, RunStatus
from animus_core.workflow.run_state import RunState, apply
from animus_protocol.crash_points import declare, reach

__all__ = ["Effect", "Execution", "fold"]

_log = logging.getLogger("animus.runner")
_UNSYNCED: Final = frozenset({Kind.AGENT_RECORD})

_INTENDED: Final = declare("runner.intended", "the intent is on disk, the effect has not begun")
_PERFORMED: Final = declare("runner.performed", "the effect is over, its outcome is not on disk")
_CONCLUDED: Final = declare("runner.concluded", "the outcome is on disk, nothing was decided from it")
_DECIDED: Final = declare("runner.decided", "the decision is on disk, the next phase has not begun")
_STARTED: Final = declare("runner.started", "the runner owns the run and has journaled nothing but that")
_ENDED: Final = declare("runner.ended", "the end of the run is on disk, the runner has not left")
_POINTS: Final = {
    Kind.RUNNER_STARTED: _STARTED,
    Kind.PHASE_INTENT: _INTENDED,
    Kind.PHASE_OUTCOME: _CONCLUDED,
    Kind.PHASE_DECISION: _DECIDED,
    Kind.WORKFLOW_COMPLETED: _ENDED,
}


class Effect(Protocol):
    """One way to do the work of a phase. Every wait in it has a deadline.

    Cancelling it means that this runner leaves: what can outlive a runner (an agent's session) goes on, and the next
    runner reconciles it; all else is ended.
    """

    async def perform(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        """Do it; `note` journals what happens meanwhile."""
        ...

    async def reconcile(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        """Find out what became of the effect that a runner began which is dead now; the outcome may be `lost`."""
        ...

    async def cancel_effect(self, phase: PlannedPhase, attempt: Intended) -> None:
        """End whatever of it is still going on, because an operator ends the run."""
        ...


def fold(path: Path) -> RunState:
    """The state that a journal amounts to; a missing one is a run that has not begun."""
    state = RunState()
    for record in iterate(path):
        state = apply(state, record.kind, read_data(record.kind, record.data), record.epoch)
    return state


class Execution:
    """One runner's work on one run. `cancel(reason)` ends the run as cancelled at the next possible moment."""

    def __init__(
        self,
        plan: Plan,
        journal: JournalWriter,
        effects: dict[str, Effect],
        journal_advanced: Callable[[int], None],
        append_retries: AppendRetries = AppendRetries(),  # noqa: B008 - a tuple of constants
    ) -> None:
        self.state = RunState()
        self._plan = plan
        self._journal = journal
        self._effects = effects
        self._journal_advanced = journal_advanced
        self._append_retries = append_retries
        self._cancel_reason: str | None = None
        self._cancelled = asyncio.Event()
        self._effect_task: asyncio.Task[kinds.PhaseOutcome] | None = None

    async def run(self, state: RunState, started: RecordData, order: kinds.OperatorOrder | None) -> RunStatus:
        """From `state` to the end of the run, or to where it must wait. Raises JournalFull, JournalBroken."""
        self.state = state
        # A runner that was started for a run that ended meanwhile: not even its own start may stand behind the end.
        if isinstance(state.at, Ended):
            return state.status
        await self._append_durably(Kind.RUNNER_STARTED, started)
        if order is not None:
            await self._append_durably(Kind.OPERATOR_ORDER, order)
        if self.state.order is not None and self.state.order.order is kinds.Order.CANCEL:
            self.cancel(self.state.order.feedback or "cancelled by an operator")
        while True:
            step = self._cancelled_step() or next_step(self._plan, self.state, self._journal.epoch, self._journal.run)
            match step:
                case Stop():
                    return self.state.status
                case AppendRecord(kind, data, wait_s):
                    if wait_s > 0 and await self._cancelled_within(wait_s):
                        continue
                    await self._append_durably(kind, data)
                case Perform(phase, attempt):
                    effect = self._effects[phase.mode]
                    outcome = await self._do(effect, phase, attempt, effect.perform(phase, attempt, self._note))
                    reach(_PERFORMED)
                    await self._append_durably(Kind.PHASE_OUTCOME, outcome)
                case Reconcile(phase, attempt):
                    effect = self._effects[phase.mode]
                    outcome = await self._do(effect, phase, attempt, effect.reconcile(phase, attempt, self._note))
                    await self._append_durably(Kind.PHASE_OUTCOME, outcome)

    def cancel(self, reason: str) -> None:
        """End the run as cancelled: the effect that is going on is ended first."""
        self._cancel_reason = reason
        self._cancelled.set()
        if self._effect_task is not None:
            self._effect_task.cancel()

    def _cancelled_step(self) -> AppendRecord | None:
        if self._cancel_reason is None:
            return None
        match self.state.at:
            case Ended():
                return None
            case Intended():  # its effect is cancelled first, and the outcome of that is journaled
                return None
            case Blocked():  # only an order ends this stage: journal one, as if the operator had just given it
                order = kinds.OperatorOrder(order=kinds.Order.CANCEL, feedback=self._cancel_reason)
                return AppendRecord(Kind.OPERATOR_ORDER, order)
            case _:
                return AppendRecord(Kind.WORKFLOW_CANCELLED, kinds.WorkflowEnded(reason=self._cancel_reason))

    async def _cancelled_within(self, wait_s: float) -> bool:
        """Wait for the backoff that the workflow asks for, or until an operator cancels. Whether one did."""
        try:
            async with asyncio.timeout(wait_s):
                return await self._cancelled.wait()
        except TimeoutError:
            return False

    async def _do(
        self, effect: Effect, phase: PlannedPhase, attempt: Intended, work: Coroutine[Any, Any, kinds.PhaseOutcome]
    ) -> kinds.PhaseOutcome:
        self._effect_task = asyncio.get_running_loop().create_task(work)
        try:
            # The order came between the intent and here. The effect has not begun, and its outcome must say so too.
            if self._cancel_reason is not None:
                self._effect_task.cancel()
            return await self._effect_task
        except asyncio.CancelledError:
            if self._cancel_reason is None:
                raise
            await effect.cancel_effect(phase, attempt)
            result, number = kinds.OutcomeKind.CANCELLED, attempt.phase.attempt
            return kinds.PhaseOutcome(phase=phase.id, attempt=number, result=result, text=self._cancel_reason)
        finally:
            self._effect_task = None

    def _note(self, record: kinds.AgentRecord) -> None:
        self._append(Kind.AGENT_RECORD, record)

    async def _append_durably(self, kind: Kind, data: RecordData) -> None:
        """Append durably. A full disk is waited for (10 s), because an outcome must not be thrown away for it."""
        for left in reversed(range(self._append_retries.tries)):
            try:
                self._append(kind, data)
                break
            except JournalFull as error:
                if not left:
                    raise
                _log.warning("%s (trying again)", error.message)
                await asyncio.sleep(self._append_retries.wait_s)  # no file system reports that it has space again
        point = _POINTS.get(kind)
        if point is not None:
            reach(point)

    def _append(self, kind: Kind, data: RecordData) -> None:
        payload = data.model_dump(mode="json", exclude_none=True)
        # Before the append: a record that the table refuses must never reach the journal, where it would stay.
        following = apply(self.state, kind, data, self._journal.epoch)
        sync = kind not in _UNSYNCED
        try:
            position = self._journal.append(kind, payload, sync=sync)
        except InvalidInput as error:  # what an agent says may be too big for a record, and must not end the run
            _log.warning("%s (it is cut)", error.message)
            payload = truncate_to_fit(payload)
            following = apply(self.state, kind, read_data(kind, payload), self._journal.epoch)
            position = self._journal.append(kind, payload, sync=sync)
        self.state = following
        self._journal_advanced(position.offset_end)
