"""Checks of a log storage's tail: entries as they are stored, without a gap (protocol §4).

An entry that a query finds may still be missing on the stream; what is stored and found is checked elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.log_storage_entries import Entry, Journal, ids_of, missing_and_repeated
from animus_conformance.checks.log_storage_filters import BAD_FILTERS, matching_all
from animus_conformance.checks.log_storage_reading import STORE, TAIL, Tail, claimed_flags, keep, tailing
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import given_reply
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Notification

_BATCHES: Final = 5
"""With 20 entries each, before, during and after the tail is opened: enough for a race to show."""
_BATCH: Final = 20


@check("log-storage.tail.result-has-its-type", method=TAIL)
async def tail_has_its_type(processes: Processes, settings: SuiteSettings) -> None:
    """Opens a tail without params and one with a value for each filter, and holds the replies against their type."""
    whole = {"min_level": "warn", "source": "plugin", "target_glob": "conformance.*", "follow": True}
    async with processes.started() as host:
        for query in ({}, whole):
            await host.typed(TAIL, settings.params_for(TAIL, **query))


@check("log-storage.tail.events-have-their-type", method=TAIL)
async def events_have_their_type(processes: Processes, settings: SuiteSettings) -> None:
    """Stores entries of several kinds while a tail is open and holds each event against LogStorageEventParams."""
    events = await _some_events(processes, settings)
    if not events:
        raise Unproven("nothing is told of entries that were stored while a tail was open")
    for event in events:
        wrong = oracle.mismatch("log-storage#/$defs/LogStorageEventParams", event.params)
        if wrong is not None:
            raise Failed(f"{event.method} {json.dumps(event.params):.300}: {wrong}")


@check("log-storage.tail.events-name-their-tail", method=TAIL)
async def events_name_their_tail(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Stores entries while a tail is open, alone in its process, and compares the events' ids with the request's."""
    async with processes.started() as host:
        entries = Journal().entries(3)
        tail = _alone(settings, host)
        await given_reply(host, tail.request_id, TAIL)
        for event in await _given_events(settings, patience, host, tail, entries):
            if not isinstance(event.params, dict) or "id" not in event.params:
                raise Unproven("events without an id: of which type they are is checked elsewhere")
            if event.params["id"] != tail.request_id:
                raise Failed(f"the tail is request {tail.request_id}, and an event of it has id {event.params['id']!r}")


@check("log-storage.tail.leaves-no-gap", method=TAIL)
async def leaves_no_gap(processes: Processes, settings: SuiteSettings) -> None:
    """Sends batches around the tail's request without waiting, and others right behind its reply, in its own process.

    Looks for every entry that was sent after the reply: once each, in order. The others may be told, once at most.
    """
    async with processes.started() as host:
        journal = Journal()
        early = [_send(settings, host, batch) for batch in _batches(journal)]
        tail = _alone(settings, host)
        early += [_send(settings, host, batch) for batch in _batches(journal)]
        await given_reply(host, tail.request_id, TAIL)
        for batch in (owed := _batches(journal)):
            await keep(settings, host, batch)
        for request_id in early:
            await given_reply(host, request_id, STORE)
        last = owed[-1][-1]
        await tail.events_up_to(last)
        if await tail.tells_again(last, 1):
            raise Failed("the last entry was told twice")
        _require_typed(tail.events())
        ids = ids_of(journal.own(event.params.get("entry") for event in tail.events()))
    _once_each([entry_id for batch in owed for entry_id in ids_of(batch)], ids)


@check("log-storage.tail.tells-nothing-old", method=TAIL)
async def tells_nothing_old(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Stores entries, opens a tail, stores one more, and looks at what is told up to that."""
    host = await processes.shared()
    journal = Journal()
    old, new = journal.entries(3), journal.entries(1)
    await keep(settings, host, old)
    async with tailing(settings, host) as tail:
        events = await _given_events(settings, patience, host, tail, new)
    repeated = set(ids_of(old)) & {_entry_id(event) for event in events}
    if repeated:
        raise Failed(f"{len(repeated)} of {len(old)} entries that were stored before the tail was opened are told")


@check("log-storage.tail.filters", method=TAIL)
async def tail_filters(processes: Processes, claims: Claims, settings: SuiteSettings, patience: Patience) -> None:
    """Opens a tail with every claimed filter at once; one entry passes all, and others each miss a single one."""
    host, journal = await processes.shared(), Journal()
    query, wanted, others = matching_all(journal, await claimed_flags(claims, host))
    if not query:
        raise NotAdvertised("the schema claims no filter: whether a tail applies one is left to the plugin")
    async with tailing(settings, host) as tail:
        await _given_events(settings, patience, host, tail, journal.entries(1))
    async with tailing(settings, host, **query) as tail:
        await keep(settings, host, [*others.values(), wanted])
        events = await tail.events_up_to(wanted)
    if events is None:
        raise Failed(f"a tail with {json.dumps(query)} does not tell an entry that fits")
    wrong = [name for name, entry in others.items() if entry["id"] in {_entry_id(event) for event in events}]
    if wrong:
        raise Failed(f"a tail with {json.dumps(query)} tells entries that miss {', '.join(wrong)}")


@check("log-storage.tail.two-at-once", method=TAIL)
async def two_tails_at_once(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Opens two tails, looks for an entry on both, cancels the first, and looks for another on the second."""
    host = await processes.shared()
    journal = Journal()
    async with tailing(settings, host) as first:
        await _given_events(settings, patience, host, first, journal.entries(1))
        async with tailing(settings, host) as second:
            both = journal.entry("told to both")
            await keep(settings, host, [both])
            for name, tail in (("first", first), ("second", second)):
                if await tail.events_up_to(both) is None:
                    raise Failed(f"of two open tails the {name} one is not told of a new entry")
            first.cancel()
            left = journal.entry("told to the one that is left")
            await keep(settings, host, [left])
            if await second.events_up_to(left) is None:
                raise Failed("after the first of two tails was cancelled the second one is not told of a new entry")


@check("log-storage.tail.cancel-ends-it", method=TAIL)
async def cancel_ends_it(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Cancels the request of an open tail, stores an entry, and after a silence another that must not be told."""
    host = await processes.shared()
    journal = Journal()
    async with tailing(settings, host) as tail:
        await _given_events(settings, patience, host, tail, journal.entries(1))
        tail.cancel()
        await host.given("health/check")
        on_its_way, late = journal.entry("may still be told"), journal.entry("stored after the cancellation")
        await keep(settings, host, [on_its_way])
        await tail.tells_again(on_its_way, 0)
        await keep(settings, host, [late])
        await tail.tells_again(late, 0)
        if late["id"] in {_entry_id(event) for event in tail.events()}:
            raise Failed(f"{patience.silence_s:g} s after $/cancelRequest a new entry is still told")


@check("log-storage.tail.bad-params", method=TAIL)
async def tail_refuses_bad_params(processes: Processes, claims: Claims) -> None:
    """Opens tails with a wrong value for each filter that is claimed, times aside."""
    host = await processes.shared()
    claimed = await claimed_flags(claims, host)
    bad = [params for flag, params in BAD_FILTERS.items() if claimed.get(flag) and flag != "by_time_range"]
    if not bad:
        raise NotAdvertised("the schema claims no filter, and a tail needs no other params")
    for params in bad:
        request_id = host.send(TAIL, params)
        reply = await host.reply(request_id)
        if reply.error is None:
            host.tell("$/cancelRequest", {"id": request_id})
        if reply.code != -32602:
            raise Failed(f"{TAIL} with {json.dumps(params)} got {reply}, and not the error -32602")


async def _some_events(processes: Processes, settings: SuiteSettings) -> list[Notification]:
    host = await processes.shared()
    journal = Journal()
    entries = [
        journal.entry("agent started", source="plugin", source_name="animus-provider-mock", fields={"attempt": 1}),
        journal.entry("agent gave up", level="error", source="workflow", source_name="nightly"),
        journal.entry("phase finished"),
    ]
    async with tailing(settings, host) as tail:
        await keep(settings, host, entries)
        return await tail.events_up_to(entries[-1]) or tail.events()


async def _given_events(
    settings: SuiteSettings, patience: Patience, host: Host, tail: Tail, entries: Sequence[Entry]
) -> list[Notification]:
    """Store entries; the events up to the last of them. Raises Unproven when that is not told."""
    await keep(settings, host, entries)
    events = await tail.events_up_to(entries[-1])
    if events is None:
        raise Unproven(f"an entry that was stored while a tail was open is not told within {patience.event_s:g} s")
    return events


def _require_typed(events: Sequence[Notification]) -> None:
    """Raises Unproven when events are not of their type: what they tell is anybody's guess."""
    for event in events:
        if oracle.mismatch("log-storage#/$defs/LogStorageEventParams", event.params) is not None:
            raise Unproven("there are events of another type")


def _entry_id(event: Notification) -> Any:
    entry = event.params.get("entry") if isinstance(event.params, dict) else None
    return entry.get("id") if isinstance(entry, dict) else None


def _alone(settings: SuiteSettings, host: Host) -> Tail:
    """A tail that was asked for and not waited for, the only one of its process."""
    after = host.notifications.count  # an event may come before the reply
    return Tail(host, host.send(TAIL, settings.params_for(TAIL)), after, alone=True)


def _batches(journal: Journal) -> list[list[Entry]]:
    return [journal.entries(_BATCH) for _ in range(_BATCHES)]


def _send(settings: SuiteSettings, host: Host, batch: Sequence[Entry]) -> int:
    return host.send(STORE, settings.params_for(STORE, entries=list(batch)))


def _once_each(owed: Sequence[str], ids: Sequence[str]) -> None:
    missing, repeated = missing_and_repeated(owed, ids)
    if missing:
        raise Failed(f"{len(missing)} of {len(owed)} entries that were stored after the tail was opened are not told")
    if repeated:
        raise Failed(f"{len(repeated)} entries are told more than once")
    numbers = [ids.index(entry_id) for entry_id in owed]
    if numbers != sorted(numbers):
        raise Failed("entries that were stored one after the other are told in another order")
