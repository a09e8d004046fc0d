"""`animus subject …`: list, get, status, create, watch.

Below lies the control client.
"""

from __future__ import annotations

import argparse
from typing import Any

from animus_core.cli.connection import scope_of, with_control
from animus_core.cli.follow import follow
from animus_core.cli.output import Output, table
from animus_core.errors import InvalidInput
from animus_core.store.project_config import default_subject_kind
from animus_protocol.models import subject as wire
from animus_protocol.models.control import subject as control_wire
from animus_protocol.models.priority import PriorityName

__all__ = ["create", "get", "list_subjects", "status", "watch"]


def list_subjects(args: argparse.Namespace, output: Output) -> int:
    """Print subjects."""
    params = control_wire.SubjectListParams(filter=_filter(args))
    found = with_control(scope_of(args), lambda control: control.call(control_wire.SUBJECT_LIST, params))
    rows = [
        [subject.id, subject.kind, subject.status, str(subject.priority or ""), subject.title]
        for subject in found.subjects
    ]
    data: dict[str, Any] = {
        "subjects": [_to_json(subject) for subject in found.subjects],
        "next_cursor": found.next_cursor,
    }
    if found.warnings:
        data["warnings"] = found.warnings

    def human() -> str:
        # Below the table: a list that leaves a backend out must not look like all there is.
        missing = [f"not listed: {warning}" for warning in found.warnings]
        return "\n".join([table(["SUBJECT", "KIND", "STATUS", "PRIORITY", "TITLE"], rows), *missing])

    output.result(data, human)
    return 0


def get(args: argparse.Namespace, output: Output) -> int:
    """Print one subject."""
    params = wire.SubjectGetParams(id=args.subject)
    found = with_control(scope_of(args), lambda control: control.call(control_wire.SUBJECT_GET, params))
    text = f"{found.id}: {found.title}\nstatus: {found.status}\n\n{found.description or ''}".rstrip()
    output.result(_to_json(found), text)
    return 0


def status(args: argparse.Namespace, output: Output) -> int:
    """Set a subject's status."""
    params = wire.SubjectStatusParams(id=args.subject, status=wire.SubjectStatus(args.status))
    found = with_control(scope_of(args), lambda control: control.call(control_wire.SUBJECT_STATUS, params))
    output.result(_to_json(found), f"{found.id}: {found.status}")
    return 0


def create(args: argparse.Namespace, output: Output) -> int:
    """Make a subject, of the project's default kind where none is named."""
    priority = PriorityName(args.priority).number if args.priority else None
    scope = scope_of(args)
    kind = args.kind or default_subject_kind(scope.project_root)
    params = wire.SubjectCreateParams(kind=kind, title=args.title, body=args.body, priority=priority)
    found = with_control(scope, lambda control: control.call(control_wire.SUBJECT_CREATE, params))
    output.result(_to_json(found), f"{found.id}: {found.title}")
    return 0


def watch(args: argparse.Namespace, output: Output) -> int:
    """Print changes as JSON lines until interrupted: a stream, so without the envelope."""
    params = control_wire.SubjectWatchParams(filter=_filter(args))
    follow(scope_of(args), control_wire.SUBJECT_WATCH, params, control_wire.SUBJECT_CHANGED.name)
    return 0


def _filter(args: argparse.Namespace) -> wire.SubjectFilter:
    try:
        statuses = [wire.SubjectStatus(status) for status in args.status or []]
    except ValueError as error:
        known = ", ".join(wire.SubjectStatus)
        wrong = next(status for status in args.status if status not in set(wire.SubjectStatus))
        raise InvalidInput(f"--status: no subject can be {wrong!r}", hint=f"Statuses are {known}.") from error
    return wire.SubjectFilter(kind=args.kind or [], status=statuses)


def _to_json(subject: wire.Subject) -> dict[str, Any]:
    return subject.model_dump(mode="json", exclude_none=True)
