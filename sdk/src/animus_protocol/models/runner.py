"""Between a workflow-runner and the daemon, over the control socket: hello, doorbell, orders.

A private protocol of the core's own processes, in the same form as the published ones. The journal file is the truth;
what is said here only makes somebody look at it sooner.
"""

from __future__ import annotations

from animus_protocol.models.base import Empty, Method, WireModel

__all__ = [
    "RUNNER_CANCEL",
    "RUNNER_DOORBELL",
    "RUNNER_HELLO",
    "RUNNER_STOP",
    "RunnerCancel",
    "RunnerDoorbell",
    "RunnerHello",
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


class RunnerDoorbell(WireModel):
    """The journal of `run` has grown to `offset` bytes."""

    run: str
    epoch: int
    offset: int


class RunnerCancel(WireModel):
    """The daemon asks: end the run as cancelled."""

    run: str
    reason: str


RUNNER_HELLO = Method("runner/hello", RunnerHello, Empty, "ADR 0002")
RUNNER_DOORBELL: Method[RunnerDoorbell, None] = Method("runner/doorbell", RunnerDoorbell, None, "ADR 0002")
RUNNER_CANCEL = Method("runner/cancel", RunnerCancel, Empty, "ADR 0002")
RUNNER_STOP = Method("runner/stop", Empty, Empty, "ADR 0002")
