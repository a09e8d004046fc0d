"""Checks of the filters that a log storage claims for its queries, each alone and together (protocol §4).

What it does with a filter that it does not claim is its own business: it may apply it, or the host will.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any, Final

from animus_conformance.checks.log_storage_entries import LEVELS, Entry, Journal, ids_of, instant
from animus_conformance.checks.log_storage_reading import QUERY, Ask, claimed_flags, everything, keep, require_kept
from animus_conformance.checks.registry import check
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host

__all__ = ["BAD_FILTERS", "matching_all"]

BAD_FILTERS: Final[Mapping[str, dict[str, Any]]] = {
    "by_level": {"min_level": "loud"},
    "by_source": {"source": "nobody"},
    "by_target": {"target_glob": 7},
    "by_glob": {"target_glob": 7},
    "by_time_range": {"since": "yesterday"},
}
"""Params with a wrong value, by the flag that claims the filter."""

_APART_S: Final = 2.0
"""So far that a storage which keeps whole seconds still tells the entries apart."""
# An offset that is no whole hour shows who cuts the minutes off.
_ELSEWHERE: Final = timezone(timedelta(hours=5, minutes=30))


@check("log-storage.query.by-level", method=QUERY)
async def by_level(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores an entry of each level and queries with each level as min_level."""
    host, journal = await _claiming(processes, claims, "by_level"), Journal()
    entries = [journal.entry(f"level {level}", level=level) for level in LEVELS]
    await _keep_all(settings, host, entries)
    for number, level in enumerate(LEVELS):
        await _finds(settings, host, journal, entries[number:], min_level=level)


@check("log-storage.query.by-source", method=QUERY)
async def by_source(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores entries of each source, with and without source_name, and queries by the one and by the other."""
    host, journal = await _claiming(processes, claims, "by_source"), Journal()
    daemon, cli = journal.entry(source="daemon"), journal.entry(source="cli")
    mock = journal.entry(source="plugin", source_name="animus-provider-mock")
    files = journal.entry(source="plugin", source_name="animus-subject-files")
    nightly = journal.entry(source="workflow", source_name="nightly")
    await _keep_all(settings, host, [daemon, cli, mock, files, nightly])
    for source, wanted in (("daemon", [daemon]), ("cli", [cli]), ("plugin", [mock, files]), ("workflow", [nightly])):
        await _finds(settings, host, journal, wanted, source=source)
    await _finds(settings, host, journal, [files], source_name="animus-subject-files")
    await _finds(settings, host, journal, [nightly], source_name="nightly")


@check("log-storage.query.by-target", method=QUERY)
async def by_target(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores entries of several targets and queries with one of them, without a wildcard, as target_glob."""
    host, journal = await _claiming(processes, claims, "by_target"), Journal()
    entries = [journal.entry(target=f"{journal.target}.{end}") for end in ("queue", "queues", "workflow")]
    await _keep_all(settings, host, entries)
    await _finds(settings, host, journal, entries[:1], target_glob=entries[0]["target"])


@check("log-storage.query.by-glob", method=QUERY)
async def by_glob(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores entries of several targets and queries with * at the end, in the middle and at the beginning."""
    host, journal = await _claiming(processes, claims, "by_glob"), Journal()
    queue, queues, workflow, dash = (
        journal.entry(target=target)
        for target in (
            f"{journal.target}.queue",
            f"{journal.target}.queues",
            f"{journal.target}.workflow",
            f"{journal.target.replace('.', '-')}-queue",
        )
    )
    await _keep_all(settings, host, [queue, queues, workflow, dash])
    await _finds(settings, host, journal, [queue, queues], target_glob=f"{journal.target}.queue*")
    await _finds(settings, host, journal, [queue], target_glob=f"{journal.target}.*ueue")
    await _finds(settings, host, journal, [workflow], target_glob=f"{journal.target}.w*w")
    await _finds(settings, host, journal, [dash], target_glob=dash["target"][:-2] + "*")


@check("log-storage.query.by-time-range", method=QUERY)
async def by_time_range(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores entries some seconds apart and queries for times between them, with UTC and with another offset."""
    host, journal = await _claiming(processes, claims, "by_time_range"), Journal()
    entries = [journal.entry(f"second {number}", after_s=_APART_S * (number > 0)) for number in range(4)]
    await _keep_all(settings, host, entries)
    for zone in (UTC, _ELSEWHERE):
        between = [_middle(entry, other, zone) for entry, other in pairwise(entries)]
        await _finds(settings, host, journal, entries[1:], since=between[0])
        await _finds(settings, host, journal, entries[:-1], until=between[-1])
        await _finds(settings, host, journal, entries[1:3], since=between[0], until=between[-1])


@check("log-storage.query.filters-combine", method=QUERY)
async def filters_combine(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Queries with every claimed filter at once; one entry passes all, and others each miss a single one."""
    host, journal = await processes.shared(), Journal()
    query, wanted, others = matching_all(journal, await claimed_flags(claims, host))
    if len(query) < 2:
        raise NotAdvertised(f"the schema claims {len(query)} filters, and it takes two to combine them")
    await _keep_all(settings, host, [*others.values(), wanted])
    for name, value in query.items():
        alone = [wanted, *(entry for other, entry in others.items() if other != name)]
        if await _found(settings, host.given, journal, {name: value}) != set(ids_of(alone)):
            raise Unproven(f"the filter {name} does not work alone")
    await _finds(settings, host, journal, [wanted], **query)


def matching_all(journal: Journal, claimed: Mapping[str, Any]) -> tuple[dict[str, str], Entry, dict[str, Entry]]:
    """A query with every claimed filter, an entry that passes all, and for each filter one that misses it alone."""
    members: Entry = {
        "level": "warn",
        "source": "plugin",
        "source_name": "animus-provider-mock",
        "target": journal.target,
    }
    rows = (
        ("by_level", "min_level", "warn", {"level": "info"}),
        ("by_source", "source", "plugin", {"source": "workflow"}),
        ("by_source", "source_name", members["source_name"], {"source_name": "animus-subject-files"}),
        ("by_target", "target_glob", journal.target, {"target": f"{journal.target}.queue"}),
    )
    by_target = claimed.get("by_target") or claimed.get("by_glob")
    chosen = [row for row in rows if (by_target if row[0] == "by_target" else claimed.get(row[0]))]
    query = {name: value for _, name, value, _ in chosen}
    others = {name: journal.entry(f"misses {name}", **{**members, **miss}) for _, name, _, miss in chosen}
    return query, journal.entry("passes every filter", **members), others


async def _claiming(processes: Processes, claims: Claims, flag: str) -> Host:
    """The shared process of a plugin that claims a filter. Raises NotAdvertised."""
    host = await processes.shared()
    if not (await claimed_flags(claims, host)).get(flag):
        raise NotAdvertised(f"the schema does not say {flag}: whether that filter is applied is left to the plugin")
    return host


async def _keep_all(settings: SuiteSettings, host: Host, entries: Sequence[Entry]) -> None:
    await keep(settings, host, entries)
    require_kept(entries, await everything(settings, host.given))


async def _found(settings: SuiteSettings, ask: Ask, journal: Journal, query: Mapping[str, str]) -> set[str]:
    return set(ids_of(journal.own(await everything(settings, ask, **query))))


async def _finds(settings: SuiteSettings, host: Host, journal: Journal, wanted: Sequence[Entry], **query: str) -> None:
    found = await _found(settings, host.result, journal, query)
    missing, wrong = set(ids_of(wanted)) - found, found - set(ids_of(wanted))
    if missing or wrong:
        raise Failed(
            f"a query with {json.dumps(query)} finds {len(found)} of the check's entries and should find "
            f"{len(wanted)}: {len(missing)} are missing, {len(wrong)} do not fit"
        )


def _middle(entry: Entry, other: Entry, zone: tzinfo) -> str:
    """The instant halfway between two entries, as a clock in `zone` shows it."""
    first, second = instant(entry["ts"]), instant(other["ts"])
    moment = (first + (second - first) / 2).astimezone(zone)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
