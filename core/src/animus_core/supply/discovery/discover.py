"""Finds plugins and asks each who it is; nothing that changed since it was installed is used.

Below lie `candidates.py` (where they are), `fingerprint.py` (what they are), `manifest.py` and its cache (who they say
they are). Nothing is ever imported from a plugin.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import PluginFailed, RetryLater
from animus_core.launch_options import LaunchOptions
from animus_core.store.caches import cache_folder
from animus_core.supply.discovery.candidates import (
    NOT_TRUSTED,
    TRUST,
    Candidate,
    FindScripts,
    ProbeFailure,
    find_candidates,
    hiding,
    locked_candidate,
)
from animus_core.supply.discovery.entry_points import installed_scripts
from animus_core.supply.discovery.manifest import Probes, probing
from animus_core.supply.discovery.manifest_cache import ManifestCache
from animus_core.supply.distributions import how_to_install_again
from animus_core.supply.lock.fingerprint import Fingerprint, fingerprint
from animus_core.supply.lock.lockfile import Lockfile
from animus_core.supply.trust.trust import is_trusted
from animus_protocol.models.manifest import PluginManifest

__all__ = ["Candidate", "Discovery", "Plugin", "ProbeFailure", "discover", "refreshed"]

_log: Final = logging.getLogger("animus.supply")
_PARALLEL_PROBES: Final = 4  # each is the start of a process; published hosts take 1 to 8 at once


class Plugin(NamedTuple):
    """A candidate that answered with a manifest. `digest` is its fingerprint; empty where nobody took one."""

    candidate: Candidate
    manifest: PluginManifest
    digest: str = ""

    @property
    def name(self) -> str:
        """The name under which it was found."""
        return self.candidate.name

    @property
    def command(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return self.candidate.command

    @property
    def options(self) -> LaunchOptions:
        """Environment and limits of its process."""
        return self.candidate.options

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every plugin kind that it says to be."""
        return tuple(dict.fromkeys((self.manifest.plugin_kind, *self.manifest.plugin_kinds)))

    @property
    def subject_kinds(self) -> tuple[str, ...]:
        """The subject kinds of its manifest's `subject_kind:<kind>` tokens."""
        prefix = "subject_kind:"
        return tuple(t.removeprefix(prefix) for t in self.manifest.capabilities if t.startswith(prefix))

    @property
    def environment_hint(self) -> str:
        """Where a variable that it needs gets its value."""
        return f"Set it, or give it a value in plugins.yaml: plugins.{self.name}.env."


class Discovery(NamedTuple):
    """What was found, in the order of precedence."""

    plugins: tuple[Plugin, ...]
    warnings: tuple[ProbeFailure, ...]

    def of_kind(self, kind: str) -> tuple[Plugin, ...]:
        """The plugins of one plugin kind."""
        return tuple(plugin for plugin in self.plugins if kind in plugin.kinds)

    def named(self, name: str) -> Plugin | None:
        """The plugin called `name`."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)


async def discover(
    config_dir: Path,
    project_root: Path | None = None,
    *,
    search_path: bool = False,
    refresh: bool = False,
    scripts: FindScripts = installed_scripts,
) -> Discovery:
    """Everything that can be used, four identified at a time; what cannot is a warning with its reason and its fix.

    `search_path` searches PATH too; `refresh` asks every plugin anew; `scripts` finds those of this Python environment.
    Raises InvalidInput for an operator's registry that cannot be read. When it is cancelled no process is left.
    """
    found = await asyncio.to_thread(find_candidates, config_dir, project_root, search_path=search_path, scripts=scripts)
    limit = asyncio.Semaphore(_PARALLEL_PROBES)
    # Around all of them: what left its process group is looked for once, which reads all of /proc.
    async with probing() as probes:
        identifier = await asyncio.to_thread(_Identifier, config_dir, probes, refresh=refresh)

        async def identify(candidate: Candidate) -> Plugin | ProbeFailure:
            async with limit:
                try:
                    return await identifier.identify(candidate)
                except PluginFailed as error:
                    failure = ProbeFailure(candidate.name, error.why, error.remedy)
                    return hiding(failure, found.hidden.get(candidate.name, ()))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(identify(candidate)) for candidate in found.first]
    answers = [task.result() for task in tasks]
    failures = (answer for answer in answers if isinstance(answer, ProbeFailure))
    return Discovery(tuple(answer for answer in answers if isinstance(answer, Plugin)), (*found.failures, *failures))


async def refreshed(plugin: Plugin, config_dir: Path) -> Plugin:
    """`plugin` as it is on the disk now, for its next start; the same one, without a process, while nothing changed.

    One that was installed anew is taken as its new entry in plugins.lock says. Raises PluginFailed for what changed
    without being installed, was uninstalled, is not trusted any more, or does not answer.
    """
    # Nobody took a fingerprint (`plugin dev`), so there is nothing to compare with.
    if not plugin.digest:
        return plugin
    async with probing() as probes:
        identifier = await asyncio.to_thread(_Identifier, config_dir, probes)
        candidate = await asyncio.to_thread(_as_locked, plugin.candidate, config_dir)
        now = await identifier.identify(candidate, plugin)
    if now.manifest != plugin.manifest:
        _log.info("plugin %s: its manifest changed (version %s)", plugin.name, now.manifest.version)
    return now


class _Identifier:
    """Finds out who each candidate is; what it learns is kept for the next process."""

    def __init__(self, config_dir: Path, probes: Probes, *, refresh: bool = False) -> None:
        self._config_dir = config_dir
        self._probes = probes
        self._refresh = refresh
        self._hashes = cache_folder(config_dir, "fingerprints", os.environ)
        self._manifests = ManifestCache.open(config_dir)
        # Threads that only read files hinder each other: four of them take thrice as long as one after the other.
        self._hashing = asyncio.Lock()

    async def identify(self, candidate: Candidate, before: Plugin | None = None) -> Plugin:
        """The plugin that `candidate` is; `before` itself if that is what it was. Raises PluginFailed."""
        if before is not None:
            await self._check_trust(candidate)
        now = await self._fingerprint(candidate)
        # The same code: no process is started, but its row or its lock entry may be new.
        if before is not None and before.digest == now.digest:
            return before._replace(candidate=candidate) if before.candidate != candidate else before
        # Code that lies outside what was fingerprinted may have changed without a trace.
        lasting = candidate.source != "development" and not now.editable
        if lasting and not self._refresh:
            known = await asyncio.to_thread(self._manifests.get, now.digest)
            if known is not None:
                return Plugin(candidate, known, now.digest)
        # Just before it is executed: trust may have gone since the search.
        await self._check_trust(candidate)
        manifest = await self._probes.ask(candidate.name, candidate.command, cwd=candidate.cwd)
        # Taken again: an answer of code that changed while it was asked must not be kept under either fingerprint.
        after = await self._fingerprint(candidate)
        if lasting and after.digest == now.digest:
            await asyncio.to_thread(self._manifests.put, now.digest, manifest)
        return Plugin(candidate, manifest, now.digest)

    async def _fingerprint(self, candidate: Candidate) -> Fingerprint:
        async with self._hashing:
            return await asyncio.to_thread(self._take_fingerprint, candidate)

    def _take_fingerprint(self, candidate: Candidate) -> Fingerprint:
        entry = candidate.locked
        # Only the interpreter that was there at the installation is run to tell its version.
        interpreter = None if entry is None or entry.development else entry.interpreter
        try:
            now = fingerprint(candidate.command, self._hashes, cwd=candidate.cwd, interpreter=interpreter)
        except RetryLater as error:
            raise PluginFailed(candidate.name, error.message, None, remedy=error.hint or "") from error
        drift = Lockfile(self._config_dir, {}).drift(entry, now) if entry is not None else None
        if drift is not None:
            raise PluginFailed(candidate.name, drift.why, None, remedy=drift.fix)
        return now

    async def _check_trust(self, candidate: Candidate) -> None:
        """Raise PluginFailed for one of a repository that is not trusted now: just before it would be executed."""
        if candidate.source != "project" or candidate.cwd is None:
            return
        if not await asyncio.to_thread(is_trusted, self._config_dir, Path(candidate.cwd)):
            raise PluginFailed(candidate.name, NOT_TRUSTED, None, remedy=TRUST)


def _as_locked(candidate: Candidate, config_dir: Path) -> Candidate:
    """`candidate` as plugins.lock has it now, if it came from there. Raises PluginFailed."""
    if candidate.locked is None:
        return candidate
    try:
        entry = Lockfile.read(config_dir).get(candidate.name)
    except RetryLater as error:
        raise PluginFailed(candidate.name, error.message, None, remedy=error.hint or "") from error
    if entry is None:
        again = how_to_install_again(candidate.locked.source)
        raise PluginFailed(candidate.name, "it was uninstalled", None, remedy=again)
    return candidate if entry == candidate.locked else locked_candidate(entry, candidate.options)
