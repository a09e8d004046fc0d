"""Whether work may start at all: only what the operator trusts is executed, and the daemon says when that changes.

It is asked at each tick. While nothing is admitted nothing is held or lost: entries keep their places, runs that are
under way go on with their snapshots. Below lie the trust check, the events and the commit signal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.events import record_event, trust_event
from animus_core.daemon.queue_entry import QueueEntry
from animus_core.errors import TRUST_HINT
from animus_core.store.database import Database
from animus_core.supply.trust.trust import TrustCheck
from animus_core.workflow.plan import Plan

__all__ = ["Admission", "PlanFor"]

_log = logging.getLogger("animus.daemon")

PlanFor = Callable[[QueueEntry], Awaitable[Plan]]
"""The snapshot that a run of this entry executes. Raises AnimusError when there can be none."""


class Admission:
    """Admission of one daemon. The given `plan_for` checks the trust again, before and after it reads the files.

    `on_admitted` is called when work may start that could not start before.
    """

    def __init__(
        self,
        check: TrustCheck,
        database: Database,
        commit_signal: CommitSignal,
        plan_for: PlanFor,
        on_admitted: Callable[[], Awaitable[None]],
    ) -> None:
        self._plan_for = plan_for
        self._check = check
        self._database = database
        self._commit_signal = commit_signal
        self._on_admitted = on_admitted
        self._was_admitting = True

    async def admits(self) -> bool:
        """Whether new work may start now. A change is logged and recorded as an event."""
        trust = await asyncio.to_thread(self._check.check)
        if trust.trusted is not self._was_admitting:
            await self._database.write(lambda tx: record_event(tx, trust_event(trust)))
            self._was_admitting = trust.trusted
            self._commit_signal.publish()
            if trust.trusted:
                _log.info("work starts again: %s", trust.reason)
                await self._on_admitted()
            else:
                _log.warning("no work starts, nothing of this repository is executed: %s\n%s", trust.reason, TRUST_HINT)
        return trust.trusted

    async def plan_for(self, entry: QueueEntry) -> Plan:
        """What a run of `entry` executes. Raises NotTrusted, or another AnimusError when there can be no plan."""
        return await self._plan_for(entry)
