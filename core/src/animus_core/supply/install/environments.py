"""The environments of installed plugins: one is built with a source in it, and what nothing uses is swept.

Below lie `plugin_folders.py` (where they are), `pip.py` (who fills them), `resolution.py` (what was agreed to) and
`plugins.lock`, which alone says which of them are used.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from animus_core.errors import InvalidInput, RetryLater
from animus_core.supply.install.pip import EnvironmentBuilder, pip_environment, plugin_scripts
from animus_core.supply.install.plugin_folders import (
    cookie_of,
    leftovers,
    new_folder,
    remove_tree,
    sweep,
    temporary_of,
    try_to_remove,
)
from animus_core.supply.install.plugin_source import SourceKind
from animus_core.supply.install.request import Dialogue, InstallRequest
from animus_core.supply.install.resolution import agree
from animus_core.supply.lock.lockfile import Lockfile

__all__ = ["build_environment", "leftover_folders", "run_to_completion", "sweep_unused"]

_log: Final = logging.getLogger("animus.supply")
_T = TypeVar("_T")


@asynccontextmanager
async def build_environment(
    config_dir: Path, request: InstallRequest, timeout_s: float, dialogue: Dialogue
) -> AsyncIterator[tuple[Path, dict[str, Path]]]:
    """A new environment with the source in it, and its plugins' programs; removed unless it gets into the lock file.

    Raises Conflict when nobody agrees to what a name leads to, InvalidInput for a source without a plugin, RetryLater.
    """
    with new_folder(config_dir, request.source.stem) as folder:
        try:
            temporary = temporary_of(folder)
            builder = EnvironmentBuilder(
                folder, temporary, pip_environment(os.environ, cookie_of(folder), temporary), timeout_s
            )
            dialogue.report(f"creating an environment: {folder}")
            await builder.make_environment()
            await _fill(builder, request, dialogue)
            # From here on it counts as finished: one with `tmp` in it a sweep may take, whatever runs from it.
            await run_to_completion(functools.partial(remove_tree, temporary))
            scripts = await asyncio.to_thread(plugin_scripts, folder)
            yield folder, _programs(request, {script.name: script.program for script in scripts})
        finally:
            await run_to_completion(functools.partial(_remove_unused, config_dir, folder))


async def _fill(builder: EnvironmentBuilder, request: InstallRequest, dialogue: Dialogue) -> None:
    source = request.source
    if source.kind is SourceKind.INDEX:
        dialogue.report(f"resolving {source.text}")
        resolved = await builder.resolve(source)
        # Between resolving and installing: after a no there is nothing in the environment.
        await agree(source, resolved, dialogue)
        dialogue.report(f"installing {source.text}")
        await builder.install_exactly(source, resolved)
    else:
        # The operator has named this file or folder. Its dependencies are asked about once they are there: to resolve
        # first would build a folder twice. Names of ours come as wheels only (pip.py): no code of theirs has run then,
        # and a no removes the environment.
        dialogue.report(f"installing {source.text}")
        await agree(source, await builder.install(source, development=request.development), dialogue)


def _programs(request: InstallRequest, found: dict[str, Path]) -> dict[str, Path]:
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


def leftover_folders(config_dir: Path) -> list[Path]:
    """The folders that the next installation sweeps. Raises RetryLater for an unreadable lock file."""
    return leftovers(config_dir, functools.partial(_folders, config_dir))


def _folders(config_dir: Path) -> set[str]:
    """The names of the folders that are in use; the way to them may be spelled differently another time."""
    # By the lock file alone: there is no second list that a crash could leave different from it.
    return {Path(entry.folder).name for entry in Lockfile.read(config_dir).entries.values() if entry.folder is not None}


def sweep_unused(config_dir: Path) -> None:
    """Remove the folders that no entry of the lock file names. Raises RetryLater for an unreadable one."""
    sweep(config_dir, functools.partial(_folders, config_dir))


def _remove_unused(config_dir: Path, folder: Path) -> None:
    """Remove a folder that this process built, unless it got into the lock file."""
    try:
        used = folder.name in _folders(config_dir)
    # Unreadable, so nobody knows whether it is used: the folder stays, which costs room and nothing else.
    except RetryLater as error:
        _log.warning("%s stays: %s", folder, error.message)
        return
    if not used:
        try_to_remove(folder)


async def run_to_completion(function: Callable[[], _T]) -> _T:
    """Run `function` in a thread and wait for its end also when cancelled: what it changes is then known."""
    task = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
