"""Where plugins are looked for, and how they get there and away: install, uninstall.

Below lie `supply/install/install.py` and discovery.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import UnknownName
from animus_core.supply.discovery.candidates import Candidate, Candidates, find_candidates
from animus_core.supply.discovery.discover import Discovery, Plugin, discover
from animus_core.supply.install.install import Installed
from animus_core.supply.install.install import install as install_into
from animus_core.supply.install.install import uninstall as uninstall_from
from animus_core.supply.install.request import InstallRequest
from animus_core.supply.lock.lockfile import LockEntry
from animus_protocol.models.control import plugin as wire
from animus_protocol.models.manifest import PluginManifest

__all__ = ["PluginLocations", "install", "installed_to_wire", "removal_of", "to_wire", "uninstall"]


class PluginLocations(NamedTuple):
    """Where plugins are looked for."""

    config_dir: Path
    project_root: Path

    async def discover(self, *, search_path: bool = False, refresh: bool = False) -> Discovery:
        """Every plugin that can be used, and why others cannot. Raises InvalidInput for the operator's registry."""
        return await discover(self.config_dir, self.project_root, search_path=search_path, refresh=refresh)

    async def candidates(self, *, search_path: bool = False) -> Candidates:
        """What would be asked for its manifest; nothing is. Raises as `discover`."""
        return await asyncio.to_thread(find_candidates, self.config_dir, self.project_root, search_path=search_path)


def to_wire(plugin: Plugin) -> wire.ControlPluginInfo:
    """A plugin as the control protocol shows it."""
    return _plugin_info(
        plugin.name, plugin.manifest, plugin.candidate.command, plugin.candidate.source, plugin.candidate.locked
    )


async def install(
    locations: PluginLocations,
    request: InstallRequest,
    *,
    report: Callable[[str], None],
    confirm: Callable[[str], Awaitable[bool]],
) -> list[Installed]:
    """Install what is asked for. Raises as `supply.install.install.install`."""
    return await install_into(locations.config_dir, request, report=report, confirm=confirm)


def installed_to_wire(installed: Installed) -> wire.ControlPluginInfo:
    """What was installed, as the control protocol shows it."""
    entry = installed.entry
    source = "development" if entry.development else "installed"
    return _plugin_info(entry.name, installed.manifest, entry.command, source, entry)


async def uninstall(locations: PluginLocations, name: str) -> LockEntry:
    """Remove what was installed under `name`. Raises UnknownName that says where else it comes from, RetryLater."""
    try:
        return await uninstall_from(locations.config_dir, name)
    except UnknownName:
        # PATH too, whatever the settings say: people ask about what they have seen somewhere.
        found = await locations.candidates(search_path=True)
        candidate = next((candidate for candidate in found.first if candidate.name == name), None)
        if candidate is None:
            raise
        raise UnknownName(
            f"{name} was not installed by animus: it is found in {_WHERE.get(candidate.source, candidate.source)} "
            f"({candidate.command[0]})",
            hint=f"To remove it: {removal_of(candidate, locations)}",
        ) from None


_WHERE: Final = {
    "project": "this project's .animus/",
    "registry": "plugins.yaml",
    "folder": "the folder of plugins",
    "plugin-path": "ANIMUS_PLUGIN_PATH",
    "environment": "animus's own Python environment",
    "system-path": "PATH",
}


def removal_of(candidate: Candidate, locations: PluginLocations) -> str:
    """The command, or the edit, that takes a plugin away."""
    match candidate.source:
        case "installed" | "development":
            return f"animus plugin uninstall {shlex.quote(candidate.name)}"
        case "registry":
            return f"take plugins.{candidate.name} out of {locations.config_dir / 'plugins.yaml'}"
        case "environment":
            points = entry_points(group="animus.plugins", name=candidate.name)
            names = [point.dist.name for point in points if point.dist is not None]
            return shlex.join([sys.executable, "-m", "pip", "uninstall", names[0] if names else candidate.name])
        case "project" if Path(candidate.command[0]).parent != locations.project_root / ".animus" / "plugins":
            return f"take plugins.{candidate.name} out of {locations.project_root / '.animus' / 'plugins.yaml'}"
        case _:
            return f"rm {shlex.quote(candidate.command[0])}"


def _plugin_info(
    name: str, manifest: PluginManifest, command: tuple[str, ...], source: str, locked: LockEntry | None
) -> wire.ControlPluginInfo:
    lock = None if locked is None else "development" if locked.development else "locked"
    return wire.ControlPluginInfo(
        name=name,
        version=manifest.version,
        kind=manifest.plugin_kind,
        source=source,
        # There are no signatures (docs/adr/0007), and saying otherwise would be believed.
        signature_verified=False,
        description=manifest.description,
        binary_path=command[0],
        lock=lock,
    )
