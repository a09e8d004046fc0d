"""Whether work may start at all: only what the operator trusts is executed, and the daemon says when that changes.

Called by the loop each tick; below lie the trust gate, the database and the bus. While the gate is closed nothing is
held or lost: entries keep their places, runs that are under way go on with their snapshots.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from animus_core.daemon.bus import Bus
from animus_core.daemon.queue import QueueEntry
from animus_core.store.clock import utc_now_text
from animus_core.store.database import Database
from animus_core.store.statements import Tx
from animus_core.supply.trust.trust import TRUST_HINT, Trust, TrustGate
from animus_core.workflow.plan import Plan
from animus_protocol.models.base import encode

__all__ = ["Admission", "PlanFor"]

_log = logging.getLogger("animus.daemon")
_SHOWN_CHANGES: Final = 20

PlanFor = Callable[[QueueEntry], Awaitable[Plan]]
"""The snapshot that a run of this entry executes. Raises AnimusError when there can be none."""


class Admission:
    """The gate of one daemon. The given `plan_for` looks at the trust again, before and after it reads the files."""

    def __init__(
        self,
        gate: TrustGate,
        database: Database,
        bus: Bus,
        plan_for: PlanFor,
        opened: Callable[[], Awaitable[None]],
    ) -> None:
        self._plan_for = plan_for
        self._gate = gate
        self._database = database
        self._bus = bus
        self._opened = opened
        self._was_open = True

    async def admits(self) -> bool:
        """Whether new work may start now. A change is logged, recorded as an event, and told to `opened`."""
        trust = await asyncio.to_thread(self._gate.check)
        if trust.trusted is not self._was_open:
            await self._database.write(lambda tx: _tell(tx, trust))
            self._was_open = trust.trusted
            self._bus.publish()
            if trust.trusted:
                _log.info("work starts again: %s", trust.reason)
                await self._opened()
            else:
                _log.warning("no work starts, nothing of this repository is executed: %s\n%s", trust.reason, TRUST_HINT)
        return trust.trusted

    async def plan_for(self, entry: QueueEntry) -> Plan:
        """What a run of `entry` executes. Raises NotTrusted, or another AnimusError when there can be no plan."""
        return await self._plan_for(entry)


def _tell(tx: Tx, trust: Trust) -> None:
    if trust.trusted:
        _event(tx, "trust_given", {"reason": trust.reason, "digest": trust.digest})
        return
    changes = [change._asdict() for change in trust.changes[:_SHOWN_CHANGES]]
    _event(tx, "trust_needed", {"reason": trust.reason, "digest": trust.digest, "changes": changes})


def _event(tx: Tx, kind: str, data: dict[str, Any]) -> None:
    tx.execute("event_insert", run_id=None, seq=None, kind=kind, at=utc_now_text(), data=encode(data).decode())
