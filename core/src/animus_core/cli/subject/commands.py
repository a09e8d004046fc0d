"""`animus subject …`: list, get, status, create, watch.

Below lies the control client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from animus_core.cli.connection import scope_of
from animus_core.cli.follow import follow
from animus_core.cli.output import Output, table
from animus_core.control import methods
from animus_core.control.ask import ask, require_fields
from animus_core.errors import InvalidInput
from animus_core.store.project_config import default_subject_kind
from animus_protocol.models.priority import PriorityName
from animus_protocol.models.subject_status import SubjectStatus

if TYPE_CHECKING:
    import argparse

    from animus_core.control import shapes

__all__ = ["create", "get", "list_subjects", "status", "watch"]


def list_subjects(args: argparse.Namespace, output: Output) -> int:
    """Print subjects."""
    found = ask(scope_of(args), methods.SUBJECT_LIST({"filter": _filter(args)}))
    warnings = found.get("warnings", [])
    data: dict[str, Any] = {"subjects": found["subjects"], "next_cursor": found.get("next_cursor")}
    if warnings:
        data["warnings"] = warnings

    def human() -> str:
        rows = [
            [subject["id"], subject["kind"], subject["status"], str(subject.get("priority") or ""), subject["title"]]
            for subject in found["subjects"]
        ]
        # Below the table: a list that leaves a backend out must not look like all there is.
        missing = [f"not listed: {warning}" for warning in warnings]
        return "\n".join([table(["SUBJECT", "KIND", "STATUS", "PRIORITY", "TITLE"], rows), *missing])

    output.result(data, human)
    return 0


def get(args: argparse.Namespace, output: Output) -> int:
    """Print one subject."""
    found = _flat(methods.SUBJECT_GET.name, ask(scope_of(args), methods.SUBJECT_GET({"id": args.subject})))
    text = f"{found['id']}: {found['title']}\nstatus: {found['status']}\n\n{found.get('description') or ''}".rstrip()
    output.result(found, text)
    return 0


def status(args: argparse.Namespace, output: Output) -> int:
    """Set a subject's status."""
    found = _flat(
        methods.SUBJECT_STATUS.name,
        ask(scope_of(args), methods.SUBJECT_STATUS({"id": args.subject, "status": args.status})),
    )
    output.result(found, f"{found['id']}: {found['status']}")
    return 0


def create(args: argparse.Namespace, output: Output) -> int:
    """Make a subject, of the project's default kind where none is named."""
    scope = scope_of(args)
    params: shapes.SubjectCreateParams = {
        "kind": args.kind or default_subject_kind(scope.project_root),
        "title": args.title,
        "body": args.body,
        "priority": PriorityName(args.priority).number if args.priority else None,
    }
    found = _flat(methods.SUBJECT_CREATE.name, ask(scope, methods.SUBJECT_CREATE(params)))
    output.result(found, f"{found['id']}: {found['title']}")
    return 0


def watch(args: argparse.Namespace, output: Output) -> int:
    """Print changes as JSON lines until interrupted: a stream, so without the envelope."""
    follow(scope_of(args), methods.SUBJECT_WATCH({"filter": _filter(args)}), methods.SUBJECT_CHANGED)
    return 0


def _flat(method: str, found: shapes.Subject) -> shapes.Subject:
    """The subject itself, also from another daemon that answers `{subject: …}` (protocol §4). Raises Internal."""
    answer: object = found
    fields = answer if isinstance(answer, dict) else {}
    # A flat subject always has an `id`: a member `subject` of its own does not make it a wrapper.
    flat = cast("shapes.Subject", fields["subject"]) if "subject" in fields and "id" not in fields else found
    require_fields(method, flat, ("id", "title", "status"))
    return flat


def _filter(args: argparse.Namespace) -> shapes.SubjectFilter:
    try:
        statuses = [SubjectStatus(status).value for status in args.status or []]
    except ValueError as error:
        known = ", ".join(SubjectStatus)
        wrong = next(status for status in args.status if status not in set(SubjectStatus))
        raise InvalidInput(f"--status: no subject can be {wrong!r}", hint=f"Statuses are {known}.") from error
    return {"kind": args.kind or [], "status": statuses}
