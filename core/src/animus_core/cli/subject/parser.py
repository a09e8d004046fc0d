"""`animus subject …`: its commands and their options."""

from __future__ import annotations

import argparse

from animus_core.cli.parsing import Group
from animus_protocol.models.priority import PriorityName

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_subject"]


def register_subject(group: Group) -> None:
    """Add the commands of the group."""
    listing = group.command("list", _list, "subjects and their status", light=True)
    watch = group.command("watch", _watch, "changes as JSON lines, until interrupted", light=True)
    for parser in (listing, watch):
        parser.add_argument("--kind", action="append", help="only this kind (may be repeated)")
        parser.add_argument("--status", action="append", help="only this status (may be repeated)")
    group.command("get", _get, "one subject", light=True).add_argument("subject")
    status = group.command("status", _status, "set a subject's status", light=True)
    status.add_argument("subject")
    status.add_argument("status", choices=["ready", "in-progress", "blocked", "done", "cancelled"])
    create = group.command("create", _create, "a new subject", light=True)
    create.add_argument("title")
    create.add_argument("--kind", help="its kind (the project's default_subject_kind, else task)")
    create.add_argument("--body")
    create.add_argument("--priority", choices=[name.value for name in PriorityName])


def _list(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.subject.commands import list_subjects

    return list_subjects(args, output)


def _watch(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.subject.commands import watch

    return watch(args, output)


def _get(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.subject.commands import get

    return get(args, output)


def _status(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.subject.commands import status

    return status(args, output)


def _create(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.subject.commands import create

    return create(args, output)
