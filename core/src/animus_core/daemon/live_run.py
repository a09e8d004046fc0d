"""A run that is not over, as the daemon keeps it in memory: who executes it, and whether that runner is connected.

Values only. Each alternative is a type of its own (connected or silent; started by this daemon or adopted) and has only
the fields that make sense for it. So no field has to be checked for None. Nothing lies below.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from animus_core.daemon.events import RunIdentity
from animus_core.journal.kinds import OperatorOrder
from animus_core.store.paths import RunPaths
from animus_protocol.peer import Peer

__all__ = ["AdoptedRunner", "Connected", "Connection", "LiveRun", "OwnRunner", "Runner", "Silent"]


@dataclass(frozen=True)
class OwnRunner:
    """A runner that this daemon has started: its exit code will say how it left."""

    process: asyncio.subprocess.Process


@dataclass(frozen=True)
class AdoptedRunner:
    """The runner of an earlier daemon, if there is one at all: only the run's lock says when it has left."""


Runner = OwnRunner | AdoptedRunner


@dataclass(frozen=True)
class Connected:
    """The runner has dialled in and takes orders at `peer`."""

    peer: Peer


@dataclass(frozen=True)
class Silent:
    """The runner is not connected.

    `since`: the loop's clock when it was started, or when its connection ended. `unresponsive`: that is too long ago,
    and the log says so already.
    """

    since: float
    unresponsive: bool = False


Connection = Connected | Silent


@dataclass
class LiveRun:
    """One run with a runner, or about to have one.

    `order` is what an operator decided, kept until the journal has it. `journal_advanced` is set when there may be more
    to read.
    """

    identity: RunIdentity
    paths: RunPaths
    epoch: int
    connection: Connection
    # Kept until the journal has it: if a runner dies before it has written the order, the next one is given it again.
    order: OperatorOrder | None = None
    # In memory only: a new daemon begins to count anew, and so gives each run a few more tries.
    crashes_in_a_row: int = 0
    journal_advanced: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.identity.run_id

    @property
    def is_unresponsive(self) -> bool:
        """Whether its runner has been silent for too long."""
        return isinstance(self.connection, Silent) and self.connection.unresponsive

    def connect(self, peer: Peer) -> None:
        """Its runner has dialled in."""
        self.connection = Connected(peer)
        # While it was not connected, nobody said that the journal had advanced.
        self.journal_advanced.set()

    def disconnect(self, now: float) -> None:
        """Nobody is connected since `now` (the loop's clock): a runner is being started, or its connection ended."""
        self.connection = Silent(now)
        # Its last notice that the journal has advanced may have been lost with the connection.
        self.journal_advanced.set()

    def mark_unresponsive(self, since: float) -> None:
        """Its runner has not been connected since `since`, and that is too long."""
        self.connection = Silent(since, unresponsive=True)

    def note_progress(self) -> None:
        """A phase has moved: only crashes without progress count."""
        self.crashes_in_a_row = 0

    def note_order_written(self) -> None:
        """The journal has the order: the next runner finds it there."""
        self.order = None

    def note_crash(self) -> int:
        """Count the death of a runner; how many have died in a row."""
        self.crashes_in_a_row += 1
        return self.crashes_in_a_row

    def begin_epoch(self) -> int:
        """Move on to the next epoch, which the next runner gets; returns the epoch that is over."""
        self.epoch += 1
        return self.epoch - 1
