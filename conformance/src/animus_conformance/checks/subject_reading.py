"""Checks of a subject backend's kinds, the names of its verbs, and of list and get (protocol §4)."""

from __future__ import annotations

from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import NO_SUBJECT, Backend, Backends
from animus_conformance.checks.subject_verbs import UNKNOWN_ID, Subject, covers
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS

_FOREIGN: Final = "nobodys-kind"
_REFUSALS: Final = (*REFUSALS, -32602)


@check("subject.kinds.are-claimed")
async def kinds_are_claimed(processes: Processes, claims: Claims) -> None:
    """Looks at subject_kinds of initialize and at the manifest's subject_kind tokens."""
    await processes.shared()
    if not claims.subject_kinds:
        raise Failed("neither capabilities.subject_kinds nor a subject_kind:<kind> of the manifest names a kind")
    for claim in claims.subject_kinds:
        name = claim.removesuffix(".*") if claim != "*" else "any"
        if not name or "*" in name or "/" in name:
            raise Failed(f"{claim!r} is neither the name of a kind nor a pattern such as issue.*")


@check("subject.methods.by-kind")
async def served_by_kind(backends: Backends, claims: Claims, settings: SuiteSettings) -> None:
    """Asks <kind>/list and <kind>/get of each plain kind; an unknown id will do for get."""
    backend = await backends.shared()
    plain = [claim for claim in claims.subject_kinds if "*" not in claim]
    if not plain:
        raise NotAdvertised(f"it claims patterns alone: {', '.join(claims.subject_kinds)}")
    for kind in plain:
        for verb, params in (("list", {"kind": [kind]}), ("get", {"id": UNKNOWN_ID})):
            reply = await backend.host.ask(f"{kind}/{verb}", settings.params_for(f"subject/{verb}", **params))
            if reply.code in REFUSALS:
                raise Failed(f"{kind}/{verb} is what hosts send, and it got {reply}")


@check("subject.methods.both-spellings-agree")
async def spellings_agree(backends: Backends, settings: SuiteSettings) -> None:
    """Lists by both names, and compares the subjects of the kind."""
    backend = await backends.shared()
    lists: dict[str, set[str]] = {}
    async with backend.any_subject():
        for method in (f"{backend.kind}/list", "subject/list"):
            wanted = settings.params_for("subject/list", kind=[backend.kind])
            reply = await backend.host.ask(method, wanted)
            if reply.code in _REFUSALS:
                raise NotAdvertised(f"{method} is refused with {reply.code}")
            if reply.error is not None:
                raise Failed(f"{method} was refused: {reply}")
            page = backend.typed("list", reply)
            if page.get("next_cursor"):
                raise Unproven(f"{method} gives pages even without a limit")
            lists[method] = {subject["id"] for subject in page["subjects"] if subject["kind"] == backend.kind}
    (one, ids), (other, other_ids) = lists.items()
    if ids != other_ids:
        raise Failed(f"only one of {one} and {other} shows {sorted(ids ^ other_ids)}")


@check("subject.list.has-its-type")
async def list_has_its_type(backends: Backends) -> None:
    """Lists with a subject there, where one can be made, and holds the result against SubjectList."""
    backend = await backends.shared()
    made = await _made_if_possible(backend)
    reply = await backend.ask("list")
    if made is not None:
        await backend.drop(made)
    backend.require_type("list", reply)


@check("subject.list.kinds-are-claimed")
async def listed_kinds_are_claimed(backends: Backends, claims: Claims) -> None:
    """Compares the kind of every listed subject with the claims."""
    backend = await backends.shared()
    async with backend.any_subject():
        for subject in await backend.everything():
            if not any(covers(claim, subject["kind"]) for claim in claims.subject_kinds):
                claimed = ", ".join(claims.subject_kinds)
                raise Failed(f"{subject['id']} is of the kind {subject['kind']!r}, and claimed are {claimed}")


@check("subject.list.ids-are-unique")
async def ids_are_unique(backends: Backends) -> None:
    """Lists several subjects and looks for an id that is there twice."""
    backend = await backends.shared()
    async with backend.populated():
        page = await backend.given("list")
    ids = [subject["id"] for subject in page["subjects"]]
    twice = {subject_id for subject_id in ids if ids.count(subject_id) > 1}
    if twice:
        raise Failed(f"{backend.method('list')} has these ids more than once: {sorted(twice)}")


@check("subject.ids.are-stable")
async def ids_are_stable(backends: Backends, projects: Projects) -> None:
    """Lists in one process, and again in the next one in the same project."""
    await backends.shared()
    project = await projects.new()
    async with backends.started(project) as backend:
        await _made_if_possible(backend)
        known = {subject["id"]: subject for subject in await backend.everything()}
        await backend.host.shut_down()
    async with backends.started(project) as backend:
        again = await backend.everything()
    for subject in again:
        old = known.get(subject["id"], subject)
        for field in ("kind", "title", "created_at"):
            if subject[field] != old[field]:
                raise Failed(
                    f"after a restart the {field} of {subject['id']} is {subject[field]!r}, not {old[field]!r}"
                )


@check("subject.get.has-its-type")
async def get_has_its_type(backends: Backends) -> None:
    """Gets a subject and holds the result against Subject, flat or nested."""
    backend = await backends.shared()
    made = await _made_if_possible(backend)
    listed = await backend.everything()
    if not listed:
        raise Unproven(NO_SUBJECT)
    reply = await backend.ask("get", id=listed[0]["id"])
    if made is not None:
        await backend.drop(made)
    backend.require_type("get", reply)


@check("subject.get.gives-the-one-asked-for")
async def get_gives_the_one(backends: Backends) -> None:
    """Gets the first and the last subject of a list and compares each with its row there."""
    backend = await backends.shared()
    async with backend.populated() as everything:
        for listed in (everything[0], everything[-1]):
            found = await backend.fetch(listed["id"])
            for field in ("id", "kind", "title", "status"):
                if found[field] != listed[field]:
                    raise Failed(
                        f"{backend.method('get')} of {listed['id']} shows the {field} {found[field]!r}, "
                        f"and {backend.method('list')} {listed[field]!r}"
                    )


@check("subject.kinds.foreign-verbs-are-refused")
async def foreign_verbs_are_refused(backends: Backends, claims: Claims) -> None:
    """Asks list, get and create of a kind that it does not claim."""
    backend = await backends.shared()
    if any(covers(claim, _FOREIGN) for claim in claims.subject_kinds):
        raise NotAdvertised("it claims every kind")
    async with backend.any_subject() as subject:
        asked = [
            (f"{_FOREIGN}/list", {}),
            (f"{_FOREIGN}/get", {"id": subject["id"]}),
            (f"{_FOREIGN}/create", {"kind": _FOREIGN, "title": "Nobody’s work"}),
        ]
        if "subject/create" in claims.spelled:
            asked.append(("subject/create", {"kind": _FOREIGN, "title": "Nobody’s work"}))
        for method, params in asked:
            reply = await backend.host.ask(method, params)
            if reply.error is None and not _is_empty_list(reply.result):
                raise Failed(f"{_FOREIGN} is claimed by nobody, and {method} got {reply}")
            if reply.error is not None and reply.code not in _REFUSALS:
                raise Failed(f"{method} is to be refused with -32601, and it got {reply}")


@check("subject.kinds.verbs-narrow")
async def verbs_narrow(backends: Backends, claims: Claims, settings: SuiteSettings) -> None:
    """Lists each of several plain kinds by its own name and looks for subjects of another."""
    backend = await backends.shared()
    plain = [claim for claim in claims.subject_kinds if "*" not in claim]
    if len(plain) < 2:
        raise NotAdvertised(f"it claims one plain kind at most: {', '.join(claims.subject_kinds)}")
    async with backend.any_subject():
        for kind in plain:
            reply = await backend.host.ask(f"{kind}/list", settings.params_for("subject/list"))
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
