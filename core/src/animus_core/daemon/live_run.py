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
