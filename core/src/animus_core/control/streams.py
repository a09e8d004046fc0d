"""Streams on the control socket: events, which each subscriber reads from a cursor of its own, and subjects' changes.

Below lie the database, the commit signal, and the watches of subjects. Nothing is buffered: a slow subscriber reads
events later, and a subscriber that comes back with the last id it saw gets each event once. A slow watcher of subjects
gets the state that several changes have led to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.errors import AnimusError, InvalidInput
from animus_core.kinds.subjects.watch import SubjectWatch
from animus_core.store.database import Database
from animus_core.store.statements import Tx
from animus_protocol.dispatcher import Asker
from animus_protocol.errors import ProtocolError, RpcError
from animus_protocol.models.common import StreamItem, SubscriptionClosed, Watching
from animus_protocol.models.control import daemon, subject, workflow
from animus_protocol.models.subject import SubjectChangedEvent
from animus_protocol.peer import Peer

__all__ = ["Streams"]

_log = logging.getLogger("animus.control")
_BATCH: Final = 200  # rows in memory for one slow subscriber
_ID_DIGITS: Final = 19  # as many as 2^63 has: every shorter number fits an id of SQLite
_Send = Callable[[sqlite3.Row, Asker], None]


class Streams:
    """The open streams of all connections."""

    def __init__(self, database: Database, commit_signal: CommitSignal) -> None:
        self._database = database
        self._commit_signal = commit_signal
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

    async def subject_changes(self, watches: Sequence[SubjectWatch], asker: Asker) -> Watching:
        """Stream the changes that the watches report. The reply comes when every watch has begun.

        Raises what keeps one of them from beginning. What ends one later ends the stream: `subscription/closed`.
        """
        peer = asker.peer
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._keep(peer, asker.request_id, _send_changes(watches, asker, opened))
        try:
            await opened
        except asyncio.CancelledError:
            task.cancel()
            raise
        return Watching()

    def cancel(self, peer: Peer, request_id: int | str) -> None:
        """End the stream that a request opened."""
        task = self._tasks.get((id(peer), request_id))
        if task is not None:
            task.cancel()

    async def _open(self, asker: Asker, since: str | None, send: _Send) -> None:
        if since is None:
            # Read before the reply: everything after it belongs to the stream, however long the reply takes.
            cursor = int(await self._database.read(lambda tx: tx.scalar("event_last_id")))
        elif since.isdecimal() and len(since) < _ID_DIGITS:
            cursor = int(since)
        else:
            raise InvalidInput(
                f"{since!r} is not the id of an event", hint="Give the id of the last event that you saw."
            )
        peer = asker.peer
        self._keep(peer, asker.request_id, self._stream(asker, cursor, send))

    def _keep(self, peer: Peer, request_id: int | str, stream: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        key = (id(peer), request_id)
        task = asyncio.get_running_loop().create_task(stream)
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))
        peer.ended.add_done_callback(lambda _: task.cancel())
        return task

    async def _stream(self, asker: Asker, cursor: int, send: _Send) -> None:
        try:
            while True:
                # Before the read: what is published between the two then ends the wait, and no event is slept over.
                version = self._commit_signal.version
                rows = await self._database.read(partial(_events_after, event_id=cursor))
                for row in rows:
                    cursor = row["event_id"]
                    # Drained after each: a client that does not read holds up its own stream, and costs no memory.
                    send(row, asker)
                    await asker.peer.drained()
                if not rows:
                    await self._commit_signal.wait_newer_than(version)
        except (AnimusError, ProtocolError):
            return  # the subscriber left, or the daemon is closing its database


async def _send_changes(watches: Sequence[SubjectWatch], asker: Asker, opened: asyncio.Future[None]) -> None:
    async def on_change(event: SubjectChangedEvent) -> None:
        asker.peer.notify(subject.SUBJECT_CHANGED, StreamItem[SubjectChangedEvent](id=asker.request_id, data=event))
        await asker.peer.drained()

    try:
        async with asyncio.TaskGroup() as group:
            for watch in watches:
                group.create_task(watch.run(on_change))
            for watch in watches:
                await watch.opened.wait()
            if not opened.done():  # else the request was cancelled
                opened.set_result(None)
    except ExceptionGroup as failed:
        error = failed.exceptions[0]
        if not opened.done():
            opened.set_exception(error)
            return
        if not isinstance(error, AnimusError | ProtocolError):
            _log.error("a stream of changed subjects failed", exc_info=error)
        reason = error.message if isinstance(error, RpcError) else str(error)
        with contextlib.suppress(ProtocolError):  # the subscriber may have left
            asker.peer.notify(daemon.SUBSCRIPTION_CLOSED, SubscriptionClosed(id=asker.request_id, reason=reason))
    finally:
        if not opened.done():
            opened.cancel()


def _events_after(tx: Tx, *, event_id: int) -> list[sqlite3.Row]:
    return tx.all("event_after", event_id=event_id, limit=_BATCH)


def _send_daemon_event(row: sqlite3.Row, asker: Asker) -> None:
    payload: Any = json.loads(row["data"])
    event = daemon.DaemonEvent(id=str(row["event_id"]), occurred_at=row["at"], kind=row["kind"], payload=payload)
    asker.peer.notify(daemon.DAEMON_EVENT, StreamItem[daemon.DaemonEvent](id=asker.request_id, data=event))
