"""Reports changes of the files that a plugin is made of: several at once as one, without what programs leave behind.

Below lies watchfiles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from animus_core.errors import RetryLater
from animus_core.services.dev.target import Sources

__all__ = ["counts", "watch_sources"]

_QUIET_MS: Final = 100  # an editor's save is several changes within a few milliseconds
_LONGEST_WAIT_MS: Final = 1000  # a program that writes without pause must not put a restart off for ever
_FOLDERS: Final = frozenset({"__pycache__", "node_modules", "venv"})
_LEFT_BY_PROGRAMS: Final = (
    *(".*", "*~", "#*#", "4913"),  # what editors leave while they save
    *("*.pyc", "*.pyo", "*.tmp", "*.log", "*.jsonl", "*.lock", "*.pid", "*.sock"),
    *("*.db", "*.db-*", "*.sqlite*", "*.egg-info"),
)


def counts(sources: Sources, path: Path) -> bool:
    """Whether a change of `path` is one of the plugin: no hidden file, cache, database, log or copy of an editor."""
    try:
        parts = path.relative_to(sources.folder).parts
    except ValueError:
        return False
    if not parts or (len(parts) > 1 and not sources.deep):
        return False
    if sources.names and not any(fnmatchcase(parts[-1], name) for name in sources.names):
        return False
    return not any(part in _FOLDERS or _is_left_by_programs(part) for part in parts)


def _is_left_by_programs(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _LEFT_BY_PROGRAMS)


async def watch_sources(sources: Sequence[Sources], changed: Callable[[list[Path]], None]) -> None:
    """Call `changed` with the files, sorted, until cancelled. Raises RetryLater where nothing can be watched."""
    async with asyncio.TaskGroup() as group:
        for watched in sources:
            group.create_task(_watch(watched, changed))


async def _watch(sources: Sources, changed: Callable[[list[Path]], None]) -> None:
    def passes(_change: Change, path: str) -> bool:
        return counts(sources, Path(path))

    folder = sources.folder
    try:
        async for found in awatch(
            folder, watch_filter=passes, debounce=_LONGEST_WAIT_MS, step=_QUIET_MS, recursive=sources.deep
        ):
            changed(sorted({Path(path) for _, path in found}))
    except (OSError, RuntimeError) as error:
        hint = "Edits are not noticed any more: write restart after one."
        raise RetryLater(f"{folder} cannot be watched: {error}", hint=hint) from error
