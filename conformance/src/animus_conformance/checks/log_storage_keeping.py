"""Checks of what a log storage has kept: at once, unchanged, once, and after its process has ended (protocol §4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta, timezone
from typing import Any, Final

from animus_conformance.checks.log_storage_entries import Entry, Journal, difference, ids_of, instant
from animus_conformance.checks.log_storage_reading import (
    QUERY,
    STORE,
    claimed_flags,
    everything,
    keep,
    recalling,
    require_kept,
)
from animus_conformance.checks.registry import check
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, NotAdvertised
from animus_conformance.wire.host import Host

_FIELDS: Final[dict[str, Any]] = {
    "phase": "build",
    "attempt": 2,
    "seconds": 12.25,
    "retried": False,
    "reason": None,
    "steps": ["fetch", {"name": "compile", "warnings": [0, 17], "höhe": "80 µm"}, []],
    "größe": {"世界": {"deep": {"deeper": True}}},
}


@check("log-storage.store.is-found", method=STORE)
async def stored_entries_are_found(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores two batches and looks for their entries right after each reply."""
    host = await processes.shared()
    journal = Journal()
    async with recalling(claims, settings, host) as recall:
        for count in (1, 5):
            batch = journal.entries(count)
            await keep(settings, host, batch)
            missing = set(ids_of(batch)) - set(ids_of(await recall(journal)))
            if missing:
                raise Failed(f"{len(missing)} of {count} entries that were just acknowledged are not given back")


@check("log-storage.store.is-unchanged", method=STORE)
async def stored_entries_are_unchanged(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores entries with texts of every kind, nested fields, other offsets, and without what is optional."""
    host = await processes.shared()
    journal = Journal()
    plain = journal.entry("the queue is empty")
    entries = [
        plain,
        journal.entry(
            "Größe geändert: 世界 \U0001f680 «naïve»",
            level="error",
            source="plugin",
            source_name="animus-übersetzer",
            fields=_FIELDS,
        ),
        journal.entry('two lines\nand a "quoted"\ttab \\ \u2028 \x1b[31mred\x1b[0m', level="debug", source="cli"),
        journal.entry("", level="trace", source="workflow", source_name="nightly", fields={}),
        *(journal.entry(f"written at UTC{hours:+}", level="warn", ts=_at_offset(plain, hours)) for hours in (5.5, -8)),
    ]
    async with recalling(claims, settings, host) as recall:
        await keep(settings, host, entries)
        found = await recall(journal)
    require_kept(entries, found)
    by_id = {entry["id"]: entry for entry in found}
    for entry in entries:
        changed = difference(entry, by_id[entry["id"]])
        if changed is not None:
            raise Failed(f"the entry {entry['message']!r} was stored and changed: {changed}")


@check("log-storage.store.dedups", method=STORE)
async def store_dedups(processes: Processes, claims: Claims, settings: SuiteSettings) -> None:
    """Stores entries again, in a later batch and twice in one, and counts what is given back."""
    host = await processes.shared()
    await _require_dedup(claims, host)
    journal = Journal()
    first, second = journal.entries(2), journal.entries(2)
    async with recalling(claims, settings, host) as recall:
        await keep(settings, host, first)
        await keep(settings, host, [*first, *second, second[0]])
        found = await recall(journal)
    _once_each([*first, *second], found)


@check("log-storage.store.dedups-after-a-restart", method=QUERY)
async def store_dedups_after_a_restart(
    processes: Processes, projects: Projects, claims: Claims, settings: SuiteSettings
) -> None:
    """Stores entries, ends the process regularly, stores them again in a new one, and counts what is given back."""
    project = await projects.new()
    journal = Journal()
    entries = journal.entries(3)
    async with processes.started(project=project) as host:
        await _require_dedup(claims, host)
        await keep(settings, host, entries)
        require_kept(entries, await everything(settings, host.given))
        await host.shut_down()
    async with processes.started(project=project) as host:
        require_kept(entries, await everything(settings, host.given))
        await keep(settings, host, entries)
        _once_each(entries, journal.own(await everything(settings, host.given)))


@check("log-storage.store.survives-a-restart", method=QUERY)
async def entries_survive_a_restart(processes: Processes, projects: Projects, settings: SuiteSettings) -> None:
    """Stores batches, ends the process with shutdown and exit, starts another for the same project, and looks."""
    await _survive(processes, projects, settings, Host.shut_down, "a regular end")


@check("log-storage.store.survives-a-kill", method=QUERY)
async def entries_survive_a_kill(processes: Processes, projects: Projects, settings: SuiteSettings) -> None:
    """Stores batches, kills the process right after the last reply, starts another for the project, and looks."""
    await _survive(processes, projects, settings, _kill, "a SIGKILL right after the reply")


async def _survive(
    processes: Processes, projects: Projects, settings: SuiteSettings, end: Callable[[Host], Awaitable[Any]], what: str
) -> None:
    project = await projects.new()
    journal = Journal()
    early, last = journal.entries(5), journal.entries(5)
    async with processes.started(project=project) as host:
        await keep(settings, host, early)
        # Given back before the end: so what is missing after it was lost by it.
        require_kept(early, await everything(settings, host.given))
        await keep(settings, host, last)
        await end(host)
    async with processes.started(project=project) as host:
        found = set(ids_of(await everything(settings, host.given)))
    missing = [entry_id for entry_id in ids_of([*early, *last]) if entry_id not in found]
    if missing:
        raise Failed(f"{len(missing)} of {len(early) + len(last)} acknowledged entries are gone after {what}")


async def _kill(host: Host) -> None:
    await host.process.kill()


def _at_offset(entry: Entry, hours: float) -> str:
    """The same instant as the entry's, written in whole seconds as clocks show it elsewhere."""
    return instant(entry["ts"]).astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="seconds")


async def _require_dedup(claims: Claims, host: Host) -> None:
    claimed = await claimed_flags(claims, host)
    if not claimed.get("supports_dedup"):
        raise NotAdvertised("the schema does not say supports_dedup: an entry that comes twice may be kept twice")


def _once_each(entries: list[Entry], found: list[Entry]) -> None:
    require_kept(entries, found)
    counts = Counter(ids_of(found))
    doubled = [entry_id for entry_id in ids_of(entries) if counts[entry_id] > 1]
    if doubled:
        raise Failed(f"{len(doubled)} of {len(entries)} entries that came twice with the same id were stored twice")
