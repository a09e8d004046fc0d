"""`animus daemon …`: its commands and their options."""

from __future__ import annotations

import argparse

from animus_core.cli.parsing import Group, seconds

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_daemon"]


def register_daemon(group: Group) -> None:
    """Add the commands of the group."""
    start = group.command("start", _start, "start it in the background", light=True)
    run = group.command("run", _run, "run it in the foreground")
    for parser in (start, run):
        parser.add_argument("--skip-preflight", action="store_true", help="do not check providers and backends first")
    stop = group.command("stop", _stop, "let runs finish, then stop it", light=True)
    stop.add_argument("--drain-secs", type=seconds, metavar="S", help="how long runs may still finish (60)")
    group.command("status", _status, "whether it runs, and what it does", light=True)
    group.command("pause", _pause, "start no new work; running work goes on", light=True)
    group.command("resume", _resume, "start new work again", light=True)
    group.command("preflight", _preflight, "what is missing, and the fix")
    events = group.command("events", _events, "events as JSON lines, until interrupted", light=True)
    events.add_argument("--since", metavar="ID", help="the id of the last event you saw (0: from the beginning)")


def _start(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.starting import start

    return start(args, output)


def _run(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.starting import run

    return run(args, output)


def _stop(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.commands import stop

    return stop(args, output)


def _status(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.commands import status

    return status(args, output)


def _pause(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.commands import pause

    return pause(args, output)


def _resume(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.commands import resume

    return resume(args, output)


def _preflight(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.starting import preflight

    return preflight(args, output)


def _events(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.daemon.commands import events

    return events(args, output)
