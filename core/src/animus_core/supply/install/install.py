"""Installs and uninstalls plugins, each in an environment of its own, so that the lock file is the only switch.

Called by `services/plugins.py`; below lie `plugin_source.py` (what is meant), `plugin_folders.py` (where it goes),
`pip.py`, the probe and `plugins.lock`. A new version is built beside the old one and is used from the moment its entry
replaces the old entry; before that nothing has changed, and after it the old folder is rubbish that the sweep removes.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import yaml

from animus_core.errors import Conflict, InvalidInput, PluginFailed, RetryLater, UnknownName
from animus_core.store.caches import cache_folder
from animus_core.store.clock import utc_now_text
from animus_core.supply.discovery.manifest import probing
from animus_core.supply.discovery.registry import read_registry
from animus_core.supply.install.pip import Tool, pip_environment, plugin_scripts
from animus_core.supply.install.plugin_folders import (
    cookie_of,
    leftovers,
    new_folder,
    prepare,
    remove_tree,
    sweep,
    temporary_of,
    try_to_remove,
)
from animus_core.supply.install.plugin_source import Source, SourceKind
from animus_core.supply.lock.fingerprint import fingerprint
from animus_core.supply.lock.lockfile import LockEntry, Lockfile, guard
from animus_core.supply.names import is_name
from animus_protocol.models.manifest import PluginManifest

__all__ = ["INSTALL_S", "Installed", "Request", "install", "leftover_folders", "uninstall"]

INSTALL_S: Final = 600.0
"""How long Python's tools may take for one installation, in seconds."""

_log: Final = logging.getLogger("animus.host")
_T = TypeVar("_T")


class Request(NamedTuple):
    """What to install. `name` overrides the name that the source gives; `development` leaves a folder in place."""

    source: Source
    name: str | None = None
    development: bool = False


class Installed(NamedTuple):
    """One plugin that is installed now, and the entry of that name that it replaced."""

    entry: LockEntry
    manifest: PluginManifest
    previous: LockEntry | None


class _Dialogue(NamedTuple):
    """Whoever asked for the installation: is told the steps, and asked before another origin takes a name over."""

    report: Callable[[str], None]
    confirm: Callable[[str], Awaitable[bool]]


async def install(
    config_dir: Path,
    request: Request,
    *,
    report: Callable[[str], None],
    confirm: Callable[[str], Awaitable[bool]],
    timeout_s: float = INSTALL_S,
) -> list[Installed]:
    """Install a source; every plugin in it. `confirm` is asked before a name passes to another origin.

    Raises InvalidInput (the source, the name), Conflict (the name is taken, or refused by `confirm`) or RetryLater
    (the lock file, pip, the plugin's manifest). Whenever it raises, also when cancelled, nothing has changed.
    """
    dialogue = _Dialogue(report, confirm)
    _check(request)
    await asyncio.to_thread(prepare, config_dir)
    await asyncio.to_thread(_sweep, config_dir)
    if request.source.kind is SourceKind.EXECUTABLE:
        program = Path(request.source.text)
        programs = {request.name or program.name: program}
        done = await _register(config_dir, request, programs, None, dialogue)
    else:
        async with _built(config_dir, request, timeout_s, report) as (folder, programs):
            done = await _register(config_dir, request, programs, folder, dialogue)
    await asyncio.to_thread(_sweep, config_dir)
    return done


async def uninstall(config_dir: Path, name: str) -> LockEntry:
    """Take `name` out of the lock file, then remove its folder; one that still runs keeps it until the next sweep.

    Raises UnknownName (nothing of that name was installed) or RetryLater (the lock file).
    """
    lock = await asyncio.to_thread(Lockfile.read, config_dir)
    removed = await _to_the_end(functools.partial(lock.remove, name))
    if removed is None:
        raise UnknownName(f"no plugin called {name!r} was installed", hint="See what there is: animus plugin list")
    await asyncio.to_thread(_sweep, config_dir)
    return removed


def leftover_folders(config_dir: Path) -> list[Path]:
    """The folders that the next installation sweeps. Raises RetryLater for an unreadable lock file."""
    return leftovers(config_dir, functools.partial(_folders, config_dir))


def _check(request: Request) -> None:
    source = request.source
    if request.development and source.kind is not SourceKind.FOLDER:
        raise InvalidInput(f"--dev is for a folder with pyproject.toml, not for {source.text}", hint="Leave --dev out.")
    if request.name is not None:
        _check_name(request.name)


def _check_name(name: str) -> None:
    if not is_name(name) or name.startswith((".", "-")):
        raise InvalidInput(f"{name!r} cannot be the name of a plugin", hint="Give it another one with --name NAME.")


@asynccontextmanager
async def _built(
    config_dir: Path, request: Request, timeout_s: float, report: Callable[[str], None]
) -> AsyncIterator[tuple[Path, dict[str, Path]]]:
    """A new environment with the source in it, and its plugins' programs; removed unless it gets into the lock file."""
    with new_folder(config_dir, request.source.stem) as folder:
        try:
            temporary = temporary_of(folder)
            tool = Tool(folder, pip_environment(os.environ, cookie_of(folder), temporary), timeout_s)
            report(f"creating an environment: {folder}")
            await tool.make_environment()
            report(f"installing {request.source.text}")
            await tool.install(request.source, development=request.development)
            await _to_the_end(functools.partial(remove_tree, temporary))
            scripts = await asyncio.to_thread(plugin_scripts, folder)
            yield folder, _programs(request, {script.name: script.program for script in scripts})
        finally:
            await _to_the_end(functools.partial(_remove_unused, config_dir, folder))


def _programs(request: Request, found: dict[str, Path]) -> dict[str, Path]:
    """The plugins by the names that they get. Raises InvalidInput when there is none, or one name for several."""
    if not found:
        raise InvalidInput(
            f"{request.source.text} was installed and has no plugin: no entry point of the group animus.plugins",
            hint='Nothing was changed. Its author adds to pyproject.toml: [project.entry-points."animus.plugins"]',
        )
    if request.name is None:
        return found
    if len(found) > 1:
        names = ", ".join(found)
        raise InvalidInput(f"{request.source.text} has several plugins: {names}", hint="Leave --name out.")
    return {request.name: next(iter(found.values()))}


async def _register(
    config_dir: Path, request: Request, programs: dict[str, Path], folder: Path | None, dialogue: _Dialogue
) -> list[Installed]:
    """Probe, fingerprint, enter into the lock file; in that order, all or nothing."""
    await _check_taken(config_dir, request, programs, folder, dialogue)
    hashes = await asyncio.to_thread(cache_folder, config_dir, "fingerprints", os.environ)
    made = []
    async with probing() as probes:
        for name, program in programs.items():
            dialogue.report(f"probing {name}")
            command = (str(program),)
            try:
                manifest = await probes.ask(name, command)
            except PluginFailed as error:
                remedy = "Nothing was changed. Mend the plugin, then install it again."
                raise PluginFailed(name, error.why, error.details["stderr"], remedy=remedy) from error
            made.append((name, command, manifest))
    rows = []
    for name, command, manifest in made:
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
    previous = await _to_the_end(functools.partial(_enter, config_dir, rows))
    manifests = {name: manifest for name, _, manifest in made}
    return [Installed(entry, manifests[entry.name], previous.get(entry.name)) for entry, _ in rows]


async def _check_taken(
    config_dir: Path, request: Request, programs: Mapping[str, Path], folder: Path | None, dialogue: _Dialogue
) -> None:
    """Raise Conflict for a name of the operator's registry, or of another origin that is not to be replaced."""
    registry, lock = await asyncio.to_thread(_read, config_dir)
    for name in programs:
        _check_name(name)
        if name in registry:
            place = f"{config_dir / 'plugins.yaml'}:{registry[name]}"
            raise Conflict(
                f"{place}: plugins.{name} names the program of {name!r} already",
                hint=f"Remove that row (line {registry[name]}), or install under another name: --name NAME",
            )
        held = lock.get(name)
        if held is None or _origin(held.command, held.folder) == _origin((str(programs[name]),), folder):
            continue
        if not await dialogue.confirm(f"{name} is installed from {held.source}. Replace it by {request.source.text}?"):
            raise Conflict(
                f"{name!r} is installed already, from {held.source}; {request.source.text} is something else",
                hint="To replace it: --yes. To have both: --name NAME",
            )


def _read(config_dir: Path) -> tuple[dict[str, int], Lockfile]:
    """The lines of the registry's rows that name a program, and the lock file."""
    path = config_dir / "plugins.yaml"
    taken = {row.name for row in read_registry(path).rows if row.command is not None}
    lines = _lines(path) if taken else {}
    return {name: lines.get(name, 1) for name in taken}, Lockfile.read(config_dir)


def _lines(path: Path) -> dict[str, int]:
    """The line of each row of a registry that can be read."""
    root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    tables = [value for _, value in root.value if isinstance(value, yaml.MappingNode)] if root is not None else []
    return {key.value: key.start_mark.line + 1 for table in tables for key, _ in table.value}


def _origin(command: Sequence[str], folder: str | Path | None) -> str:
    """What stays the same from one version to the next: the distribution, or the program's path."""
    return command[0] if folder is None else Path(folder).name.rpartition("-")[0]


def _enter(config_dir: Path, rows: Sequence[tuple[LockEntry, Mapping[str, str]]]) -> dict[str, LockEntry]:
    """Enter all of them under one guard; the entries of these names that there were."""
    with guard(config_dir) as held:
        lock = Lockfile.read(config_dir)
        previous = {entry.name: before for entry, _ in rows if (before := lock.get(entry.name)) is not None}
        for number, (entry, files) in enumerate(rows):
            try:
                lock.set(entry, files, held=held)
            except RetryLater as error:
                if number == 0:
                    raise
                told = ", ".join(row.name for row, _ in rows[:number])
                raise RetryLater(
                    f"{told} is installed, {entry.name} is not: {error.message}", hint=error.hint
                ) from error
    return previous


def _folders(config_dir: Path) -> set[str]:
    """The names of the folders that are in use; the way to them may be spelled differently another time."""
    return {Path(entry.folder).name for entry in Lockfile.read(config_dir).entries.values() if entry.folder is not None}


def _sweep(config_dir: Path) -> None:
    sweep(config_dir, functools.partial(_folders, config_dir))


def _remove_unused(config_dir: Path, folder: Path) -> None:
    """Remove a folder that this process built, unless it got into the lock file."""
    try:
        used = folder.name in _folders(config_dir)
    except RetryLater as error:
        _log.warning("%s stays: %s", folder, error.message)
        return
    if not used:
        try_to_remove(folder)


async def _to_the_end(function: Callable[[], _T]) -> _T:
    """Run `function` in a thread and wait for its end also when cancelled: what it changes is then known."""
    task = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
