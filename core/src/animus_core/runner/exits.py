"""Which exit code an error has: by it the daemon learns why a runner cannot go on.

Below lie the errors of the journal and of a runner's effects.
"""

from __future__ import annotations

from typing import Final

from animus_core.errors import AnimusError, Internal, RetryLater
from animus_core.journal.reader import JournalShrank, JournalUnreadable
from animus_core.journal.record import CorruptRecord
from animus_core.journal.runner_exit import RunnerExit
from animus_core.journal.writer import JournalBroken, JournalFull, JournalUnopened, StaleEpoch
from animus_core.workflow.run_state import IllegalRecord

__all__ = ["AgentRunnerUnavailable", "AttemptStillAlive", "RunFilesDamaged", "exit_of"]


class AgentRunnerUnavailable(RetryLater):
    """The project's agent-runner cannot be reached, opens no session, or died again and again."""


class AttemptStillAlive(RetryLater):
    """A process of an earlier attempt cannot be ended."""


class RunFilesDamaged(Internal):
    """The run's plan or dispatch cannot be read."""


_EXITS: Final[tuple[tuple[type[AnimusError], RunnerExit], ...]] = (
    (JournalFull, RunnerExit.NO_ROOM),
    (JournalBroken, RunnerExit.JOURNAL_UNUSABLE),
    (JournalUnopened, RunnerExit.JOURNAL_UNUSABLE),
    (JournalUnreadable, RunnerExit.JOURNAL_UNUSABLE),
    (CorruptRecord, RunnerExit.JOURNAL_DAMAGED),
    (JournalShrank, RunnerExit.JOURNAL_DAMAGED),
    (IllegalRecord, RunnerExit.JOURNAL_DAMAGED),
    (StaleEpoch, RunnerExit.EPOCH_OVER),
    (RunFilesDamaged, RunnerExit.RUN_FILES_DAMAGED),
    (AgentRunnerUnavailable, RunnerExit.AGENT_RUNNER_UNAVAILABLE),
    (AttemptStillAlive, RunnerExit.ATTEMPT_STILL_ALIVE),
    (RetryLater, RunnerExit.NOT_AVAILABLE),
    (AnimusError, RunnerExit.OTHER_ERROR),
)
"""The first row that fits is the answer, so a class stands above its base."""


def exit_of(error: AnimusError) -> RunnerExit:
    """The exit code of a runner that `error` has ended."""
    return next(code for kind, code in _EXITS if isinstance(error, kind))
