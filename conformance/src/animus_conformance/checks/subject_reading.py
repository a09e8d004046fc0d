"""Checks of a subject backend's kinds, the names of its verbs, and of list and get (protocol §4)."""

from __future__ import annotations

from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import NO_SUBJECT, NOT_SERVED, UNKNOWN_ID, Backend, Subject, claims
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, NotAdvertised, Unproven

_FOREIGN: Final = "nobodys-kind"
_REFUSALS: Final = (*NOT_SERVED, -32602)


@check("subject.kinds.are-claimed")
async def kinds_are_claimed(plugin: PluginUnderTest) -> None:
    """Looks at subject_kinds of initialize and at the manifest's subject_kind tokens."""
    await plugin.shared()
    if not plugin.subject_kinds:
        raise Failed("neither capabilities.subject_kinds nor a subject_kind:<kind> of the manifest names a kind")
    for claim in plugin.subject_kinds:
        name = claim.removesuffix(".*") if claim != "*" else "any"
        if not name or "*" in name or "/" in name:
            raise Failed(f"{claim!r} is neither the name of a kind nor a pattern such as issue.*")


@check("subject.methods.by-kind")
async def served_by_kind(plugin: PluginUnderTest) -> None:
    """Asks <kind>/list and <kind>/get of each plain kind; an unknown id will do for get."""
    backend = await Backend.shared(plugin)
    plain = [claim for claim in plugin.subject_kinds if "*" not in claim]
    if not plain:
        raise NotAdvertised(f"it claims patterns alone: {', '.join(plugin.subject_kinds)}")
    for kind in plain:
        for verb, params in (("list", {"kind": [kind]}), ("get", {"id": UNKNOWN_ID})):
            reply = await backend.host.ask(f"{kind}/{verb}", plugin.params(f"subject/{verb}", **params))
            if reply.code in NOT_SERVED:
                raise Failed(f"{kind}/{verb} is what hosts send, and it got {reply}")


@check("subject.methods.both-spellings-agree")
async def spellings_agree(plugin: PluginUnderTest) -> None:
    """Lists by both names, and compares the subjects of the kind."""
    backend = await Backend.shared(plugin)
    lists: dict[str, set[str]] = {}
    async with backend.one():
        for method in (f"{backend.kind}/list", "subject/list"):
            wanted = plugin.params("subject/list", kind=[backend.kind])
            reply = await backend.host.ask(method, wanted)
            if reply.code in _REFUSALS:
                raise NotAdvertised(f"{method} is refused with {reply.code}")
            if reply.error is not None:
                raise Failed(f"{method} was refused: {reply}")
            page = backend.typed("list", reply)
            if page.get("next_cursor"):
                raise Unproven(f"{method} gives pages even without a limit")
            lists[method] = {one["id"] for one in page["subjects"] if one["kind"] == backend.kind}
    (one, ids), (other, other_ids) = lists.items()
    if ids != other_ids:
        raise Failed(f"only one of {one} and {other} shows {sorted(ids ^ other_ids)}")


@check("subject.list.has-its-type")
async def list_has_its_type(plugin: PluginUnderTest) -> None:
    """Lists with a subject there, where one can be made, and holds the result against SubjectList."""
    backend = await Backend.shared(plugin)
    made = await _made_if_possible(backend)
    reply = await backend.ask("list")
    if made is not None:
        await backend.drop(made)
    backend.require_type("list", reply)


@check("subject.list.kinds-are-claimed")
async def listed_kinds_are_claimed(plugin: PluginUnderTest) -> None:
    """Compares the kind of every listed subject with the claims."""
    backend = await Backend.shared(plugin)
    async with backend.one():
        for subject in await backend.everything():
            if not any(claims(claim, subject["kind"]) for claim in plugin.subject_kinds):
                claimed = ", ".join(plugin.subject_kinds)
                raise Failed(f"{subject['id']} is of the kind {subject['kind']!r}, and claimed are {claimed}")


@check("subject.list.ids-are-unique")
async def ids_are_unique(plugin: PluginUnderTest) -> None:
    """Lists several subjects and looks for an id that is there twice."""
    backend = await Backend.shared(plugin)
    async with backend.populated():
        page = await backend.given("list")
    ids = [one["id"] for one in page["subjects"]]
    twice = {one for one in ids if ids.count(one) > 1}
    if twice:
        raise Failed(f"{backend.method('list')} has these ids more than once: {sorted(twice)}")


@check("subject.ids.are-stable")
async def ids_are_stable(plugin: PluginUnderTest) -> None:
    """Lists in one process, and again in the next one in the same project."""
    await Backend.shared(plugin)
    project = await plugin.project()
    async with Backend.started(plugin, project) as backend:
        await _made_if_possible(backend)
        known = {one["id"]: one for one in await backend.everything()}
        await backend.host.shut_down()
    async with Backend.started(plugin, project) as backend:
        again = await backend.everything()
    for subject in again:
        old = known.get(subject["id"], subject)
        for field in ("kind", "title", "created_at"):
            if subject[field] != old[field]:
                raise Failed(
                    f"after a restart the {field} of {subject['id']} is {subject[field]!r}, not {old[field]!r}"
                )


@check("subject.get.has-its-type")
async def get_has_its_type(plugin: PluginUnderTest) -> None:
    """Gets a subject and holds the result against Subject, flat or nested."""
    backend = await Backend.shared(plugin)
    made = await _made_if_possible(backend)
    listed = await backend.everything()
    if not listed:
        raise Unproven(NO_SUBJECT)
    reply = await backend.ask("get", id=listed[0]["id"])
    if made is not None:
        await backend.drop(made)
    backend.require_type("get", reply)


@check("subject.get.gives-the-one-asked-for")
async def get_gives_the_one(plugin: PluginUnderTest) -> None:
    """Gets the first and the last subject of a list and compares each with its row there."""
    backend = await Backend.shared(plugin)
    async with backend.populated() as everything:
        for listed in (everything[0], everything[-1]):
            found = await backend.look(listed["id"])
            for field in ("id", "kind", "title", "status"):
                if found[field] != listed[field]:
                    raise Failed(
                        f"{backend.method('get')} of {listed['id']} shows the {field} {found[field]!r}, "
                        f"and {backend.method('list')} {listed[field]!r}"
                    )


@check("subject.kinds.foreign-verbs-are-refused")
async def foreign_verbs_are_refused(plugin: PluginUnderTest) -> None:
    """Asks list, get and create of a kind that it does not claim."""
    backend = await Backend.shared(plugin)
    if any(claims(claim, _FOREIGN) for claim in plugin.subject_kinds):
        raise NotAdvertised("it claims every kind")
    async with backend.one() as subject:
        asked = [
            (f"{_FOREIGN}/list", {}),
            (f"{_FOREIGN}/get", {"id": subject["id"]}),
            (f"{_FOREIGN}/create", {"kind": _FOREIGN, "title": "Nobody’s work"}),
        ]
        if "subject/create" in plugin.spelled:
            asked.append(("subject/create", {"kind": _FOREIGN, "title": "Nobody’s work"}))
        for method, params in asked:
            reply = await backend.host.ask(method, params)
            if reply.error is None and not _is_empty_list(reply.result):
                raise Failed(f"{_FOREIGN} is claimed by nobody, and {method} got {reply}")
            if reply.error is not None and reply.code not in _REFUSALS:
                raise Failed(f"{method} is to be refused with -32601, and it got {reply}")


@check("subject.kinds.verbs-narrow")
async def verbs_narrow(plugin: PluginUnderTest) -> None:
    """Lists each of several plain kinds by its own name and looks for subjects of another."""
    backend = await Backend.shared(plugin)
    plain = [claim for claim in plugin.subject_kinds if "*" not in claim]
    if len(plain) < 2:
        raise NotAdvertised(f"it claims one plain kind at most: {', '.join(plugin.subject_kinds)}")
    async with backend.one():
        for kind in plain:
            reply = await backend.host.ask(f"{kind}/list", plugin.params("subject/list"))
            if reply.error is not None:
                raise Unproven(f"first {kind}/list was refused: {reply}")
            for subject in backend.typed("list", reply)["subjects"]:
                if subject["kind"] != kind and subject["kind"] in plain:
                    raise Failed(f"{kind}/list shows {subject['id']}, which is of the kind {subject['kind']!r}")


async def _made_if_possible(backend: Backend) -> Subject | None:
    if backend.offers("create"):
        try:
            return await backend.create()
        except (NotAdvertised, Unproven):
            pass  # what exists will do
    return None


def _is_empty_list(result: object) -> bool:
    return result is None or (isinstance(result, dict) and result.get("subjects") == [])
