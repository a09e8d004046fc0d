"""Discovery for a process that lives long: searches again when a place where it searched has changed.

Below it lies `discover.py`. What decides is when the operator's registry, the lock and the plugin folders last changed,
so that asking often costs a few file status calls.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from animus_core.supply.discovery.discover import Discovery, Plugin, discover, refreshed

__all__ = ["CachedDiscovery"]

_Signature = tuple[tuple[int, int] | None, ...]


class CachedDiscovery:
    """The plugins of a project as they are now."""

    def __init__(self, config_dir: Path, project_root: Path) -> None:
        self._config_dir = config_dir
        self._project_root = project_root
        self._found: Discovery | None = None
        self._signature: _Signature = ()
        self._lock = asyncio.Lock()

    async def current(self) -> Discovery:
        """What there is. Raises InvalidInput for a registry of the operator's that cannot be read."""
        async with self._lock:
            # Before the search: a change during it leaves an older signature, so the next question searches again.
            signature = self._current_signature()
            if self._found is None or signature != self._signature:
                self._found = await discover(self._config_dir, self._project_root)
                self._signature = signature
            return self._found

    async def refreshed(self, plugin: Plugin) -> Plugin:
        """The plugin as its files are now, before it is started. Raises PluginFailed when it may not be."""
        return await refreshed(plugin, self._config_dir)

    def _current_signature(self) -> _Signature:
        project = self._project_root / ".animus"
        watched = [self._config_dir / "plugins.yaml", self._config_dir / "plugins.lock", self._config_dir / "plugins"]
        # The trust store too: with a new record the project's own plugins may be used, or no longer.
        watched += [project / "plugins.yaml", project / "plugins", self._config_dir / "trust"]
        watched += [Path(part) for part in os.environ.get("ANIMUS_PLUGIN_PATH", "").split(os.pathsep) if part]
        return tuple(_stamp(path) for path in watched)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    # The inode, because a rename can bring a file of the same time; a folder's time moves with its names.
    return found.st_mtime_ns, found.st_ino
