"""`animus plugin dev`: a plugin runs while its author edits it, and every frame is seen.

Below lie the workbench, which has the plugin, and the parts of this command: its view, its terminal, its prompt. It
executes what the operator names, and asks no trust store: naming it is the decision.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import Final

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output
from animus_core.cli.plugin.dev.prompt import Prompt
from animus_core.cli.plugin.dev.terminal import Plain, Terminal
from animus_core.cli.plugin.dev.view import View
from animus_core.errors import RetryLater
from animus_core.host.plugin import binding_of
from animus_core.services.dev.target import read_target
from animus_core.services.dev.trace import TraceEvent
from animus_core.services.dev.workbench import DevTarget, Workbench

__all__ = ["dev"]

# SIGHUP too: the terminal was closed, and the plugin must not outlive it.
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def dev(args: argparse.Namespace, output: Output) -> int:
    """Run the plugin until `quit`, the end of input, or a signal; exit code 5 if a script ends and it does not run."""
    scope = scope_of(args)
    project = binding_of(scope)
    dev_target = DevTarget(args.path, tuple(args.arguments), project, scope.root.parent)
    target = read_target(dev_target.path, dev_target.arguments)
    streams = (sys.stdin, sys.stdout)  # None where whoever started this has closed one
    interactive = not output.json_mode and all(stream is not None and stream.isatty() for stream in streams)
    screen = Terminal(f"{target.name}> ") if interactive else Plain()
    try:
        return asyncio.run(_develop(dev_target, screen, View(screen, json_mode=output.json_mode, full=args.full)))
    finally:
        screen.close()


async def _develop(dev_target: DevTarget, screen: Terminal | Plain, view: View) -> int:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def leave() -> None:
        if not over.done():
            over.set_result(None)

    def show(event: TraceEvent) -> None:
        # Every further line would raise again, in the middle of ending the plugin in order.
        if over.done() and over.exception() is not None:
            return  # the reader of the output has left
        try:
            view.show(event)
        except BrokenPipeError as error:
            if not over.done():
                over.set_exception(error)

    for number in _ENDING_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, leave)
    workbench = Workbench(dev_target, show)
    prompt = Prompt(workbench, screen, show)

    async def work() -> None:
        await workbench.restart()
        await prompt.run()
        if prompt.scripted and workbench.session is None:
            raise RetryLater("the plugin does not run", hint="Fix what is said above.")

    working = [asyncio.create_task(workbench.follow_edits()), asyncio.create_task(work())]
    try:
        done, _ = await asyncio.wait([*working, over], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        # Before the plugin is ended, which takes seconds: the terminal is usable again at once.
        screen.close()
        await workbench.close()
    return 0
