"""A run that is not over, as the daemon keeps it in memory: who it is, who executes it, whether that one is connected.

Values only. What changes is one field of one variant at a time, so nothing here has to be checked for None: a
connection is there or it is silent, a runner is a child of ours or it is not.
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
    """The runner has not dialled in since the moment `since` of the loop's clock, when it was started or last heard.

    `unresponsive`: that is too long, and it was said once.
    """

    since: float
    unresponsive: bool = False


Connection = Connected | Silent


@dataclass
class LiveRun:
    """One run with a runner, or about to have one.

    `order` is an operator's until the journal has it: a runner that dies before it has written it down must not take
    it along. `journal_advanced` is set when somebody says that there is more to read.
    """

    identity: RunIdentity
    paths: RunPaths
    epoch: int
    connection: Connection
    order: OperatorOrder | None = None
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
        """Its runner has dialled in, and may have written meanwhile."""
        self.connection = Connected(peer)
        self.journal_advanced.set()

    def disconnect(self, now: float) -> None:
        """Nobody is connected since `now` (the loop's clock): a runner is being started, or its connection ended."""
        self.connection = Silent(now)
        self.journal_advanced.set()

    def mark_unresponsive(self, since: float) -> None:
        """Its runner has said nothing since `since`, and that is too long."""
        self.connection = Silent(since, unresponsive=True)

    def note_progress(self) -> None:
        """A phase has moved: crashes count only while a run stands still."""
        self.crashes_in_a_row = 0

    def note_order_written(self) -> None:
        """The journal has the order: a next runner finds it there."""
        self.order = None

    def note_crash(self) -> int:
        """A runner has died; how many in a row by now."""
        self.crashes_in_a_row += 1
        return self.crashes_in_a_row

    def begin_epoch(self) -> int:
        """The next runner gets the next epoch; the one that is over."""
        self.epoch += 1
        return self.epoch - 1
