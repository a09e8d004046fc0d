"""Installs and uninstalls plugins, each in an environment of its own, so that the lock file is the only switch.

Below lie `request.py` (what is meant), `environments.py` (where it goes), `names_taken.py`, the probe and
`plugins.lock`. A new version is built beside the old one and is used from the moment its entry replaces the old entry;
before that nothing has changed, and after it the old folder is rubbish that the sweep removes.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import PluginFailed, RetryLater, UnknownName
from animus_core.store.caches import cache_folder
from animus_core.store.clock import utc_now_text
from animus_core.supply.discovery.manifest import probing
from animus_core.supply.install.environments import build_environment, run_to_completion, sweep_unused
from animus_core.supply.install.names_taken import check_names
from animus_core.supply.install.plugin_folders import prepare
from animus_core.supply.install.plugin_source import SourceKind
from animus_core.supply.install.request import Dialogue, InstallRequest
from animus_core.supply.lock.fingerprint import fingerprint
from animus_core.supply.lock.lockfile import LockEntry, Lockfile, guard
from animus_protocol.models.manifest import PluginManifest

__all__ = ["INSTALL_S", "Installed", "install", "uninstall"]

INSTALL_S: Final = 600.0  # a source distribution may have to be compiled
"""How long Python's tools may take for one installation, in seconds."""


class Installed(NamedTuple):
    """One plugin that is installed now, and the entry of that name that it replaced."""

    entry: LockEntry
    manifest: PluginManifest
    previous: LockEntry | None


async def install(
    config_dir: Path,
    request: InstallRequest,
    *,
    report: Callable[[str], None],
    confirm: Callable[[str], Awaitable[bool]],
    timeout_s: float = INSTALL_S,
) -> list[Installed]:
    """Install a source; every plugin in it.

    `confirm` is asked before something is installed that a name in an index leads to, and before a plugin's name passes
    to another origin. Whenever this raises, also when it is cancelled, nothing has changed.

    Raises InvalidInput (the source, the name), Conflict (the name is taken, or `confirm` says no) or RetryLater (the
    lock file, pip, the plugin's manifest).
    """
    dialogue = Dialogue(report, confirm)
    # Before anything is downloaded: where others may write, nothing is installed.
    await asyncio.to_thread(prepare, config_dir)
    await asyncio.to_thread(sweep_unused, config_dir)
    if request.source.kind is SourceKind.EXECUTABLE:
        program = Path(request.source.text)
        programs = {request.name or program.name: program}
        done = await _register(config_dir, request, programs, None, dialogue)
    else:
        async with build_environment(config_dir, request, timeout_s, dialogue) as (folder, programs):
            done = await _register(config_dir, request, programs, folder, dialogue)
    await asyncio.to_thread(sweep_unused, config_dir)
    return done


async def uninstall(config_dir: Path, name: str) -> LockEntry:
    """Take `name` out of the lock file, then remove its folder; one that still runs keeps it until the next sweep.

    Raises UnknownName (nothing of that name was installed) or RetryLater (the lock file).
    """
    # The entry first, the folder after it: a crash in between leaves rubbish, and never an entry without its files.
    lock = await asyncio.to_thread(Lockfile.read, config_dir)
    removed = await run_to_completion(functools.partial(lock.remove, name))
    if removed is None:
        raise UnknownName(f"no plugin called {name!r} was installed", hint="See what there is: animus plugin list")
    await asyncio.to_thread(sweep_unused, config_dir)
    return removed


async def _register(
    config_dir: Path, request: InstallRequest, programs: dict[str, Path], folder: Path | None, dialogue: Dialogue
) -> list[Installed]:
    """Probe, fingerprint, enter into the lock file; in that order, all or nothing."""
    await check_names(config_dir, request, programs, folder, dialogue)
    hashes = await asyncio.to_thread(cache_folder, config_dir, "fingerprints", os.environ)
    made = []
    async with probing() as probes:
        for name, program in programs.items():
            dialogue.report(f"probing {name}")
            command = (str(program),)
            try:
                manifest = await probes.ask(name, command)
            except PluginFailed as error:
                remedy = "Nothing was changed. Fix the plugin, then install it again."
                raise PluginFailed(name, error.why, error.stderr_tail, remedy=remedy) from error
            made.append((name, command, manifest))
    rows = []
    for name, command, manifest in made:
        # After every probe: what a first start writes beside the code would otherwise count as a change of it.
        seen = await asyncio.to_thread(fingerprint, command, hashes)
        entry = LockEntry(
            name=name,
            version=manifest.version,
            plugin_kind=manifest.plugin_kind,
            source=request.source.text,
            command=command,
            digest=seen.digest,
            interpreter=seen.interpreter,
            installed_at=utc_now_text(),
            development=request.development,
            folder=None if folder is None else str(folder),
        )
        rows.append((entry, seen.files))
    previous = await run_to_completion(functools.partial(_enter, config_dir, rows))
    manifests = {name: manifest for name, _, manifest in made}
    return [Installed(entry, manifests[entry.name], previous.get(entry.name)) for entry, _ in rows]


def _enter(config_dir: Path, rows: Sequence[tuple[LockEntry, Mapping[str, str]]]) -> dict[str, LockEntry]:
    """Enter all of them under one guard; the entries of these names that there were."""
    with guard(config_dir) as held:
        lock = Lockfile.read(config_dir)
        previous = {entry.name: before for entry, _ in rows if (before := lock.get(entry.name)) is not None}
        for number, (entry, files) in enumerate(rows):
            try:
                lock.set(entry, files, held=held)
            except RetryLater as error:
                # Nothing is entered yet, so the plain error tells all; later ones must say what is installed already.
                if number == 0:
                    raise
                done = ", ".join(row.name for row, _ in rows[:number])
                raise RetryLater(
                    f"{done} is installed, {entry.name} is not: {error.message}", hint=error.hint
                ) from error
    return previous
