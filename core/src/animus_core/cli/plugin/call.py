"""`animus plugin call`: any method of a plugin, with its params read by the method's types.

Below lie the control client and, for the types, the protocol's table of methods. With a daemon it is asked; without one
a plugin is started for the one question.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output
from animus_core.cli.plugin.live import START_MARGIN_S
from animus_core.cli.plugin.locations import locations_of
from animus_core.cli.plugin.params import json_object, params_from, params_of, row_name
from animus_core.control import methods
from animus_core.control.ask import ask
from animus_core.control.presence import CALL_S
from animus_core.services.plugin_inspection import inspect_plugin

__all__ = ["call"]


def call(args: argparse.Namespace, output: Output) -> int:
    """Call any method of a plugin and print its result. Raises InvalidInput before anything is called."""
    base = {} if args.params is None else json_object(args.params, "--params")
    given = params_from(_row_name(args), args.values, base)
    question = methods.PLUGIN_CALL(
        {"name": args.name, "method": args.method, "params": given, "timeout_secs": args.timeout_secs}
    )
    timeout_s = START_MARGIN_S + (CALL_S if args.timeout_secs is None else args.timeout_secs)
    found = ask(scope_of(args), question, timeout_s=timeout_s)
    output.result(found, lambda: json.dumps(found, ensure_ascii=False, indent=2))
    return 0


def _row_name(args: argparse.Namespace) -> str:
    """The row whose types the values have. What a plugin claims is only asked for where it makes a difference."""
    kind, slash, verb = args.method.partition("/")
    # Asking starts a probe: not where there is nothing to read, or where the row is known anyway.
    if not args.values or not slash or kind == "subject" or not params_of(f"subject/{verb}"):
        name: str = args.method
        return name
    found = asyncio.run(inspect_plugin(locations_of(args), args.name))
    return row_name(args.method, () if found.plugin is None else found.plugin.subject_kinds)
