"""The states of a supervised plugin as a table, and how many deaths it may die.

Decisions only: no clock of its own, no process.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from animus_core.errors import Internal
from animus_core.store.process_identity import resident_bytes
from animus_protocol.models.control.plugin import PluginStatusInfo

__all__ = ["Budget", "PluginState", "PluginStatus", "Restarts", "StateChange", "check_state_change"]


class PluginState(StrEnum):
    """What an operator sees of a supervised plugin."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    CRASHED = "crashed"
    BACKOFF = "backoff"
    DISABLED = "disabled"


_S = PluginState
_MOVES: Final[dict[PluginState, frozenset[PluginState]]] = {
    _S.STOPPED: frozenset({_S.STARTING}),
    _S.STARTING: frozenset({_S.READY, _S.CRASHED, _S.STOPPED}),
    _S.READY: frozenset({_S.DEGRADED, _S.CRASHED, _S.STOPPED}),
    _S.DEGRADED: frozenset({_S.READY, _S.CRASHED, _S.STOPPED}),
    _S.CRASHED: frozenset({_S.BACKOFF, _S.DISABLED, _S.STOPPED}),
    _S.BACKOFF: frozenset({_S.STARTING, _S.CRASHED, _S.STOPPED}),  # crashed: another process of the same provider
    _S.DISABLED: frozenset({_S.STOPPED}),
}


class StateChange(NamedTuple):
    """A plugin went from one state to another. `pid` is that of its process, where there is one."""

    plugin: str
    kind: str
    was: PluginState
    state: PluginState
    reason: str | None
    pid: int | None


class PluginStatus(NamedTuple):
    """What an operator sees of one plugin. Times in seconds.

    `failures` in a row; `failures_total` since its host began, which is `restarts` on the wire.
    """

    name: str
    kind: str
    state: PluginState
    pid: int | None
    uptime_s: float | None
    in_flight: int
    failures: int
    failures_total: int
    retry_in_s: float | None
    last_error: str | None

    def to_wire(self, hosted_by: str) -> PluginStatusInfo:
        """The same on the wire; `hosted_by` says which process of the core has it."""
        return PluginStatusInfo(
            name=self.name,
            kind=self.kind,
            state=self.state,
            hosted_by=hosted_by,
            pid=self.pid,
            uptime_ms=None if self.uptime_s is None else int(self.uptime_s * 1000),
            in_flight=self.in_flight,
            failures=self.failures,
            restarts=self.failures_total,
            retry_in_ms=None if self.retry_in_s is None else int(self.retry_in_s * 1000),
            memory_bytes=None if self.pid is None else resident_bytes(self.pid),
            last_error=self.last_error,
        )


def check_state_change(plugin: str, was: PluginState, state: PluginState) -> None:
    """Raise Internal for a move that is not in the table."""
    if state not in _MOVES[was]:
        raise Internal(f"plugin {plugin}: {was} cannot become {state}")


class Budget(NamedTuple):
    """The restart budget of a plugin: `attempts` in a row, each after a wait that doubles; times in seconds.

    `healthy_s` of life, or a finished session of a provider, begins the count anew.
    """

    attempts: int = 5
    first_s: float = 1.0
    most_s: float = 60.0
    healthy_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row: 1, 2, 4, … at most 60."""
        # The exponent is bounded, because 2.0 ** 1024 raises OverflowError and failures are counted without an end.
        return min(self.most_s, self.first_s * 2.0 ** min(30, max(0, failures - 1)))


class Restarts:
    """The count of one plugin's failures in a row, by the caller's clock (seconds)."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.failures = 0
        self.failures_total = 0
        self.last_error: str | None = None
        self.retry_at = 0.0

    @property
    def used_up(self) -> bool:
        """Whether it may not be started again until somebody says so."""
        return self.failures >= self.budget.attempts

    def failed(self, why: str, now: float, *, lived_s: float = 0.0) -> None:
        """Note a death after `lived_s` of life."""
        # Before this death is counted: it begins a new row, so no plugin is disabled for one death a day.
        if lived_s >= self.budget.healthy_s:
            self.failures = 0
        self.failures += 1
        self.failures_total += 1
        self.last_error = why
        self.retry_at = now + self.budget.wait_s(self.failures)

    def complained(self, complaint: str) -> None:
        """Note what is wrong with one that lives: an error to show, and no failure."""
        self.last_error = complaint

    def worked(self) -> None:
        """It did what it is for: the count begins anew."""
        self.failures = 0

    def reset(self) -> None:
        """An operator starts it again: nothing counts any more."""
        self.failures = 0
        self.retry_at = 0.0
