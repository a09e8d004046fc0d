"""`animus plugin install | uninstall`: steps on standard error for people, one envelope for programs.

Below lie the services. The work is done in this process, also while a daemon runs: the lock file is what both share.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from animus_core.cli.connection import scope_of
from animus_core.cli.output import Output
from animus_core.cli.plugin.locations import locations_of
from animus_core.services.plugins import install as install_plugin
from animus_core.services.plugins import installed_to_wire
from animus_core.services.plugins import uninstall as uninstall_plugin
from animus_core.store.paths import Scope
from animus_core.supply.install.install import Installed
from animus_core.supply.install.request import InstallRequest

__all__ = ["daemon_note", "install", "uninstall"]


def install(args: argparse.Namespace, output: Output) -> int:
    """Install what is named; every plugin in it."""
    steps: list[str] = []

    def report(step: str) -> None:
        steps.append(step)
        if not output.json_mode:
            # To stderr: stdout is for the result alone.
            sys.stderr.write(f"{step} …\n")
            sys.stderr.flush()

    async def confirm(question: str) -> bool:
        if not args.yes:
            # A program and a pipe cannot agree to anything: without --yes the answer is no.
            return not output.json_mode and sys.stdin.isatty() and await _ask(question)
        steps.append(question)
        if not output.json_mode:
            sys.stderr.write(f"{question} yes (--yes)\n")
        return True

    request = InstallRequest.parse(args.source, Path.cwd(), name=args.name, development=args.dev)
    done = asyncio.run(install_plugin(locations_of(args), request, report=report, confirm=confirm))
    note = daemon_note(scope_of(args))
    plugins = [
        {
            **installed_to_wire(plugin).model_dump(mode="json", exclude_none=True),
            "previous_version": plugin.previous.version if plugin.previous is not None else None,
        }
        for plugin in done
    ]
    lines = [_format_installed(plugin) for plugin in done] + ([note] if note else [])
    output.result({"plugins": plugins, "steps": steps, "note": note}, "\n".join(lines))
    return 0


def uninstall(args: argparse.Namespace, output: Output) -> int:
    """Remove what was installed under a name."""
    removed = asyncio.run(uninstall_plugin(locations_of(args), args.name))
    note = daemon_note(scope_of(args))
    data = {"name": removed.name, "version": removed.version, "note": note}
    output.result(data, "\n".join([f"uninstalled {removed.name} {removed.version}", *([note] if note else [])]))
    return 0


def daemon_note(scope: Scope) -> str | None:
    """What a running daemon of the project makes of a change, in a sentence; None when none runs."""
    from animus_core.control.presence import daemon_is_running

    if not daemon_is_running(scope):
        return None
    return (
        "The daemon of this project takes the change over with the next work that is enqueued; "
        "to take it now: animus plugin restart NAME"
    )


def _format_installed(installed: Installed) -> str:
    entry, previous = installed.entry, installed.previous
    what = f"{entry.name} {entry.version} ({entry.plugin_kind})"
    how = "for development" if entry.development else ""
    if previous is None:
        return f"installed {what} {how}".rstrip()
    if previous.version == entry.version:
        return f"installed {what} again {how}".rstrip()
    return f"installed {what}, it was {previous.version} {how}".rstrip()


async def _ask(question: str) -> bool:
    """Whether a person at the terminal says yes. Ctrl-C ends the waiting, as a blocking read would not."""
    loop, answered = asyncio.get_running_loop(), asyncio.Event()
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    loop.add_reader(sys.stdin.fileno(), answered.set)
    try:
        await answered.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline().strip().lower() in ("y", "yes")
