"""Checks of the filters of a subject backend's list: each against the same filter over all subjects (protocol §4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from animus_conformance import oracle
from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import Backend, Backends
from animus_conformance.checks.subject_verbs import Subject
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS

_NOBODYS: Final = "nobody-has-this"
_STATUSES: Final = ("ready", "in-progress", "blocked", "done", "cancelled")
_MOST_VALUES: Final = 3
"""Each value costs a list of everything; a filter that works for three works for the fourth."""
_INVALID: Final = -32602


class _Field(NamedTuple):
    """A field of the filter: what a subject has of it, and whether the filter names several values."""

    has: Callable[[Subject], Iterable[str]]
    several: bool
    unheard_of: str = _NOBODYS


_FIELDS: Final[Mapping[str, _Field]] = {
    # Its values are a closed set: one that no subject has is looked for among the others.
    "status": _Field(lambda subject: [subject["status"]], several=True, unheard_of=""),
    "native_status": _Field(lambda subject: _one(subject.get("native_status")), several=False),
    "has_attachment_kind": _Field(
        lambda subject: [attachment["kind"] for attachment in subject.get("attachments") or []], several=False
    ),
    "assignee": _Field(lambda subject: _one(subject.get("assignee")), several=True),
    "labels_any": _Field(lambda subject: subject.get("labels") or [], several=True),
    "dispatch_label": _Field(lambda subject: [], several=False),
}


@check("subject.list.limit")
async def limit_is_kept(backends: Backends) -> None:
    """Lists with the limits 1 and 2."""
    backend = await backends.shared()
    async with backend.populated():
        for limit in (1, 2):
            page = await backend.result("list", limit=limit)
            if len(page["subjects"]) > limit:
                raise Failed(f"with limit {limit} {backend.method('list')} gives {len(page['subjects'])} subjects")


@check("subject.list.filter-kind")
async def kind_filters(backends: Backends) -> None:
    """Filters by its own kind and by one that nobody has; by others that exist where subject/list is advertised."""
    backend = await backends.shared()
    async with backend.populated() as everything:
        general = backend.method("list") == "subject/list"
        kinds = dict.fromkeys(subject["kind"] for subject in everything) if general else {backend.kind: None}
        for kind in [*kinds][:_MOST_VALUES]:
            await _compare(backend, {"kind": [kind]}, [subject for subject in everything if subject["kind"] == kind])
        await _compare(backend, {"kind": [_NOBODYS]}, [])


def _filters(name: str, field: _Field) -> None:
    async def compare(backends: Backends) -> None:
        backend = await backends.shared()
        async with backend.populated() as everything:
            values = [*dict.fromkeys(value for subject in everything for value in field.has(subject))][:_MOST_VALUES]
            unheard_of = field.unheard_of or next((status for status in _STATUSES if status not in values), "")
            wanted = [[value] for value in values]
            wanted += [values[:2]] if field.several and len(values) > 1 else []
            wanted += [[unheard_of]] if unheard_of else []
            for each in wanted:
                expected = [subject for subject in everything if not set(each).isdisjoint(field.has(subject))]
                await _compare(backend, {name: each if field.several else each[0]}, expected)

    compare.__doc__ = f"Filters by {name}: by values that subjects have, and by one that none has."
    check(f"subject.list.filter-{name.replace('_', '-')}")(compare)


for _name, _field in _FIELDS.items():
    _filters(_name, _field)


@check("subject.list.filter-labels-all")
async def labels_all_filters(backends: Backends) -> None:
    """Filters by one label, by two that a subject has, and by one of them with a label that none has."""
    backend = await backends.shared()
    async with backend.populated() as everything:
        most = max((subject.get("labels") or [] for subject in everything), key=len)
        for wanted in (most[:1], most[:2], [*most[:1], _NOBODYS]):
            if wanted:
                expected = [subject for subject in everything if set(wanted) <= set(subject.get("labels") or [])]
                await _compare(backend, {"labels_all": wanted}, expected)


@check("subject.list.filter-updated-since")
async def updated_since_filters(backends: Backends) -> None:
    """Filters by a time long ago, by one to come, and by one between two changes where they lie apart."""
    backend = await backends.shared()
    async with backend.populated() as everything:
        times = sorted({oracle.moment(subject["updated_at"]) for subject in everything})
        gaps = [(time, other - time) for time, other in pairwise(times)]
        apart = [time + gap / 2 for time, gap in gaps if gap > timedelta(seconds=2)]
        day = timedelta(days=1)
        for since in (times[0] - day, *apart[:1], max(times[-1], datetime.now(UTC)) + day):
            expected = [subject for subject in everything if oracle.moment(subject["updated_at"]) >= since]
            await _compare(backend, {"updated_since": since.astimezone(UTC).isoformat()}, expected)


@check("subject.list.filters-combine")
async def filters_combine(backends: Backends) -> None:
    """Filters by a status together with a label, one that subjects have and one that none has."""
    backend = await backends.shared()
    async with backend.populated() as everything:
        statuses = dict.fromkeys(subject["status"] for subject in everything)
        labels = dict.fromkeys(label for subject in everything for label in subject.get("labels") or [])
        for status in [*statuses][:_MOST_VALUES]:
            of_status = [subject for subject in everything if subject["status"] == status]
            await _given(backend, {"status": [status]}, of_status)
            for label in [*[*labels][:_MOST_VALUES], _NOBODYS]:
                labelled = [subject for subject in everything if label in (subject.get("labels") or [])]
                await _given(backend, {"labels_any": [label]}, labelled)
                both = [subject for subject in of_status if subject in labelled]
                await _compare(backend, {"status": [status], "labels_any": [label]}, both)


async def _compare(backend: Backend, wanted: Mapping[str, Any], expected: Iterable[Subject]) -> None:
    """Raises Failed unless a list with the filter has just the expected subjects, NotAdvertised when it is refused.

    What nobody has may be refused as invalid, too: nothing comes either way.
    """
    method, ids = backend.method("list"), sorted(subject["id"] for subject in expected)
    reply = await backend.ask("list", **wanted)
    if reply.code in REFUSALS:
        raise NotAdvertised(f"{method} {wanted} is refused with {reply.code}")
    if reply.error is not None and (ids or reply.code != _INVALID):
        raise Failed(f"{method} {wanted} was refused: {reply}")
    if reply.error is not None:
        return
    found = {subject["id"] for subject in await backend.joined(backend.typed("list", reply), wanted)}
    if found != {*ids}:
        surplus, lacking = sorted(found.difference(ids)), sorted({*ids} - found)
        raise Failed(f"{method} {wanted}: {surplus[:5]} should not be there, {lacking[:5]} should")


async def _given(backend: Backend, wanted: Mapping[str, Any], expected: Iterable[Subject]) -> None:
    """Like `_compare`, for a filter that the check only builds on. Raises Unproven."""
    try:
        await _compare(backend, wanted, expected)
    except Failed as failed:
        raise Unproven(f"alone {failed}") from None


def _one(value: Any) -> list[str]:
    return [] if value is None else [value]
