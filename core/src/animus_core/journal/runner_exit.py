"""The exit codes of a runner, by which the daemon that started it learns why it has left.

All else that a runner knows is in its journal; a code says what the journal cannot say, mostly because it could not be
written. Codes are a format between versions: they are only ever added. None is 1 (an uncaught exception of Python),
2 (a faulty command line) or above 100 (shells and signals).
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["RunnerExit"]


class RunnerExit(IntEnum):
    """The exit codes of a workflow-runner; any other one is a crash.

    5 was the code of earlier versions for anything that was unavailable; most often that was space on the disk.
    """

    DONE = 0
    """The run is over or waits for a person, or the runner was asked to stop in the middle of it."""
    NO_ROOM = 5
    """The journal could not grow: the disk is full, or a quota or a size limit is reached."""
    JOURNAL_UNUSABLE = 20
    """The journal could not be opened, read or flushed: what was written last may be lost."""
    JOURNAL_DAMAGED = 21
    """The journal has content that no runner can have written."""
    EPOCH_OVER = 22
    """A runner with a higher epoch has written the journal."""
    RUN_FILES_DAMAGED = 23
    """The run's plan or dispatch cannot be read."""
    AGENT_RUNNER_UNAVAILABLE = 24
    """No agent-runner could be started, it opens no session, or it died again and again."""
    ATTEMPT_STILL_ALIVE = 25
    """A process of an earlier attempt cannot be ended, so that nothing may begin beside it."""
    NOT_AVAILABLE = 26
    """Something else that a runner needs is not there, a lock file for example."""
    OTHER_ERROR = 27
    """Any other error that the runner has caught: its log says which."""
