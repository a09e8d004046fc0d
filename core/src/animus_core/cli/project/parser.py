"""`animus init` and `animus trust`: their options."""

from __future__ import annotations

import argparse

from animus_core.cli.parsing import Group

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_project"]


def register_project(commands: Group) -> None:
    """Add `init` and `trust`."""
    commands.command("init", _init, "write .animus/ with a starter workflow")
    trust = commands.command("trust", _trust, "see what of this repository would be executed, and trust it")
    trust.add_argument("--yes", action="store_true", help="do not ask")
    which = trust.add_mutually_exclusive_group()
    warning = "whoever can change a file of this repository, an agent too, then decides what your account executes"
    which.add_argument("--auto", action="store_true", help=f"trust every later change unseen. Careful: {warning}")
    which.add_argument("--ask", action="store_true", help="undo --auto: later changes wait for you again")
    which.add_argument("--revoke", action="store_true", help="trust nothing of this repository any more")
    which.add_argument("--show", action="store_true", help="only show; exit code 4 when it is not trusted")


def _init(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.project.init import init

    return init(args, output)


def _trust(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.project.trust import trust

    return trust(args, output)
