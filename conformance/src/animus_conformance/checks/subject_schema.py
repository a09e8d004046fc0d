"""Checks of a subject backend's schema (protocol §4)."""

from __future__ import annotations

from animus_conformance.checks.advertising import require_flags
from animus_conformance.checks.registry import check
from animus_conformance.checks.subject_backend import Backends
from animus_conformance.target.claims import Claims
from animus_conformance.verdict import Failed, NotAdvertised, Unproven


@check("subject.schema.has-its-type", method="subject/schema")
async def schema_has_its_type(backends: Backends) -> None:
    """Asks for the schema and holds it against SubjectSchema."""
    backend = await backends.shared()
    backend.require_type("schema", await backend.offered("schema"))


@check("subject.schema.kinds", method="subject/schema")
async def schema_kinds(backends: Backends, claims: Claims) -> None:
    """Compares the schema's kinds with the claims."""
    backend = await backends.shared()
    kinds = (await backend.given("schema"))["kinds"]
    if set(kinds) != set(claims.subject_kinds):
        raise Failed(f"the schema names the kinds {sorted(kinds)}, and claimed are {sorted(claims.subject_kinds)}")


@check("subject.schema.flags", method="subject/schema")
async def schema_flags(backends: Backends, claims: Claims) -> None:
    """Compares supports_create, supports_watch and supports_delete with the advertised methods."""
    backend = await backends.shared()
    methods = {f"supports_{verb}": f"subject/{verb}" for verb in ("create", "watch", "delete")}
    require_flags(claims, await backend.given("schema"), methods)


@check("subject.schema.pagination-flag", method="subject/schema")
async def schema_pagination_flag(backends: Backends) -> None:
    """Lists with limit 1 where several subjects are, and compares with supports_pagination."""
    backend = await backends.shared()
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
async def schema_status_values(backends: Backends) -> None:
    """Looks for the status of every listed subject among status_values."""
    backend = await backends.shared()
    values = (await backend.given("schema"))["status_values"]
    async with backend.populated() as everything:
        for subject in everything:
            if subject["status"] not in values:
                raise Failed(f"{subject['id']} is {subject['status']}, and status_values are {', '.join(values)}")
