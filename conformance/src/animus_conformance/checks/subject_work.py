"""Checks of create, next and delete of a subject backend (protocol §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import TITLE, Backend, Backends
from animus_conformance.checks.subject_verbs import Subject
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS

_FIELD_REFUSALS = (-32602, *REFUSALS)


@check("subject.create.has-its-type", method="subject/create")
async def create_has_its_type(backends: Backends) -> None:
    """Creates a subject with kind and title, and holds the result against Subject, flat or nested."""
    backend = await backends.shared()
    reply = await backend.offered("create", **backend.create_params())
    backend.require_type("create", reply)
    await backend.drop(backend.typed("create", reply))


@check("subject.create.keeps-kind-and-title", method="subject/create")
async def create_keeps_kind_and_title(backends: Backends) -> None:
    """Creates a subject with a title in several scripts, and looks at the reply and at get."""
    backend = await backends.shared()
    async with backend.made() as made:
        for where, shown in (("the reply", made), (backend.method("get"), await backend.fetch(made["id"]))):
            for field, sent in (("kind", backend.kind), ("title", TITLE)):
                if shown[field] != sent:
                    raise Failed(f"sent was the {field} {sent!r}, and {where} shows {shown[field]!r}")


@check("subject.create.keeps-its-fields", method="subject/create")
async def create_keeps_its_fields(backends: Backends) -> None:
    """Sends every field of create at once, or one by one if that is refused; looks for them in get."""
    backend = await backends.shared()
    async with backend.made():
        pass  # with kind and title alone it works
    fields: dict[str, Any] = {
        "body": "It ticks.\n\n- since Monday\n- louder at night — „tick“",
        "status": "in-progress",
        "priority": 2,
        "labels": ["urgent", "Lärm"],
        "assignee": "ada",
        "custom": await backend.custom_values(),
    }
    if not await _keeps(backend, fields):
        for name, value in fields.items():
            await _keeps(backend, {name: value})


@check("subject.create.is-found", method="subject/create")
async def create_is_found(backends: Backends) -> None:
    """Creates a subject, gets it, and looks for it in the list."""
    backend = await backends.shared()
    made = await backend.given("create", **backend.create_params())
    reply = await backend.ask("get", id=made["id"])
    listed = [subject["id"] for subject in await backend.everything()]
    await backend.drop(made)
    if reply.error is not None:
        raise Failed(f"{backend.method('create')} made {made['id']}, and {backend.method('get')} of it got {reply}")
    if made["id"] not in listed:
        raise Failed(f"{backend.method('create')} made {made['id']}, and {backend.method('list')} does not show it")


@check("subject.create.survives-a-restart", method="subject/create")
async def create_survives_a_restart(backends: Backends, projects: Projects) -> None:
    """Creates a subject, ends the process as a host does, and gets it from the next one in the same project."""
    await backends.shared()
    project = await projects.new()
    async with backends.started(project) as backend:
        made = await backend.create()
        await backend.host.shut_down()
    async with backends.started(project) as backend:
        if not await backend.knows(made):
            raise Failed(
                f"{made['id']} was made before the restart, and after it {backend.method('get')} does not know it"
            )
        await backend.drop(made)


@check("subject.next.has-its-type", method="subject/next")
async def next_has_its_type(backends: Backends) -> None:
    """Asks next where something is ready, if that can be made, and without a kind; looks at the types."""
    backend = await backends.shared()
    if not backend.offers("create"):
        backend.require_type("next", await backend.offered("next", kind=backend.kind))
        return
    async with backend.any_subject(status="ready"):
        backend.require_type("next", await backend.offered("next", kind=backend.kind))


@check("subject.next.is-ready", method="subject/next")
async def next_is_ready(backends: Backends) -> None:
    """Asks next with a ready subject there, and again once that is done; looks up what it names each time."""
    backend = await backends.shared()
    await _require_ready(backend)
    if not backend.offers("create"):
        return
    async with backend.any_subject(status="ready") as subject:
        await _require_ready(backend)
        if await backend.move(subject, "done"):
            await _require_ready(backend)


@check("subject.next.is-of-the-kind", method="subject/next")
async def next_is_of_the_kind(backends: Backends) -> None:
    """Asks next of one kind and looks at the subject's."""
    backend = await backends.shared()
    for _ in range(2):
        found = await backend.given("next", kind=backend.kind)
        if found is not None and found["kind"] != backend.kind:
            raise Failed(f"asked for {backend.kind}, next gives {found['id']}, which is a {found['kind']}")
        if found is not None or not backend.offers("create"):
            return
        async with backend.any_subject(status="ready"):
            pass


@check("subject.next.finds-one", method="subject/next")
async def next_finds_one(backends: Backends) -> None:
    """Asks next while a subject is there whose status is ready."""
    backend = await backends.shared()
    async with backend.any_subject(status="ready"):
        ready = [subject["id"] for subject in await backend.everything() if subject["status"] == "ready"]
        if not ready:
            raise Unproven("no subject is ready: have one made by the `project` or the `setup` of conformance.toml")
        if await backend.given("next", kind=backend.kind) is None:
            raise Failed(f"{backend.method('next')} gives null while {', '.join(ready[:5])} are ready")


@check("subject.delete.has-its-type", method="subject/delete")
async def delete_has_its_type(backends: Backends) -> None:
    """Deletes a subject that was made for it, and holds the result against DeleteSubjectResponse."""
    backend = await backends.shared()
    made = await _made_to_be_deleted(backend)
    backend.require_type("delete", await backend.offered("delete", id=made["id"]))


@check("subject.delete.deletes")
async def delete_deletes(backends: Backends) -> None:
    """Deletes a subject that was made for it, then asks get and list for it."""
    backend = await backends.shared()
    made = await _made_to_be_deleted(backend)
    reply = await backend.ask("delete", id=made["id"])
    known = await backend.knows(made)
    listed = made["id"] in [subject["id"] for subject in await backend.everything()]
    if reply.code in REFUSALS:
        if not known or not listed:
            raise Failed(f"{backend.method('delete')} was refused with {reply.code}, and {made['id']} is gone")
        raise NotAdvertised(f"{backend.method('delete')} is refused with {reply.code}, and the subject is still there")
    if reply.error is not None:
        raise Failed(f"{backend.method('delete')} of {made['id']} was refused: {reply}")
    if not backend.typed("delete", reply)["ok"]:
        raise Failed(f"{backend.method('delete')} of {made['id']}, which was there, got {reply}")
    if known or listed:
        where = "list" if listed else "get"
        raise Failed(f"{backend.method('delete')} said {reply}, and {backend.method(where)} still knows {made['id']}")


async def _keeps(backend: Backend, fields: Mapping[str, Any]) -> bool:
    """Whether a subject is made with these fields; then it has them. Raises Failed for one that is lost."""
    params = backend.create_params(**fields)
    reply = await backend.ask("create", **params)
    if reply.code in _FIELD_REFUSALS:
        return False
    if reply.error is not None:
        raise Failed(f"{backend.method('create')} with {', '.join(fields)} was refused: {reply}")
    made = backend.typed("create", reply)
    try:
        shown = await backend.fetch(made["id"])
    finally:
        await backend.drop(made)
    lost = [name for name in fields if not _shows(shown, name, params[name])]
    if lost:
        sent = {name: params[name] for name in lost}
        stored = {name: shown.get("description" if name == "body" else name) for name in lost}
        raise Failed(f"sent was {sent}, and {backend.method('get')} shows {stored}")
    return True


def _shows(subject: Subject, name: str, sent: Any) -> bool:
    if name == "body":
        return bool((subject.get("description") or "").strip() == sent.strip())
    if name == "labels":
        return set(subject.get("labels") or []) == set(sent)
    if name == "custom":
        custom = subject.get("custom") or {}
        return all(custom.get(key) == value for key, value in sent.items())
    return bool(subject.get(name) == sent)


async def _require_ready(backend: Backend) -> None:
    found = await backend.given("next", kind=backend.kind)
    if found is None:
        return
    if found["status"] != "ready":
        raise Failed(f"{backend.method('next')} gives {found['id']}, which is {found['status']}")
    stored = await backend.fetch(found["id"])
    if stored["status"] != "ready":
        raise Failed(
            f"{backend.method('next')} gives {found['id']}, which {backend.method('get')} shows as {stored['status']}"
        )


async def _made_to_be_deleted(backend: Backend) -> Subject:
    """A new subject; nobody's own is risked. Raises NotAdvertised, Unproven."""
    if backend.offers("create"):
        return await backend.create(title="Old note, to be thrown away 🗑")
    if not backend.offers("delete"):
        reply = await backend.ask("delete", id="no-such-subject")
        if reply.code in REFUSALS:
            raise NotAdvertised(f"{backend.method('delete')} is refused with {reply.code}")
    raise Unproven("nothing can be made that might be deleted")
