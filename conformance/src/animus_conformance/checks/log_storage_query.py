"""Checks of a log storage's queries: their order, their pages, and what is wrong about them (protocol §4)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final

from animus_conformance.checks.log_storage_entries import Entry, Journal, ids_of, missing_and_repeated
from animus_conformance.checks.log_storage_filters import BAD_FILTERS
from animus_conformance.checks.log_storage_reading import (
    QUERY,
    EndlessPages,
    claimed_flags,
    everything,
    keep,
    pages,
    require_kept,
)
from animus_conformance.checks.registry import check
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host

_PAGE: Final = 3
"""Ten entries make four pages, and the last one is not full."""


@check("log-storage.query.result-has-its-type", method=QUERY)
async def query_has_its_type(processes: Processes, settings: SuiteSettings) -> None:
    """Queries with no params, with a limit, and with every filter, and holds the results against their type."""
    host = await processes.shared()
    journal = Journal()
    entries = journal.entries(2)
    await keep(
        settings, host, [*entries, journal.entry("done", source="plugin", source_name="animus", fields={"n": 1})]
    )
    whole = {
        "since": entries[0]["ts"],
        "min_level": "trace",
        "source": "daemon",
        "target_glob": f"{journal.target}*",
        "limit": 10,
        "follow": False,
    }
    for query in ({}, {"limit": 1}, whole):
        await host.typed(QUERY, settings.params_for(QUERY, **query))


@check("log-storage.query.oldest-first", method=QUERY)
async def oldest_first(processes: Processes, settings: SuiteSettings) -> None:
    """Stores batches one after the other, each entry later than the last, and looks at the order of a query."""
    host = await processes.shared()
    journal = Journal()
    entries = [entry for _ in range(3) for entry in await _kept(settings, host, journal, 3)]
    found = journal.own(await everything(settings, host.given))
    require_kept(entries, found)
    once = [*dict.fromkeys(ids_of(found))]
    if once != ids_of(entries):
        numbers = [ids_of(entries).index(entry_id) for entry_id in once]
        raise Failed(f"entries that were stored as 0, 1, 2, … came as {numbers}")


@check("log-storage.query.limit", method=QUERY)
async def limit_is_respected(processes: Processes, settings: SuiteSettings) -> None:
    """Queries with limits below the number of entries and counts what comes."""
    host = await processes.shared()
    journal = Journal()
    entries = await _kept(settings, host, journal, 5)
    require_kept(entries, await everything(settings, host.given))
    for limit in (1, 2, 4):
        page = await host.result(QUERY, settings.params_for(QUERY, limit=limit))
        if len(page["entries"]) > limit:
            raise Failed(f"with limit {limit} came {len(page['entries'])} entries")


@check("log-storage.query.pages-join", method=QUERY)
async def pages_join(processes: Processes, settings: SuiteSettings) -> None:
    """Reads everything in pages of 3 by their next_cursor, and looks for each entry of 10 once and in order."""
    host = await processes.shared()
    journal = Journal()
    entries = await _kept(settings, host, journal, 10)
    try:
        whole = journal.own(await everything(settings, host.given))
        found = journal.own(await everything(settings, host.result, limit=_PAGE))
    except EndlessPages as endless:
        raise Failed(str(endless)) from None
    require_kept(entries, whole)
    if ids_of(whole) != ids_of(entries):
        raise Unproven("the order is another one, also when everything comes on one page")
    _each_once(entries, found)
    if ids_of(found) != ids_of(entries):
        raise Failed(f"in pages of {_PAGE} entries come in another order than on one page")


@check("log-storage.query.pages-join-while-storing", method=QUERY)
async def pages_join_while_storing(processes: Processes, settings: SuiteSettings) -> None:
    """Reads everything in pages of 3 and stores new entries after each page with some of the 10 that it looks for."""
    host = await processes.shared()
    journal, newer = Journal(), Journal()
    entries = await _kept(settings, host, journal, 10)
    found = await everything(settings, host.given, limit=_PAGE)
    require_kept(entries, found)
    if max(Counter(ids_of(journal.own(found))).values()) > 1:
        raise Unproven("pages repeat entries, also when nothing is stored in between")
    seen: list[Entry] = []
    try:
        async for page in pages(settings, host.result, limit=_PAGE):
            seen += journal.own(page)
            if journal.own(page):
                await _kept(settings, host, newer, 2)
    except EndlessPages as endless:
        raise Failed(str(endless)) from None
    _each_once(entries, seen)


@check("log-storage.query.unknown-cursor", method=QUERY)
async def unknown_cursor(processes: Processes, settings: SuiteSettings) -> None:
    """Queries with a cursor that was never given out, then without."""
    host = await processes.shared()
    await host.given(QUERY, settings.params_for(QUERY, limit=1))
    await host.ask(QUERY, settings.params_for(QUERY, cursor="no-such-cursor", limit=1))  # any answer will do
    try:
        reply = await host.ask(QUERY, settings.params_for(QUERY, limit=1))
    except Failed as failed:
        raise Failed(f"after a query with an unknown cursor {failed}") from None
    if reply.error is not None:
        raise Failed(f"after a query with an unknown cursor, one without got {reply}")


@check("log-storage.query.bad-params", method=QUERY)
async def query_refuses_bad_params(processes: Processes, claims: Claims) -> None:
    """Queries with a limit that is not a number, a negative one, and wrong values for each filter that is claimed."""
    host = await processes.shared()
    claimed = await claimed_flags(claims, host)
    bad: list[dict[str, Any]] = [{"limit": "many"}, {"limit": -1}]
    bad += [params for flag, params in BAD_FILTERS.items() if claimed.get(flag)]
    for params in bad:
        reply = await host.ask(QUERY, params)
        if reply.code != -32602:
            raise Failed(f"{QUERY} with {json.dumps(params)} got {reply}, and not the error -32602")


async def _kept(settings: SuiteSettings, host: Host, journal: Journal, count: int) -> list[Entry]:
    entries = journal.entries(count)
    await keep(settings, host, entries)
    return entries


def _each_once(entries: list[Entry], found: list[Entry]) -> None:
    missing, repeated = missing_and_repeated(ids_of(entries), ids_of(found))
    if missing or repeated:
        raise Failed(
            f"of {len(entries)} entries, read in pages of {_PAGE}, {len(missing)} are missing "
            f"and {len(repeated)} came more than once"
        )
