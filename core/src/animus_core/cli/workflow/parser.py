"""`animus workflow …`: its commands and their options."""

from __future__ import annotations

import argparse

from animus_core.cli.parsing import Group, count

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_workflow"]


def register_workflow(group: Group) -> None:
    """Add the commands of the group."""
    group.command("validate", _validate, "check .animus/workflows.yaml and workflows/")
    listing = group.command("list", _list, "runs, the newest first", light=True)
    listing.add_argument("--status", choices=["pending", "running", "paused", "completed", "failed", "cancelled"])
    listing.add_argument("--limit", type=count, default=50, metavar="N", help="at most so many (50)")
    get = group.command("get", _get, "one run with its phases", light=True)
    resume = group.command("resume", _resume, "repeat the phase of a blocked run", light=True)
    cancel = group.command("cancel", _cancel, "end a run", light=True)
    for parser in (get, resume, cancel):
        parser.add_argument("run_id", metavar="RUN")
    resume.add_argument("--feedback", help="what to tell the run")
    cancel.add_argument("--reason")


def _validate(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.workflow.commands import validate

    return validate(args, output)


def _list(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.workflow.commands import list_runs

    return list_runs(args, output)


def _get(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.workflow.commands import get

    return get(args, output)


def _resume(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.workflow.commands import resume

    return resume(args, output)


def _cancel(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.workflow.commands import cancel

    return cancel(args, output)
