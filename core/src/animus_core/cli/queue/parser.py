"""`animus queue …`: its commands and their options."""

from __future__ import annotations

import argparse

from animus_core.cli.parsing import Group, count
from animus_protocol.models.priority import PriorityName

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_queue"]


def register_queue(group: Group) -> None:
    """Add the commands of the group."""
    enqueue = group.command("enqueue", _enqueue, "work on a subject", light=True)
    enqueue.add_argument("subject", nargs="+", help="ids of subjects, for example TASK-001")
    enqueue.add_argument("--kind", help="the subjects' kind (the project's default_subject_kind, else task)")
    enqueue.add_argument("--workflow", metavar="REF", help="the workflow (the project's default)")
    enqueue.add_argument("--priority", metavar="P", help=", ".join(PriorityName))
    enqueue.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a workflow variable")
    listing = group.command("list", _list, "what waits and what is worked on", light=True)
    listing.add_argument("--status", choices=["ready", "held", "in-flight", "done", "dropped"])
    listing.add_argument("--limit", type=count, default=100, metavar="N", help="at most so many (100)")
    group.command("stats", _stats, "how many entries in which status", light=True)
    hold = group.command("hold", _hold, "keep it from starting", light=True)
    release = group.command("release", _release, "let it start again", light=True)
    drop = group.command("drop", _drop, "remove it", light=True)
    for parser in (hold, release, drop):
        parser.add_argument("entry", nargs="+", help="ids of entries, or of their subjects")
    hold.add_argument("--reason")


def _enqueue(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.queue.commands import enqueue

    return enqueue(args, output)


def _list(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.queue.commands import list_entries

    return list_entries(args, output)


def _stats(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.queue.commands import stats

    return stats(args, output)


def _hold(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.queue.commands import hold

    return hold(args, output)


def _release(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.queue.commands import release

    return release(args, output)


def _drop(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.queue.commands import drop

    return drop(args, output)
