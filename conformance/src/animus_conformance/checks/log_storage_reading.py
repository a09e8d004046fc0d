"""How the checks of log storages store entries and get them back: pages, tails, whichever there is (protocol §4).

Below it lie the settings, the claims and the entries.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from animus_conformance.checks.log_storage_entries import Entry, Journal, ids_of
from animus_conformance.checks.replies import given_reply
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.verdict import NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import REFUSALS, Notification

__all__ = [
    "EVENT",
    "QUERY",
    "SCHEMA",
    "STORE",
    "TAIL",
    "Ask",
    "EndlessPages",
    "Recall",
    "Tail",
    "claimed_flags",
    "everything",
    "keep",
    "pages",
    "recalling",
    "require_kept",
    "tailing",
]

STORE: Final = "log_storage/store"
QUERY: Final = "log_storage/query"
TAIL: Final = "log_storage/tail"
SCHEMA: Final = "log_storage/schema"
EVENT: Final = "log_storage/event"

_MAX_PAGES: Final = 500
"""The storage may be somebody's own, and large: the message asks for an empty one then."""

Ask = Callable[[str, Any], Awaitable[Any]]
"""`Host.given` or `Host.result`, by whether the answer is the point in question."""


class EndlessPages(Unproven):
    """A cursor came a second time: a query that never ends."""


async def claimed_flags(claims: Claims, host: Host) -> Mapping[str, Any]:
    """The flags of `log_storage/schema`, those of `supports_filtering` among them; none where there is no schema."""
    if SCHEMA not in claims.advertised:
        reply = await host.ask(SCHEMA)
        if reply.code in REFUSALS:
            return {}  # a storage need not describe itself; then it claims nothing
    schema = await host.given(SCHEMA)
    return {**schema, **schema["supports_filtering"]}


async def keep(settings: SuiteSettings, host: Host, entries: Sequence[Entry]) -> None:
    """Store entries that a check builds on. Raises Unproven."""
    await host.given(STORE, settings.params_for(STORE, entries=list(entries)))


async def pages(settings: SuiteSettings, ask: Ask, **query: Any) -> AsyncIterator[list[Entry]]:
    """The pages of a query, one by one. Raises EndlessPages, and Unproven for a storage that holds too much."""
    cursors: set[str] = set()
    page = await ask(QUERY, settings.params_for(QUERY, **query))
    for _ in range(_MAX_PAGES):
        yield page["entries"]
        cursor = page.get("next_cursor")
        if not cursor:
            return
        if cursor in cursors:
            raise EndlessPages(f"the pages of {QUERY} do not come to an end: the cursor {cursor!r} came twice")
        cursors.add(cursor)
        page = await ask(QUERY, settings.params_for(QUERY, **query, cursor=cursor))
    raise Unproven(f"the storage holds more than {_MAX_PAGES} pages: name an empty one in conformance.toml")


async def everything(settings: SuiteSettings, ask: Ask, **query: Any) -> list[Entry]:
    """What all pages of a query hold together. Raises as `pages` does."""
    found: list[Entry] = []
    async for page in pages(settings, ask, **query):
        found += page
    return found


def require_kept(entries: Sequence[Entry], found: Sequence[Entry]) -> None:
    """Raises Unproven when what a check builds on was not given back."""
    missing = len(set(ids_of(entries)) - set(ids_of(found)))
    if missing:
        raise Unproven(f"{missing} of {len(entries)} entries that were acknowledged are not given back")


class Tail:
    """An open stream of new entries, and what it has told since it was asked for.

    Events with the id of another request are those of another tail, unless this one is `alone` in its process.
    """

    def __init__(self, host: Host, request_id: int, after: int, *, alone: bool = False) -> None:
        self._host = host
        self._after = after
        self._alone = alone
        self.request_id = request_id

    def events(self) -> list[Notification]:
        """The events so far."""
        return [
            notification
            for notification in self._host.notifications.since(self._after)
            if notification.method == EVENT and self._is_ours(notification.params)
        ]

    async def events_up_to(self, last: Entry) -> list[Notification] | None:
        """The events up to the one that tells `last`; None when that does not come in time."""
        end = await self._host.notifications.next(EVENT, lambda params: self._tells(params, last), after=self._after)
        if end is None:
            return None
        events = self.events()
        return events[: 1 + next(number for number, event in enumerate(events) if self._tells(event.params, last))]

    async def tells_again(self, entry: Entry, already: int) -> bool:
        """Whether `entry` is told more than `already` times before a silence has passed."""
        seen = 0

        def once_more(params: Any) -> bool:
            nonlocal seen
            seen += self._tells(params, entry)
            return seen > already

        silence_s = self._host.patience.silence_s
        return await self._host.notifications.next(EVENT, once_more, after=self._after, within_s=silence_s) is not None

    def cancel(self) -> None:
        """Tell the plugin that nobody listens any more."""
        self._host.tell("$/cancelRequest", {"id": self.request_id})

    def _is_ours(self, params: Any) -> bool:
        return self._alone or _member(params, "id") in (None, self.request_id)

    def _tells(self, params: Any, entry: Entry) -> bool:
        return bool(self._is_ours(params) and _member(_member(params, "entry"), "id") == entry["id"])


@contextlib.asynccontextmanager
async def tailing(settings: SuiteSettings, host: Host, **query: Any) -> AsyncIterator[Tail]:
    """A tail that a check builds on, cancelled at the end. Raises Unproven when it is not opened."""
    tail = await _opened(settings, host, query)
    try:
        yield tail
    finally:
        tail.cancel()


async def _opened(settings: SuiteSettings, host: Host, query: Mapping[str, Any]) -> Tail:
    after = host.notifications.count  # an event may come before the reply
    request_id = host.send(TAIL, settings.params_for(TAIL, **query))
    await given_reply(host, request_id, TAIL)
    return Tail(host, request_id, after)


Recall = Callable[[Journal], Awaitable[list[Entry]]]
"""Gives back what a journal's entries have become, in the order of the storage."""


@contextlib.asynccontextmanager
async def recalling(claims: Claims, settings: SuiteSettings, host: Host) -> AsyncIterator[Recall]:
    """A way to get entries back that are stored within the block: a query, or a tail where there is no query.

    Raises NotAdvertised for a storage that gives nothing back.
    """
    if QUERY in claims.advertised:
        yield lambda journal: _queried(settings, host, journal)
    elif TAIL in claims.advertised:
        async with tailing(settings, host) as tail:
            yield lambda journal: _tailed(settings, host, tail, journal)
    else:
        reply = await host.ask(QUERY)
        if reply.code not in REFUSALS:
            raise Unproven(f"neither {QUERY} nor {TAIL} is advertised, and yet {QUERY} answers with {reply}")
        raise NotAdvertised(f"it gives nothing back: {QUERY} is refused with {reply.code}")


async def _queried(settings: SuiteSettings, host: Host, journal: Journal) -> list[Entry]:
    return journal.own(await everything(settings, host.given))


async def _tailed(settings: SuiteSettings, host: Host, tail: Tail, journal: Journal) -> list[Entry]:
    last = Journal().entry("everything before this was told")
    await keep(settings, host, [last])
    await tail.events_up_to(last)
    return journal.own(_member(event.params, "entry") for event in tail.events())


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
