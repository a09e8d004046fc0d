"""Between a workflow-runner and the daemon, over the control socket: hello, journal advanced, orders.

A private protocol of the core's own processes, in the same form as the published ones. The journal file is the truth;
what is said here only has it read sooner.
"""

from __future__ import annotations

from animus_protocol.models.base import Empty, Method, WireModel

__all__ = [
    "RUNNER_CANCEL",
    "RUNNER_HELLO",
    "RUNNER_JOURNAL_ADVANCED",
    "RUNNER_STOP",
    "RunnerCancel",
    "RunnerHello",
    "RunnerJournalAdvanced",
]


class RunnerHello(WireModel):
    """A runner dials in, also after the daemon came back: who it is and how far its journal reaches (bytes)."""

    run: str
    epoch: int
    pid: int
    starttime: str
    boot_id: str
    version: str
    offset: int


class RunnerJournalAdvanced(WireModel):
    """The journal of `run` has grown to `offset` bytes: the daemon may read on."""

    run: str
    epoch: int
    offset: int


class RunnerCancel(WireModel):
    """The daemon asks: end the run as cancelled."""

    run: str
    reason: str


RUNNER_HELLO = Method("runner/hello", RunnerHello, Empty, "ADR 0002")
RUNNER_JOURNAL_ADVANCED: Method[RunnerJournalAdvanced, None] = Method(
    # The older name stays on the wire: runners go on while the daemon is upgraded under them.
    "runner/doorbell",
    RunnerJournalAdvanced,
    None,
    "ADR 0002",
)
RUNNER_CANCEL = Method("runner/cancel", RunnerCancel, Empty, "ADR 0002")
RUNNER_STOP = Method("runner/stop", Empty, Empty, "ADR 0002")
