"""The changes of one subject kind: by its backend's own `watch`, or else by listing every few seconds.

There is one for a subscriber and kind. A watch outlives the backend's process: with the next one it lists first, and
reports what has changed meanwhile. It lists, too, when it was too slow for the backend's notifications: its
subscription may lose them, because one that may not would let a slow watcher hold up every other call to the backend.
What is reported is then the state that they led to. Below lie the router and `snapshot.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from pydantic import ValidationError

from animus_core.errors import AnimusError, PluginFailed, UnclaimedKind
from animus_core.host.broadcast import Lagged
from animus_core.host.plugin_state import PluginState
from animus_core.host.session import PluginSession
from animus_core.kinds.subjects.router import SubjectRouter, match_kind
from animus_core.kinds.subjects.snapshot import Snapshot, passes
from animus_protocol.connection import Notification
from animus_protocol.errors import InvalidParams, MethodNotFound, NotSupported, ProtocolError, RpcError
from animus_protocol.models import subject as wire
from animus_protocol.models.base import Method, encode
from animus_protocol.models.lifecycle import CANCEL_REQUEST, CancelParams

__all__ = ["POLL_S", "OnChange", "SubjectWatch"]

_log = logging.getLogger("animus.kinds")

POLL_S: Final = 5.0  # as the daemon's heartbeat, which looks for new work as often
_CALL_S: Final = 15.0  # as the router's
_UNWATCH_S: Final = 2.0  # a courtesy: its events go nowhere any more, and a failure is passed over
_TURN_S: Final = 0.1  # only between two processes of a backend, whose end and start have no event here
_MOST_PAGES: Final = 10_000  # cursors without an end, whose empty pages no bound of bytes stops
_FIND: Final = Method(wire.SUBJECT_GET.name, wire.SubjectGetParams, wire.SUBJECT_NEXT.result, wire.SUBJECT_GET.doc)
"""`get` of backends that answer null for what does not exist."""

OnChange = Callable[[wire.SubjectChangedEvent], Awaitable[None]]


class SubjectWatch:
    """Watches the subjects of `kind` that pass `wanted`. `kind` may be a claim that ends in `.*`.

    `opened` is set once every later change will be reported. `poll_s` is how long it waits between two listings,
    `turn_s` before it asks again for a process that has ended.
    """

    def __init__(
        self,
        router: SubjectRouter,
        kind: str,
        wanted: wire.SubjectFilter | None = None,
        *,
        poll_s: float = POLL_S,
        turn_s: float = _TURN_S,
    ) -> None:
        self.kind = kind
        self.opened = asyncio.Event()
        self._router = router
        self._poll_s = poll_s
        self._turn_s = turn_s
        rest = (wanted or wire.SubjectFilter()).model_copy(update={"kind": [], "cursor": None, "limit": None})
        self._narrowed = rest != wire.SubjectFilter()
        self._wanted = rest.model_copy(update={"kind": [] if kind.endswith(".*") else [kind]})
        self._snapshot = Snapshot()
        self._complaint = ""

    async def run(self, on_change: OnChange) -> None:
        """Report every change, one after the other, until it is cancelled; then the backend's watch is ended, too.

        Until `opened` is set it raises whatever keeps it from beginning: UnclaimedKind, PluginFailed, RpcError and
        what else a start raises. After that only UnclaimedKind (the backend was uninstalled), InvalidInput (the
        subjects have become too many) and what `on_change` raises.
        """
        while True:
            wait_s = self._wait_s() if self.opened.is_set() else 0.0
            # A session is only asked for when none is being ended or waited for: asking starts the plugin.
            if not wait_s:
                wait_s = await self._one_life(on_change)
            await asyncio.sleep(
                wait_s
            )  # the supervisor's backoff, the interval of listings, or an end that has no event

    async def _one_life(self, on_change: OnChange) -> float:
        """Watch one process until its end; how many seconds to wait before the next one."""
        try:
            session = await self._router.session(self.kind)
        except UnclaimedKind:
            raise
        except AnimusError as error:
            self._complain(error, error.message)
            return self._poll_s
        try:
            await self._follow(session, on_change)
        except (PluginFailed, RpcError) as error:
            self._complain(error, error.message)
        return self._poll_s if session.alive else self._turn_s

    async def _follow(self, session: PluginSession, on_change: OnChange) -> None:
        with session.subscribe() as notifications:  # before the call: an event may precede its reply
            watch_id = await self._ask_to_watch(session)
            if watch_id is not None:
                try:
                    # After the watch has begun: what changes from then on comes as an event, so nothing falls between.
                    await self._poll(session, on_change)
                    async for item in notifications:
                        await self._on_notification(session, watch_id, item, on_change)
                finally:
                    await self._unwatch(session, watch_id)
                return
        while session.alive:
            await self._poll(session, on_change)
            await asyncio.wait([session.peer.ended], timeout=self._poll_s)

    async def _ask_to_watch(self, session: PluginSession) -> int | None:
        """The id of the request that opened the backend's watch, which its events carry; None if it has no watch."""
        for name in self._router.names(session, self.kind, wire.SUBJECT_WATCH):
            ids: list[int] = []
            try:
                answer = await session.call_raw(name, encode(self._wanted), timeout_s=_CALL_S, sent=ids.append)
            except MethodNotFound:
                continue
            except NotSupported:
                return None
            except (asyncio.CancelledError, PluginFailed):  # it may have begun all the same
                for watch_id in ids:
                    await self._unwatch(session, watch_id)
                raise
            # Only a plain no is one: whatever else was answered, the backend has accepted the call.
            return None if isinstance(answer, dict) and answer.get("watching") is False else ids[0]
        return None

    async def _unwatch(self, session: PluginSession, watch_id: int) -> None:
        """End the backend's watch, by the verb or else by the cancellation that every request knows."""
        if not session.alive:
            return
        try:
            params = wire.SubjectUnwatchRequest(watch_id=str(watch_id))
            await session.call(wire.SUBJECT_UNWATCH, params, timeout_s=_UNWATCH_S)
        except (RpcError, PluginFailed):
            with contextlib.suppress(ProtocolError):
                session.peer.notify(CANCEL_REQUEST, CancelParams(id=watch_id))

    async def _on_notification(
        self, session: PluginSession, watch_id: int, item: Notification | Lagged, on_change: OnChange
    ) -> None:
        # What was lost is unknown, so the state is read: the watcher learns what the changes came to.
        if isinstance(item, Lagged):
            await self._poll(session, on_change)
            return
        if item.method != wire.SUBJECT_CHANGED.name:
            return
        try:
            changed = wire.SubjectChangedParams.model_validate(item.params)
        except ValidationError:  # something has changed, and it cannot be read what
            await self._poll(session, on_change)
            return
        # Protocol §4: `id` is the request's. Where the event's own id was sent instead, its watch is unknown.
        sure = str(changed.id) == str(watch_id)
        if not self._is_of_kind(changed.subject) or not (sure or changed.id == changed.subject.id):
            return  # of another kind, or for another watch
        event = self._snapshot.take(changed.event(), passing=passes(changed.subject, self._wanted), sure=sure)
        if event is not None:
            await on_change(event)

    async def _poll(self, session: PluginSession, on_change: OnChange) -> None:
        listed, whole = await self._list(session)
        left: dict[str, bytes] = {}
        for subject_id in self._snapshot.missing(listed):
            # It may have left the filter, or slipped between two pages: only `get` tells a deletion.
            if self._narrowed or not whole:
                found = await self._find(session, subject_id)
                if found is not None:
                    (listed if passes(found, self._wanted) else left)[subject_id] = encode(found)
        events = self._snapshot.compare(listed, left)
        self.opened.set()
        self._complaint = ""
        for event in events:
            await on_change(event)

    async def _list(self, session: PluginSession) -> tuple[dict[str, bytes], bool]:
        """Every subject that passes, by id, and whether all came in one page, so that none could slip between two."""
        listed: dict[str, bytes] = {}
        cursors: set[str] = set()
        size_bytes, asked = 0, self._wanted
        while True:
            page = await self._router.ask(session, self.kind, wire.SUBJECT_LIST, asked)
            for subject in page.subjects:
                if self._is_of_kind(subject) and passes(subject, self._wanted):
                    listed[subject.id] = encode(subject)
                    size_bytes += len(listed[subject.id])
            self._snapshot.check_room(size_bytes)
            if not page.next_cursor:
                return listed, not cursors
            if page.next_cursor in cursors or len(cursors) >= _MOST_PAGES:
                why = f"its pages of {self.kind} subjects have no end: next_cursor {page.next_cursor!r:.200}"
                raise PluginFailed(session.plugin.name, why, session.child.stderr_tail)
            cursors.add(page.next_cursor)
            asked = self._wanted.model_copy(update={"cursor": page.next_cursor})

    async def _find(self, session: PluginSession, subject_id: str) -> wire.Subject | None:
        """A subject that is no longer listed: None if it is gone, its last known state if the backend cannot say."""
        try:
            found = await self._router.ask(session, self.kind, _FIND, wire.SubjectGetParams(id=subject_id))
        except RpcError as error:
            if isinstance(error, InvalidParams | MethodNotFound | NotSupported) or error.category == "not_found":
                return None
            # An error is no deletion: telling one would make a client drop a subject that is there.
            was = self._snapshot.known(subject_id)
            return None if was is None else wire.Subject.model_validate_json(was)
        return found if found is not None and found.id == subject_id and self._is_of_kind(found) else None

    def _is_of_kind(self, subject: wire.Subject) -> bool:
        if self.kind.endswith(".*"):
            return match_kind(subject.kind, self._router.kinds) == self.kind
        return subject.kind == self.kind

    def _wait_s(self) -> float:
        """How many seconds to leave the backend alone: it waits to be started again, is ended, or was replaced."""
        try:
            owner = self._router.owner(self.kind)
        except UnclaimedKind:
            return 0.0  # it may be one that says its kinds in its handshake
        status = owner.status()
        if status.state is PluginState.BACKOFF:
            return max(self._turn_s, status.retry_in_s or 0.0)
        ending = status.pid is None and status.state in (PluginState.READY, PluginState.DEGRADED)
        if ending or status.state is PluginState.CRASHED or not self._router.keeps(owner):
            return self._turn_s
        return 0.0

    def _complain(self, error: Exception, message: str) -> None:
        """Raise what keeps the watch from beginning; log, once, what it will outlive."""
        if not self.opened.is_set():
            raise error
        if message != self._complaint:
            self._complaint = message
            _log.warning("the watch of %s subjects goes on when it can: %s", self.kind, message)
