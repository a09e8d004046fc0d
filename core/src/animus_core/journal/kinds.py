"""What a run's journal says: the kinds of records and the data of each, as typed models.

These are formats: fields are only ever added, with defaults. Nothing lies below.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from animus_protocol.models.verdict import VerdictWord

__all__ = [
    "DATA",
    "AgentRecord",
    "Kind",
    "OperatorOrder",
    "Order",
    "OutcomeKind",
    "PhaseDecision",
    "PhaseIntent",
    "PhaseOutcome",
    "PhaseStarted",
    "RecordData",
    "RunnerStarted",
    "WorkflowBlocked",
    "WorkflowEnded",
    "WorkflowStarted",
    "read_data",
    "truncate_to_fit",
]


class Kind(StrEnum):
    """The kinds of records; as events on the wire they bear the same names."""

    RUNNER_STARTED = "runner_started"
    OPERATOR_ORDER = "operator_order"
    WORKFLOW_STARTED = "workflow_started"
    PHASE_STARTED = "phase_started"
    PHASE_INTENT = "phase_intent"
    AGENT_RECORD = "agent_record"
    PHASE_OUTCOME = "phase_outcome"
    PHASE_DECISION = "phase_decision"
    WORKFLOW_COMPLETED = "workflow_completed"
    WORKFLOW_FAILED = "workflow_failed"
    WORKFLOW_BLOCKED = "workflow_blocked"
    WORKFLOW_CANCELLED = "workflow_cancelled"


class RecordData(BaseModel):
    """Base: an older reader ignores what a newer writer adds."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class RunnerStarted(RecordData):
    """A runner process took the run over; one record an epoch."""

    pid: int
    starttime: str
    boot_id: str
    version: str


class Order(StrEnum):
    """What an operator may ask of a run that waits."""

    RESUME = "resume"
    CANCEL = "cancel"


class OperatorOrder(RecordData):
    """An operator decided about a blocked run."""

    order: Order
    feedback: str | None = None


class WorkflowStarted(RecordData):
    """The run began."""

    workflow_ref: str
    phases: list[str]


Cause = Literal["first", "next", "rework", "retry", "recovered", "resumed"]


class PhaseStarted(RecordData):
    """An attempt of a phase begins. `ordinal` is its place in the plan; `attempt` counts over the whole run.

    `context` is why the phase is done again, for the agent to read.
    """

    phase: str
    ordinal: int
    attempt: int
    cause: Cause
    context: str | None = None


class PhaseIntent(RecordData):
    """The effect of this attempt is about to happen; on disk before it does."""

    phase: str
    attempt: int
    effect: Literal["agent", "command"]
    mode: Literal["run", "resume"] = "run"
    session_id: str | None = None


class AgentRecord(RecordData):
    """Something an agent did, copied from its session's spool, where it has the number `session_seq`."""

    phase: str
    attempt: int
    session_seq: int
    kind: str
    data: dict[str, Any] = Field(default_factory=dict)


class OutcomeKind(StrEnum):
    """What became of an effect. `lost`: the process that did it is proved dead and nobody knows how far it came."""

    FINISHED = "finished"
    ERROR = "error"
    TIMED_OUT = "timed-out"
    CANCELLED = "cancelled"
    LOST = "lost"


class PhaseOutcome(RecordData):
    """The effect is over; on disk before anything is concluded from it.

    `verdict` is what the agent itself said (`decision_verdict`), `text` the answer or the tail of the output,
    `written` whether the effect may have happened at all, `resumable` whether its session can be resumed.
    """

    phase: str
    attempt: int
    result: OutcomeKind
    exit_code: int | None = None
    verdict: Any = None
    text: str = ""
    written: bool = True
    resumable: bool = False
    session_id: str | None = None
    duration_ms: int = 0
    tokens: dict[str, int] | None = None


class PhaseDecision(RecordData):
    """What follows from an outcome: the transition of the run.

    `target` is the phase id to go to; empty: nowhere, the run ends.
    """

    phase: str
    attempt: int
    verdict: VerdictWord
    target: str = ""
    reason: str = ""
    source: Literal["agent", "command", "default", "contract", "operator"] = "default"
    confidence: float | None = None
    risk: str | None = None


class WorkflowEnded(RecordData):
    """The run is over: completed, failed or cancelled, as the record's kind says."""

    phase: str | None = None
    reason: str = ""


class WorkflowBlocked(RecordData):
    """The run waits for a person; `hint` is the command that continues it."""

    phase: str
    attempt: int
    reason: str
    hint: str


DATA: Final[dict[Kind, type[RecordData]]] = {
    Kind.RUNNER_STARTED: RunnerStarted,
    Kind.OPERATOR_ORDER: OperatorOrder,
    Kind.WORKFLOW_STARTED: WorkflowStarted,
    Kind.PHASE_STARTED: PhaseStarted,
    Kind.PHASE_INTENT: PhaseIntent,
    Kind.AGENT_RECORD: AgentRecord,
    Kind.PHASE_OUTCOME: PhaseOutcome,
    Kind.PHASE_DECISION: PhaseDecision,
    Kind.WORKFLOW_COMPLETED: WorkflowEnded,
    Kind.WORKFLOW_FAILED: WorkflowEnded,
    Kind.WORKFLOW_BLOCKED: WorkflowBlocked,
    Kind.WORKFLOW_CANCELLED: WorkflowEnded,
}


_CHARS: Final = 60_000
_TEXT_CHARS: Final = 50_000
_ITEM_CHARS: Final = 8
_DEPTH: Final = 50


def truncate_to_fit(data: dict[str, Any]) -> dict[str, Any]:
    """`data` cut down to the size of a record: an agent may say more than that, and must not break a run by it.

    A text that is cut ends with a note. Small values are kept rather than big ones, and every value keeps its type.
    """
    kept = _cut(data, [_CHARS], 0)
    return {name: kept[name] if name in kept else _cut(value, [0], 0) for name, value in data.items()}


def _cut(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= _ITEM_CHARS
    room = 0 if depth > _DEPTH else max(0, left[0])
    match value:
        case str():
            text = value
            if len(value) > min(room, _TEXT_CHARS):
                text = f"{value[: min(room, _TEXT_CHARS)]}… (cut, {len(value)} characters)" if room else ""
            left[0] -= len(text)
            return text
        case list():
            return [_cut(item, left, depth + 1) for item in value[: room // _ITEM_CHARS] if left[0] > 0]
        case dict():
            kept = {}
            for name in sorted(value, key=lambda name: _size(value[name], depth)):
                if room and left[0] > len(name):
                    left[0] -= len(name)
                    kept[name] = _cut(value[name], left, depth + 1)
            return {name: kept[name] for name in value if name in kept}
        case int() if value.bit_length() > 64:
            return 0
        case _:
            return value


def _size(value: Any, depth: int) -> int:
    """Roughly how many characters `value` takes; what nests too deep counts as huge."""
    if depth > _DEPTH:
        return _CHARS
    match value:
        case str():
            return len(value)
        case list():
            return sum(_size(item, depth + 1) + _ITEM_CHARS for item in value)
        case dict():
            return sum(len(name) + _size(item, depth + 1) + _ITEM_CHARS for name, item in value.items())
        case _:
            return _ITEM_CHARS


def read_data(kind: str, data: dict[str, Any]) -> RecordData | None:
    """The typed data of a record; None for a kind that this version does not know."""
    if kind not in Kind.__members__.values():
        return None
    return DATA[Kind(kind)].model_validate(data)
