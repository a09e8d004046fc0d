"""All that can be said of one plugin without starting it: manifest, where it was found, its lock, its environment.

Below lie discovery and the lock file.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import RetryLater, UnknownName
from animus_core.services.plugins import PluginLocations
from animus_core.supply.discovery.candidates import Candidate
from animus_core.supply.discovery.discover import Plugin, ProbeFailure
from animus_core.supply.lock.lockfile import Lockfile

__all__ = ["Inspection", "inspect_plugin"]

_FLAGS: Final = ("$harness/", "$host/", "$vendor/", "$ui/")


class Inspection(NamedTuple):
    """What is known of a name. Without `plugin` it cannot be used, and `problem` says why.

    `lock`: `locked`, `development`, `trusted by installation` (in this environment), `not locked`, `drifted`, or
    `unreadable`.
    """

    name: str
    plugin: Plugin | None
    candidate: Candidate | None
    lock: str
    problem: ProbeFailure | None
    hides: tuple[Candidate, ...]

    def to_json(self) -> dict[str, Any]:
        """For programs; the environment's values are never in it."""
        candidate, plugin = self.candidate, self.plugin
        values: dict[str, Any] = {"name": self.name, "usable": plugin is not None, "lock": self.lock}
        if candidate is not None:
            options = candidate.options
            values |= {
                "found_in": candidate.source,
                "command": list(candidate.command),
                # Names only: the values may be secrets, and this is pasted into reports.
                "env": sorted(options.env),
                "pass_env": list(options.pass_env),
                "limits": {name: value for name, value in options.limits._asdict().items() if value is not None},
            }
            if candidate.locked is not None:
                values["locked"] = candidate.locked.model_dump(mode="json")
        if plugin is not None:
            values |= {
                "manifest": plugin.manifest.model_dump(mode="json", exclude_none=True),
                "kinds": list(plugin.kinds),
                "subject_kinds": list(plugin.subject_kinds),
                "methods": [
                    name for name in plugin.manifest.capabilities if "/" in name and not name.startswith(_FLAGS)
                ],
                "environment": _environment(plugin),
            }
        if self.problem is not None:
            values |= {"problem": self.problem.message, "fix": self.problem.fix}
        if self.hides:
            values["hides"] = [
                {"found_in": candidate.source, "command": list(candidate.command)} for candidate in self.hides
            ]
        return values


async def inspect_plugin(
    locations: PluginLocations, name: str, *, search_path: bool = False, refresh: bool = False
) -> Inspection:
    """All that can be said of `name` without starting it. Raises UnknownName, InvalidInput."""
    found, discovery = await asyncio.gather(
        locations.candidates(search_path=search_path), locations.discover(search_path=search_path, refresh=refresh)
    )
    candidate = next((candidate for candidate in found.first if candidate.name == name), None)
    plugin = discovery.named(name)
    problem = next((failure for failure in discovery.warnings if failure.name == name), None)
    if candidate is None and plugin is None and problem is None:
        raise UnknownName(f"no plugin {name!r}", hint="See what there is: animus plugin list")
    lock = await asyncio.to_thread(_lock_state, locations.config_dir, name, candidate, usable=plugin is not None)
    return Inspection(
        name, plugin, plugin.candidate if plugin else candidate, lock, problem, found.hidden.get(name, ())
    )


def _lock_state(config_dir: Path, name: str, candidate: Candidate | None, *, usable: bool) -> str:
    try:
        lock = Lockfile.read(config_dir)
    except RetryLater:
        return "unreadable"
    entry = lock.get(name)
    if entry is None or (candidate is not None and candidate.locked is None):
        # Somebody who can install into our own environment can change this core as well: a lock would protect nothing.
        installed_beside_us = candidate is not None and candidate.source == "environment"
        return "trusted by installation" if installed_beside_us else "not locked"
    if entry.development:
        return "development"
    return "locked" if usable or lock.verify(entry) is None else "drifted"


def _environment(plugin: Plugin) -> list[dict[str, Any]]:
    given = plugin.candidate.options.env
    return [
        {
            "name": variable.name,
            "required": variable.required,
            "sensitive": variable.sensitive,
            "set": variable.name in os.environ or variable.name in given,
        }
        for variable in plugin.manifest.env_required
    ]
