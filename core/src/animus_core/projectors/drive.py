"""Shows every fact to every projector: one task and one durable cursor each, at least once, in order.

Below lie the hooks, the database and the subject router. A fact that a projector cannot take parks its subject and not
the projector; a plugin that is away makes it wait.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple

from animus_core.errors import AnimusError, UnknownName
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.projectors.hooks import FactView, Projector
from animus_core.store.clock import utc_now_text
from animus_core.store.database import Database
from animus_core.store.statements import Tx
from animus_protocol.crash_points import declare, reach
from animus_protocol.errors import RpcError
from animus_protocol.models.subject import SubjectStatus

__all__ = ["PluginWaits", "ProjectorTask", "RoutedSubjects"]

_log = logging.getLogger("animus.projector")
_BATCH: Final = 100  # facts in memory at once; each is applied and its cursor moved before the next one

_PROJECTED: Final = declare("projector.projected", "a fact was applied and the cursor does not say so")


def _facts_after(tx: Tx, *, fact_seq: int) -> list[sqlite3.Row]:
    return tx.all("fact_after", fact_seq=fact_seq, limit=_BATCH)


class RoutedSubjects:
    """Subjects through their plugins, as projectors see them."""

    def __init__(self, router: SubjectRouter) -> None:
        self._router = router

    async def status_of(self, kind: str, subject_id: str) -> str | None:
        """The status; None when nobody serves the kind (`custom`) or the subject is gone."""
        try:
            return (await self._router.get(kind, subject_id)).status
        # Nobody serves the kind, so there is no status to move: this is not a failure.
        except UnknownName:
            return None
        except RpcError as error:
            if error.category == "not_found":
                return None
            raise

    async def move(self, kind: str, subject_id: str, status: str) -> None:
        """Set the status."""
        await self._router.set_status(kind, subject_id, SubjectStatus(status))


class PluginWaits(NamedTuple):
    """How long a projector waits for a plugin that is away: at first, and at most; twice as long each time."""

    first_s: float = 0.2
    most_s: float = 30.0


class ProjectorTask:
    """One projector at work. `wait` returns when a fact may have come."""

    def __init__(
        self,
        projector: Projector,
        database: Database,
        subjects: RoutedSubjects,
        wait: Callable[[int], Awaitable[int]],
        backoff: PluginWaits = PluginWaits(),  # noqa: B008 - a tuple of constants
    ) -> None:
        self._projector = projector
        self._database = database
        self._subjects = subjects
        self._wait = wait
        self._backoff = backoff
        # The daemon catches up at its end while the task still runs: two at once would apply a fact twice.
        self._lock = asyncio.Lock()

    async def run(self, version: int) -> None:
        """Project until cancelled."""
        while True:
            await self.caught_up()
            version = await self._wait(version)

    async def caught_up(self) -> None:
        """Return when every fact that was committed before the call is behind the cursor."""
        async with self._lock:
            await self._catch_up()

    async def _catch_up(self) -> None:
        name = self._projector.name
        while True:
            cursor = await self._database.read(lambda tx: tx.scalar("cursor_get", projector=name))
            rows = await self._database.read(partial(_facts_after, fact_seq=int(cursor or 0)))
            if not rows:
                return
            for row in rows:
                values = dict(row)
                await self._one(FactView(**{**values, "data": json.loads(values["data"])}))

    async def _one(self, fact: FactView) -> None:
        parked = await self._database.read(lambda tx: tx.one("parked_get", **self._key(fact)))
        error = None
        if parked is None:
            # Applied first, the cursor after it: a crash in between shows the fact again, and never loses one.
            error = await self._project(fact)
            reach(_PROJECTED)

        def commit(tx: Tx) -> None:
            if error is not None:
                tx.execute(
                    "parked_insert", **self._key(fact), fact_seq=fact.fact_seq, error=error, parked_at=utc_now_text()
                )
            tx.execute("cursor_set", projector=self._projector.name, fact_seq=fact.fact_seq)

        await self._database.write(commit)

    async def _project(self, fact: FactView) -> str | None:
        """Apply the fact, waiting for plugins that are away; the error when it cannot be applied at all."""
        wait_s = self._backoff.first_s
        while True:
            try:
                await self._projector.project(fact, self._subjects)
            # A plugin that is away: the fact waits, for whatever comes later about this subject builds on it.
            except AnimusError as error:
                _log.warning("%s: fact %s waits: %s", self._projector.name, fact.fact_id, error.message)
            except RpcError as error:
                # The backend's own no: it would say the same for ever, and everybody behind would wait for it.
                if error.category != "unavailable":
                    return self._parked(fact, error)
                _log.warning("%s: fact %s waits: %s", self._projector.name, fact.fact_id, error.message)
            except Exception as error:  # noqa: BLE001 - the boundary: a projector's fault parks one subject and no more
                return self._parked(fact, error)
            else:
                return None
            await asyncio.sleep(wait_s)  # the backoff of a plugin that is away
            wait_s = min(wait_s * 2, self._backoff.most_s)

    def _parked(self, fact: FactView, error: Exception) -> str:
        _log.error(
            "%s: subject %s is parked at fact %s: %s", self._projector.name, fact.subject_id, fact.fact_id, error
        )
        return f"{type(error).__name__}: {error}"

    def _key(self, fact: FactView) -> dict[str, str]:
        return {
            "projector": self._projector.name,
            "subject_kind": fact.subject_kind,
            "subject_id": fact.subject_id,
        }
