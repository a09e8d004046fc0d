"""Whether a plugin may have a name: one that is taken passes to another origin only with a yes.

Below lie the operator's registry and `plugins.lock`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from animus_core.errors import Conflict
from animus_core.supply.discovery.registry import read_registry
from animus_core.supply.install.request import Dialogue, InstallRequest, check_name
from animus_core.supply.lock.lockfile import Lockfile

__all__ = ["check_names"]


async def check_names(
    config_dir: Path, request: InstallRequest, programs: Mapping[str, Path], folder: Path | None, dialogue: Dialogue
) -> None:
    """Raise Conflict for a name of the operator's registry, or of another origin that is not to be replaced."""
    registry, lock = await asyncio.to_thread(_read, config_dir)
    for name in programs:
        check_name(name)
        # The registry goes first in discovery: what is installed under the name would never be used.
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
    # The folder's name without its 6 random digits, which differ for each version.
    return command[0] if folder is None else Path(folder).name.rpartition("-")[0]
