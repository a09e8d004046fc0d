"""A runner that cannot go on says why by its exit code, one for each cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from animus_core import errors
from animus_core.errors import AnimusError
from animus_core.journal.reader import JournalShrank, JournalUnreadable
from animus_core.journal.record import CorruptRecord
from animus_core.journal.runner_exit import RunnerExit
from animus_core.journal.writer import JournalBroken, JournalFull, JournalUnopened, StaleEpoch
from animus_core.runner.exits import AgentRunnerUnavailable, AttemptStillAlive, RunFilesDamaged, exit_of
from animus_core.workflow.run_state import IllegalRecord

JOURNAL = Path("journal.jsonl")
CAUSES: list[tuple[AnimusError, RunnerExit]] = [
    (JournalFull(JOURNAL, "no space left"), RunnerExit.NO_ROOM),
    (JournalBroken(JOURNAL, "I/O error"), RunnerExit.JOURNAL_UNUSABLE),
    (JournalUnopened("a folder stands there"), RunnerExit.JOURNAL_UNUSABLE),
    (JournalUnreadable("I/O error"), RunnerExit.JOURNAL_UNUSABLE),
    (CorruptRecord(JOURNAL, 3, "the checksum does not fit"), RunnerExit.JOURNAL_DAMAGED),
    (JournalShrank("cut"), RunnerExit.JOURNAL_DAMAGED),
    (IllegalRecord("a phase_outcome record cannot follow"), RunnerExit.JOURNAL_DAMAGED),
    (StaleEpoch("epoch 2 has written here"), RunnerExit.EPOCH_OVER),
    (RunFilesDamaged("plan.json"), RunnerExit.RUN_FILES_DAMAGED),
    (AgentRunnerUnavailable("it died five times"), RunnerExit.AGENT_RUNNER_UNAVAILABLE),
    (AttemptStillAlive("it cannot be ended"), RunnerExit.ATTEMPT_STILL_ALIVE),
    (errors.RetryLater("the lock file cannot be opened"), RunnerExit.NOT_AVAILABLE),
    (errors.Conflict("another lock"), RunnerExit.OTHER_ERROR),
    (errors.Internal("a fault of ours"), RunnerExit.OTHER_ERROR),
]


@pytest.mark.parametrize(("error", "code"), CAUSES, ids=lambda value: type(value).__name__)
def test_each_cause_has_its_exit_code(error: AnimusError, code: RunnerExit) -> None:
    assert exit_of(error) is code


def test_every_exit_code_but_done_has_a_cause() -> None:
    assert {code for _, code in CAUSES} == set(RunnerExit) - {RunnerExit.DONE}


def test_no_exit_code_is_one_that_python_or_a_shell_gives() -> None:
    assert all(code == 0 or 2 < code <= 100 for code in RunnerExit)
