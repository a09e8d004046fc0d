"""What is wrong with the plugins of this machine and project, each problem with the command that repairs it.

Below lie discovery, the lock file and the folders of installed plugins. Everything is looked at anew, and nothing that
is not trusted is executed.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from animus_core.errors import InvalidInput, RetryLater, UnknownName
from animus_core.host.environment import missing_environment
from animus_core.kinds.plugin_kinds import PluginKind
from animus_core.services.plugins import PluginLocations, removal_of
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_core.supply.distributions import how_to_install_again
from animus_core.supply.install.environments import leftover_folders
from animus_core.supply.install.plugin_folders import lock_of
from animus_core.supply.lock.lockfile import LockEntry, Lockfile

__all__ = ["Problem", "Verified", "examine", "verify"]


class Problem(NamedTuple):
    """One problem. `plugin` is None if it concerns no single plugin; `message` does not repeat the name.

    `fix` is a command or an edit.
    """

    check: str
    plugin: str | None
    message: str
    fix: str


class Verified(NamedTuple):
    """A locked plugin, read anew. `state`: `ok`, `development` (never compared) or `drifted`."""

    entry: LockEntry
    state: str
    changes: tuple[str, ...]
    fix: str


async def verify(locations: PluginLocations, name: str | None = None) -> list[Verified]:
    """Hash all that was installed, or one plugin, again. Raises UnknownName, RetryLater (an unreadable lock file)."""
    lock = await asyncio.to_thread(Lockfile.read, locations.config_dir)
    entries = [entry for entry in lock.entries.values() if name is None or entry.name == name]
    if name is not None and not entries:
        raise UnknownName(f"no plugin called {name!r} is in plugins.lock", hint="See what there is: animus plugin list")
    return [await asyncio.to_thread(_verified, lock, entry) for entry in entries]


async def examine(locations: PluginLocations) -> list[Problem]:
    """Every problem that can be found. What is a problem is returned and not raised."""
    problems = await asyncio.to_thread(lambda: list(_installed(locations.config_dir)))
    # Discovery finds the same problems once more, as "cannot be used": each is reported once, with the more exact fix.
    known = {problem.plugin for problem in problems}
    try:
        discovery = await locations.discover(refresh=True)
    except InvalidInput as error:
        return [Problem("registry", None, error.message, error.hint or "Fix the file."), *problems]
    for failure in discovery.warnings:
        if failure.name not in known:
            fix = failure.fix or f"animus plugin info {shlex.quote(failure.name)}"
            problems.append(Problem("usable", failure.name, failure.why, fix))
    problems += [problem for plugin in discovery.plugins for problem in _environment(plugin, locations)]
    problems += _duplicates(discovery, locations)
    return problems


def _verified(lock: Lockfile, entry: LockEntry) -> Verified:
    drift = None if entry.development else lock.verify(entry)
    if drift is None:
        return Verified(entry, "development" if entry.development else "ok", (), "")
    return Verified(entry, "drifted", drift.changes or (drift.why,), _command(drift.fix))


def _installed(config_dir: Path) -> Iterator[Problem]:
    """What is wrong with the lock file, what it names, and the folders beside it."""
    try:
        lock = Lockfile.read(config_dir)
    except RetryLater as error:
        yield Problem("lock", None, error.message, error.hint or "Fix the file.")
        return
    for entry in lock.entries.values():
        again = how_to_install_again(entry.source, development=entry.development)
        # From the plain to the costly: only where the program and its Python are there is everything hashed.
        program = Path(entry.command[0])
        python = Path(entry.folder) / "bin" / "python" if entry.folder is not None else None
        if not program.exists():
            fix = again if entry.folder is not None else f"animus plugin uninstall {shlex.quote(entry.name)}"
            yield Problem("program", entry.name, f"its program {program} is gone", fix)
        elif not os.access(program, os.X_OK):
            yield Problem(
                "program",
                entry.name,
                f"its program {program} may not be executed",
                f"chmod +x {shlex.quote(str(program))}",
            )
        elif python is not None and not python.exists():
            yield Problem("interpreter", entry.name, f"the Python that it was installed with is gone ({python})", again)
        elif not entry.development and (drift := lock.verify(entry)) is not None:
            yield Problem("drift", entry.name, drift.why, _command(drift.fix))
    for folder in leftover_folders(config_dir):
        fix = f"rm -r {shlex.quote(str(folder))} {shlex.quote(str(lock_of(folder)))}"
        yield Problem("leftover", None, f"{folder} belongs to no plugin", fix)


def _command(fix: str) -> str:
    """The first of the two fixes: the second is to ask the doctor, which this is."""
    return fix.partition("  (or: ")[0]


def _environment(plugin: Plugin, locations: PluginLocations) -> Iterator[Problem]:
    for name in missing_environment(os.environ, plugin.manifest, plugin.candidate.options):
        fix = f"export {name}=…, or plugins.{plugin.name}.env.{name} in {locations.config_dir / 'plugins.yaml'}"
        yield Problem("environment", plugin.name, f"it needs the variable {name}, which is not set", fix)


def _duplicates(discovery: Discovery, locations: PluginLocations) -> Iterator[Problem]:
    claimed: dict[str, Plugin] = {}
    for plugin in discovery.of_kind(PluginKind.SUBJECT_BACKEND):
        for kind in plugin.subject_kinds:
            first = claimed.setdefault(kind, plugin)
            if first is not plugin:
                message = f"it claims subject kind {kind!r}, and so does {first.name}: the daemon refuses to start"
                yield Problem("subject-kind", plugin.name, message, removal_of(plugin.candidate, locations))
