"""Checks of update and status of a subject backend (protocol §4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import Backend, Backends
from animus_conformance.checks.subject_verbs import Subject
from animus_conformance.settings import SuiteSettings
from animus_conformance.verdict import Failed, NotAdvertised
from animus_conformance.wire.messages import REFUSALS

_FIELD_REFUSALS: Final = (-32602, *REFUSALS)
"""How a backend refuses a field or a move that it does not have."""

_WRITTEN: Final = ("kind", "title", "description", "priority", "created_at", "parent", "children", "url", "status")
_FULL: Final[Mapping[str, Any]] = {
    "body": "Twice in the last week.\n\nThe neighbours — all of them — know.",
    "labels": ["plumbing", "urgent"],
    "assignee": "ada",
    "priority": 2,
}


@check("subject.update.has-its-type", method="subject/update")
async def update_has_its_type(backends: Backends, settings: SuiteSettings) -> None:
    """Sends patches until one is accepted, and holds the result against Subject, flat or nested."""
    backend = await backends.shared()
    patches: list[dict[str, Any]] = [{"status": "done"}, {"assignee": _person(settings)}, {"labels_add": ["seen"]}, {}]
    async with backend.any_subject() as subject:
        for patch in patches:
            reply = await backend.ask("update", id=subject["id"], patch=patch)
            if reply.code not in _FIELD_REFUSALS:
                break
    if reply.code in REFUSALS:
        raise NotAdvertised(f"{backend.method('update')} is refused with {reply.code}, so that hosts do without")
    backend.require_type("update", reply)


@check("subject.update.changes-what-was-sent", method="subject/update")
async def update_changes(backends: Backends, settings: SuiteSettings) -> None:
    """Patches the assignee, then the status, and looks at the reply and at get."""
    backend = await backends.shared()
    taken = []
    async with backend.any_subject() as subject:
        for field, value in (("assignee", _person(settings)), ("status", "in-progress")):
            changed = await _patched(backend, subject, {field: value})
            if changed is None:
                continue
            taken.append(field)
            for where, shown in (("the reply", changed), (backend.method("get"), await backend.fetch(subject["id"]))):
                if shown.get(field) != value:
                    raise Failed(f"after a patch with {field} {value!r}, {where} shows {shown.get(field)!r}")
    if not taken:
        raise NotAdvertised("update refuses both a status and an assignee")


@check("subject.update.leaves-the-rest", method="subject/update")
async def update_leaves_the_rest(backends: Backends) -> None:
    """Patches the assignee, then a label, and compares everything else before and after."""
    backend = await backends.shared()
    custom = await backend.custom_values()
    async with backend.any_subject(**_FULL, custom=custom) as subject:
        steps: Iterable[tuple[Mapping[str, Any], tuple[str, ...]]] = (
            ({"assignee": "grace"}, (*_WRITTEN, "labels")),
            ({"labels_add": ["seen"]}, (*_WRITTEN, "assignee")),
        )
        for patch, rest in steps:
            before = await backend.fetch(subject["id"])
            if await _patched(backend, subject, patch) is None:
                continue
            after = await backend.fetch(subject["id"])
            pairs = [(name, before.get(name), after.get(name)) for name in rest]
            pairs += [(f"custom.{name}", _custom(before, name), _custom(after, name)) for name in custom]
            for name, old, new in pairs:
                if (old or None) != (new or None):
                    raise Failed(f"the patch {patch} has changed {name} from {old!r} to {new!r}")


@check("subject.update.null-clears-the-assignee", method="subject/update")
async def null_clears_the_assignee(backends: Backends, settings: SuiteSettings) -> None:
    """Gives it to somebody, then sends assignee: null, and looks at the reply and at get."""
    backend = await backends.shared()
    async with backend.any_subject() as subject:
        if await _patched(backend, subject, {"assignee": _person(settings)}) is None:
            raise NotAdvertised("it refuses an assignee, so that there is none to clear")
        cleared = await backend.result("update", id=subject["id"], patch={"assignee": None})
        for where, shown in (("the reply", cleared), (backend.method("get"), await backend.fetch(subject["id"]))):
            if shown.get("assignee") is not None:
                raise Failed(f"after the patch assignee: null, {where} shows {shown['assignee']!r}")


@check("subject.update.labels", method="subject/update")
async def labels_are_added_and_removed(backends: Backends) -> None:
    """Adds two labels, then one of them again and a third while it takes off the other and one that is not there."""
    backend = await backends.shared()
    async with backend.any_subject() as subject:
        if await _patched(backend, subject, {"labels_add": ["plumbing", "urgent"]}) is None:
            raise NotAdvertised("it refuses labels")
        had = {*(subject.get("labels") or []), "plumbing", "urgent"}
        await _expect_labels(backend, subject, "adding plumbing and urgent", had)
        patch = {"labels_add": ["urgent", "höchste Zeit"], "labels_remove": ["plumbing", "never-there"]}
        await backend.result("update", id=subject["id"], patch=patch)
        await _expect_labels(backend, subject, f"the patch {patch}", (had | {"höchste Zeit"}) - {"plumbing"})


@check("subject.update.custom-is-merged", method="subject/update")
async def custom_is_merged(backends: Backends) -> None:
    """Sets one field of its own, then another, and looks for both."""
    backend = await backends.shared()
    values = await backend.custom_values()
    if len(values) < 2:
        raise NotAdvertised("its schema names fewer than two fields of its own")
    async with backend.any_subject() as subject:
        for name, value in values.items():
            if await _patched(backend, subject, {"custom": {name: value}}) is None:
                raise NotAdvertised(f"it refuses the field {name} in custom")
        shown = await backend.fetch(subject["id"])
        for name, value in values.items():
            if _custom(shown, name) != value:
                raise Failed(f"custom got {values} field by field, and {name} is {_custom(shown, name)!r}")


@check("subject.status.has-its-type", method="subject/status")
async def status_has_its_type(backends: Backends) -> None:
    """Sets a status and holds the result against Subject, flat or nested."""
    backend = await backends.shared()
    async with backend.any_subject() as subject:
        reply = await backend.offered("status", id=subject["id"], status="done")
    backend.require_type("status", reply)


@check("subject.status.is-set", method="subject/status")
async def status_is_set(backends: Backends) -> None:
    """Moves a subject to in-progress and to done, and looks at the reply and at get."""
    backend = await backends.shared()
    refusals = []
    moves = ("in-progress", "done")
    async with backend.any_subject() as subject:
        for status in moves:
            reply = await backend.ask("status", id=subject["id"], status=status)
            if reply.code in _FIELD_REFUSALS:
                refusals.append(reply)
                continue
            if reply.error is not None:
                raise Failed(f"{backend.method('status')} {status} was refused: {reply}")
            moved = backend.typed("status", reply)
            for where, shown in (("the reply", moved), (backend.method("get"), await backend.fetch(subject["id"]))):
                if shown["status"] != status:
                    raise Failed(f"after {backend.method('status')} {status}, {where} shows {shown['status']!r}")
    if len(refusals) == len(moves):
        if all(refusal.code in REFUSALS for refusal in refusals):
            raise NotAdvertised(f"{backend.method('status')} is refused with {refusals[0].code}")
        raise Failed(f"it can be moved neither to in-progress nor to done: {refusals[0]}")


@check("subject.changes.updated-at")
async def updated_at_never_goes_back(backends: Backends) -> None:
    """Changes a subject by status and update, whichever are served, and compares updated_at."""
    backend = await backends.shared()
    changes: list[tuple[str, Mapping[str, Any]]] = [
        ("status", {"status": "in-progress"}),
        ("update", {"patch": {"labels_add": ["seen"]}}),
        ("update", {"patch": {"status": "done"}}),
    ]
    offered = [(verb, params) for verb, params in changes if backend.offers(verb)]
    if not offered:
        raise NotAdvertised("it changes nothing: neither status nor update is advertised")
    async with backend.any_subject() as subject:
        last = subject["updated_at"]
        for verb, params in offered:
            reply = await backend.ask(verb, id=subject["id"], **params)
            if reply.error is not None:
                continue  # whether it has to be served is another question
            shown = backend.typed(verb, reply)["updated_at"]
            if oracle.moment(shown) < oracle.moment(last):
                raise Failed(f"after {backend.method(verb)} {params} updated_at is {shown}, and it was {last}")
            last = shown


async def _patched(backend: Backend, subject: Subject, patch: Mapping[str, Any]) -> Subject | None:
    """The subject after a patch; None when the backend does not have what the patch names. Raises Failed."""
    reply = await backend.ask("update", id=subject["id"], patch=patch)
    if reply.code in _FIELD_REFUSALS:
        return None
    if reply.error is not None:
        raise Failed(f"{backend.method('update')} with the patch {patch} was refused: {reply}")
    changed: Subject = backend.typed("update", reply)
    return changed


async def _expect_labels(backend: Backend, subject: Subject, after: str, wanted: set[str]) -> None:
    shown = (await backend.fetch(subject["id"])).get("labels") or []
    if sorted(shown) != sorted(wanted):
        raise Failed(f"after {after} the labels are {sorted(shown)}, not {sorted(wanted)}")


def _person(settings: SuiteSettings) -> str:
    """Whom work is given to: the settings know who exists."""
    return str(settings.params_for("subject/create").get("assignee", "ada"))


def _custom(subject: Subject, name: str) -> Any:
    return (subject.get("custom") or {}).get(name)
