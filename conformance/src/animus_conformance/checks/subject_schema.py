"""Checks of a subject backend's schema, and of what it advertises (protocol §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import NOT_SERVED, UNKNOWN_ID, Backend
from animus_conformance.checks.subject_stream import Watch, ask_to_watch
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Reply

_HARMLESS: Final[Mapping[str, Mapping[str, Any]]] = {
    "update": {"id": UNKNOWN_ID, "patch": {}},
    "next": {},
    "status": {"id": UNKNOWN_ID, "status": "done"},
    "delete": {"id": UNKNOWN_ID},
    "schema": {},
}


@check("subject.methods.advertised-are-served")
async def advertised_are_served(plugin: PluginUnderTest) -> None:
    """Sends each advertised verb but list and get, with an id that nobody has where one is needed."""
    backend = await Backend.shared(plugin)
    for verb in [*_HARMLESS, "create", "watch"]:
        if backend.offers(verb):
            try:
                reply = await _tried(backend, verb)
            except Failed as failed:
                raise Unproven(str(failed)) from None
            if reply.code in NOT_SERVED:
                raise Failed(f"{backend.method(verb)} is advertised, and it got {reply}")


@check("subject.schema.has-its-type", method="subject/schema")
async def schema_has_its_type(plugin: PluginUnderTest) -> None:
    """Asks for the schema and holds it against SubjectSchema."""
    backend = await Backend.shared(plugin)
    backend.require_type("schema", await backend.offered("schema"))


@check("subject.schema.kinds", method="subject/schema")
async def schema_kinds(plugin: PluginUnderTest) -> None:
    """Compares the schema's kinds with the claims."""
    backend = await Backend.shared(plugin)
    kinds = (await backend.given("schema"))["kinds"]
    if set(kinds) != set(plugin.subject_kinds):
        raise Failed(f"the schema names the kinds {sorted(kinds)}, and claimed are {sorted(plugin.subject_kinds)}")


@check("subject.schema.flags", method="subject/schema")
async def schema_flags(plugin: PluginUnderTest) -> None:
    """Compares supports_create, supports_watch and supports_delete with the advertised methods."""
    backend = await Backend.shared(plugin)
    schema = await backend.given("schema")
    for verb in ("create", "watch", "delete"):
        flag, offered = schema.get(f"supports_{verb}"), backend.offers(verb)
        if flag is not None and flag != offered:
            told = "is advertised" if offered else "is not advertised"
            raise Failed(f"supports_{verb} is {str(flag).lower()}, and {backend.method(verb)} {told}")


@check("subject.schema.pagination-flag", method="subject/schema")
async def schema_pagination_flag(plugin: PluginUnderTest) -> None:
    """Lists with limit 1 where several subjects are, and compares with supports_pagination."""
    backend = await Backend.shared(plugin)
    flag = (await backend.given("schema"))["supports_pagination"]
    async with backend.populated() as everything:
        page = await backend.given("list", limit=1)
    if len(everything) < 2:
        raise Unproven("there is one subject, which makes no pages; a `project` or `setup` can bring more")
    if len(page["subjects"]) > 1:
        raise NotAdvertised("limit is ignored, so that no list is cut short")
    if flag != bool(page.get("next_cursor")):
        raise Failed(
            f"supports_pagination is {str(flag).lower()}, and a list that limit 1 has cut short has "
            f"next_cursor {page.get('next_cursor')!r}"
        )


@check("subject.schema.status-values", method="subject/schema")
async def schema_status_values(plugin: PluginUnderTest) -> None:
    """Looks for the status of every listed subject among status_values."""
    backend = await Backend.shared(plugin)
    values = (await backend.given("schema"))["status_values"]
    async with backend.populated() as everything:
        for subject in everything:
            if subject["status"] not in values:
                raise Failed(f"{subject['id']} is {subject['status']}, and status_values are {', '.join(values)}")


async def _tried(backend: Backend, verb: str) -> Reply:
    """The answer to a request that leaves nothing behind. Raises Failed when there is none."""
    if verb == "create":
        reply = await backend.ask("create", **backend.create_params())
        if reply.error is None:
            await backend.drop(backend.typed("create", reply))
        return reply
    if verb == "watch":
        request_id, reply = await ask_to_watch(backend)
        if reply.error is None:
            await Watch(backend, request_id, 0).end()
        return reply
    return await backend.ask(verb, **_HARMLESS[verb])
