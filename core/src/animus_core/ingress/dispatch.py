"""Builds the one envelope in which all work travels.

Below lies the subject router. The stored dispatches of all ways in differ only in `trigger_source` and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from animus_core.errors import InvalidInput, PluginFailed, UnknownName
from animus_core.kinds.subjects.router import CUSTOM_SUBJECT, SubjectRouter
from animus_core.workflow.definitions import WorkflowSet
from animus_protocol.errors import RpcError
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from animus_protocol.models.priority import PriorityName

__all__ = ["DispatchRequest", "build_dispatch", "resolve_workflow"]


class DispatchRequest(NamedTuple):
    """What somebody wants to be done; empty `workflow_ref` means the project's default."""

    kind: str
    subject_id: str
    workflow_ref: str | None
    trigger_source: str
    priority: str | None = None
    variables: Mapping[str, str] = {}
    input: Any = None


def resolve_workflow(workflows: WorkflowSet, ref: str | None) -> str:
    """The id of the wanted or default workflow. Raises InvalidInput (none wanted, none default) or UnknownName."""
    known = ", ".join(sorted(found.id for found in workflows.workflows.values())) or "none"
    wanted = ref or workflows.default_workflow_ref
    if not wanted:
        raise InvalidInput(
            f"no workflow was named, and the project has no default_workflow_ref (workflows: {known})",
            hint="Name one with --workflow, or set default_workflow_ref in .animus/workflows.yaml.",
        )
    found = workflows.workflow(wanted)
    if found is None:
        raise UnknownName(f"unknown workflow {wanted!r} (there are: {known})", hint="Look in .animus/workflows.yaml.")
    # As the file writes it, whatever was typed: the queue, the run and the plan then agree on one spelling.
    return found.id


async def build_dispatch(request: DispatchRequest, workflow_ref: str, router: SubjectRouter) -> SubjectDispatch:
    """The dispatch for `request`, with what the subject's backend says of it: also its priority, unless one is given.

    Raises UnknownName for a subject that does not exist, InvalidInput for one that its backend cannot read.
    """
    subject, own_priority = await _describe(request, router)
    return SubjectDispatch(
        subject=subject,
        workflow_ref=workflow_ref,
        trigger_source=request.trigger_source,
        requested_at=datetime.now(UTC),
        priority=request.priority or PriorityName.of_number(own_priority),
        vars=dict(request.variables),
        input=request.input,
    )


async def _describe(request: DispatchRequest, router: SubjectRouter) -> tuple[SubjectRef, int | None]:
    """The subject as its backend has it, and its own priority."""
    if request.kind == CUSTOM_SUBJECT:
        return SubjectRef(kind=CUSTOM_SUBJECT, id=request.subject_id, title=request.subject_id), None
    try:
        subject = await router.get(request.kind, request.subject_id)
    # Not a mistake in the request, so not InvalidInput: the caller may try again.
    except PluginFailed:
        raise
    except RpcError as error:
        if error.category == "not_found":
            hint = f"Look at what there is: animus subject list --kind {request.kind}"
            absent = f"no {request.kind} {request.subject_id!r}"
            repeats = error.why == f"{request.kind} {request.subject_id}"
            raise UnknownName(absent if repeats else f"{absent}: {error.why}", hint=hint) from error
        raise InvalidInput(f"{request.kind} {request.subject_id!r}: {error.message}") from error
    described = SubjectRef(
        kind=request.kind,
        id=subject.id,
        title=subject.title,
        description=subject.description,
        labels=list(subject.labels),
    )
    return described, subject.priority
