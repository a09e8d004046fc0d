"""Checks of what a log storage says it does, and of what it takes (protocol §4).

What it keeps is looked at in `log_storage_keeping.py`, queries and tails in the modules of their names.
"""

from __future__ import annotations

import json
from typing import Any, Final

from animus_conformance.checks.advertising import require_advertised, require_flags
from animus_conformance.checks.log_storage_entries import Journal, ids_of
from animus_conformance.checks.log_storage_reading import (
    QUERY,
    SCHEMA,
    STORE,
    TAIL,
    keep,
    recalling,
    require_kept,
)
from animus_conformance.checks.registry import check
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven

_A_BATCH: Final = 8
_A_BIG_BATCH: Final = 1000


@check("log-storage.schema.result-has-its-type", method=SCHEMA)
async def schema_has_its_type(processes: Processes) -> None:
    """Asks for the schema and holds it against LogStorageSchema."""
    host = await processes.shared()
    await host.typed(SCHEMA)


@check("log-storage.schema.agrees-with-methods", method=SCHEMA)
async def schema_agrees_with_methods(processes: Processes, claims: Claims) -> None:
    """Compares supports_query and supports_tail with the methods that are advertised."""
    host = await processes.shared()
    require_flags(claims, await host.given(SCHEMA), {"supports_query": QUERY, "supports_tail": TAIL})


@check("log-storage.store.is-advertised")
async def store_is_advertised(processes: Processes, claims: Claims) -> None:
    """Looks for log_storage/store among the methods of the manifest and of initialize."""
    await require_advertised(processes, claims, STORE)


@check("log-storage.store.result-has-its-type", method=STORE)
async def store_has_its_type(processes: Processes, settings: SuiteSettings) -> None:
    """Stores one entry, then several, and holds the results against LogStoreResult."""
    host = await processes.shared()
    journal = Journal()
    for count in (1, _A_BATCH):
        await host.typed(STORE, settings.params_for(STORE, entries=journal.entries(count)))


@check("log-storage.store.counts", method=STORE)
async def store_counts(processes: Processes, settings: SuiteSettings) -> None:
    """Stores batches of new entries and compares `stored` with their sizes."""
    host = await processes.shared()
    journal = Journal()
    for count in (1, 2, _A_BATCH):
        result = await host.result(STORE, settings.params_for(STORE, entries=journal.entries(count)))
        if result["stored"] != count:
            raise Failed(f"of {count} new entries it says that it stored {result['stored']}")


@check("log-storage.store.empty-batch", method=STORE)
async def store_takes_an_empty_batch(processes: Processes, settings: SuiteSettings) -> None:
    """Stores an empty list."""
    host = await processes.shared()
    result = await host.result(STORE, settings.params_for(STORE, entries=[]))
    if result["stored"] != 0:
        raise Failed(f"of an empty batch it says that it stored {result['stored']}")


@check("log-storage.store.thousand-entries", method=STORE)
async def store_takes_a_thousand(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores 1,000 entries in one request, in a process of its own, and looks for each."""
    async with processes.started() as host:
        journal = Journal()
        first, many = journal.entries(1), journal.entries(_A_BIG_BATCH)
        async with recalling(claims, settings, host) as recall:
            await keep(settings, host, first)
            require_kept(first, await recall(journal))
            await host.result(STORE, settings.params_for(STORE, entries=many))
            missing = set(ids_of(many)) - set(ids_of(await recall(journal)))
        if missing:
            raise Failed(f"{len(missing)} of {_A_BIG_BATCH} entries of one batch are not given back")


@check("log-storage.store.all-or-none", method=STORE)
async def store_is_all_or_none(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores batches with an entry without message between good ones; none of them may be stored."""
    host = await processes.shared()
    journal = Journal()
    reply = await host.ask(STORE, settings.params_for(STORE, entries=[_without_message(journal)]))
    if reply.error is None:
        raise Unproven("an entry without a message is taken, so there is no bad entry to try it with")
    async with recalling(claims, settings, host) as recall:
        good = journal.entries(4)
        for batch in ([*good[:2], _without_message(journal)], [_without_message(journal), *good[2:]]):
            reply = await host.ask(STORE, settings.params_for(STORE, entries=batch))
            if reply.error is None:
                raise Failed(f"a batch of three with an entry without a message got {reply}")
        # It has to come back: else nothing stored and nothing given back would look the same.
        control = journal.entries(1)
        await keep(settings, host, control)
        found = await recall(journal)
    require_kept(control, found)
    kept = set(ids_of(good)) & set(ids_of(found))
    if kept:
        raise Failed(f"batches with a bad entry were refused, and yet {len(kept)} of their 4 good entries are stored")


@check("log-storage.store.bad-params", method=STORE)
async def store_refuses_bad_params(processes: Processes, settings: SuiteSettings) -> None:
    """Stores what is not a list, and entries that lack a member or have one of a wrong type, each alone."""
    host = await processes.shared()
    journal = Journal()
    await keep(settings, host, journal.entries(1))
    entries: list[Any] = [
        7,
        _without_message(journal),
        {name: value for name, value in journal.entry().items() if name != "id"},
        journal.entry(ts="yesterday"),
        journal.entry(level="loud"),
        journal.entry(source="nobody"),
        journal.entry(target=["a", "list"]),
    ]
    params: list[Any] = [{}, {"entries": "a text"}, *({"entries": [entry]} for entry in entries)]
    for bad in params:
        reply = await host.ask(STORE, bad)
        if reply.code != -32602:
            raise Failed(f"{STORE} with {json.dumps(bad):.300} got {reply}, and not the error -32602")


def _without_message(journal: Journal) -> dict[str, Any]:
    return {name: value for name, value in journal.entry().items() if name != "message"}
