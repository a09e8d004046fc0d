"""`animus watch`: its option."""

from __future__ import annotations

import argparse

from animus_core.cli.parsing import Group

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_watch"]


def register_watch(commands: Group) -> None:
    """Add the command."""
    watch = commands.command("watch", _watch, "see every run, its phase and what its agent says")
    watch.add_argument("--until-idle", action="store_true", help="leave when nothing is queued or running")


def _watch(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.watch.commands import watch

    return watch(args, output)
