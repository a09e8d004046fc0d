"""Event streams on the control socket: each subscriber reads the database from a cursor of its own.

Called by `table.py`; below lie the database and the bus. Nothing is buffered for anybody: a slow subscriber reads
later, and whoever comes back with the last id it saw gets each event once.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from animus_core.daemon.bus import Bus
from animus_core.errors import AnimusError, InvalidInput
from animus_core.store.database import Database
from animus_core.store.statements import Tx
from animus_protocol.dispatcher import Asker
from animus_protocol.errors import ProtocolError
from animus_protocol.models.common import StreamItem, Watching
from animus_protocol.models.control import daemon, workflow
from animus_protocol.peer import Peer

__all__ = ["Streams"]

_BATCH: Final = 200
_ID_DIGITS: Final = 19
_Send = Callable[[sqlite3.Row, Asker], None]


class Streams:
    """The open streams of all connections."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._tasks: dict[tuple[int, int | str], asyncio.Task[None]] = {}

    async def daemon_events(self, params: daemon.DaemonEventsParams, asker: Asker) -> Watching:
        """Every event after `since`; without it, from now on. Raises InvalidInput for a foreign cursor."""
        await self._open(asker, params.since, _send_daemon_event)
        return Watching()

    async def workflow_events(self, params: workflow.WorkflowEventsParams, asker: Asker) -> Watching:
        """The events of runs from now on, filtered by run and kind."""

        def send(row: sqlite3.Row, asker: Asker) -> None:
            data = json.loads(row["data"])
            run_id = data.get("workflow_id")
            if run_id is None or (params.workflow_id and params.workflow_id != run_id):
                return
            if params.kinds and row["kind"] not in params.kinds:
                return
            event = workflow.WorkflowEvent(workflow_id=run_id, kind=row["kind"], payload=data, occurred_at=row["at"])
            item = StreamItem[workflow.WorkflowEvent](id=asker.request_id, data=event)
            asker.peer.notify(workflow.WORKFLOW_EVENT, item)

        await self._open(asker, None, send)
        return Watching()

    def cancel(self, peer: Peer, request_id: int | str) -> None:
        """End the stream that a request opened."""
        task = self._tasks.get((id(peer), request_id))
        if task is not None:
            task.cancel()

    async def _open(self, asker: Asker, since: str | None, send: _Send) -> None:
        if since is None:
            cursor = int(await self._database.read(lambda tx: tx.scalar("event_last_id")))
        elif since.isdecimal() and len(since) < _ID_DIGITS:
            cursor = int(since)
        else:
            raise InvalidInput(f"{since!r} is no id of an event", hint="Give the id of the last event that you saw.")
        key = (id(asker.peer), asker.request_id)
        task = asyncio.get_running_loop().create_task(self._stream(asker, cursor, send))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))
        asker.peer.ended.add_done_callback(lambda _: task.cancel())

    async def _stream(self, asker: Asker, cursor: int, send: _Send) -> None:
        try:
            while True:
                version = self._bus.version
                rows = await self._database.read(partial(_events_after, event_id=cursor))
                for row in rows:
                    cursor = row["event_id"]
                    send(row, asker)
                    await asker.peer.drained()
                if not rows:
                    await self._bus.wait_beyond(version)
        except (AnimusError, ProtocolError):
            return  # the subscriber left, or the daemon is closing its database


def _events_after(tx: Tx, *, event_id: int) -> list[sqlite3.Row]:
    return tx.all("event_after", event_id=event_id, limit=_BATCH)


def _send_daemon_event(row: sqlite3.Row, asker: Asker) -> None:
    payload: Any = json.loads(row["data"])
    event = daemon.DaemonEvent(id=str(row["event_id"]), occurred_at=row["at"], kind=row["kind"], payload=payload)
    asker.peer.notify(daemon.DAEMON_EVENT, StreamItem[daemon.DaemonEvent](id=asker.request_id, data=event))
