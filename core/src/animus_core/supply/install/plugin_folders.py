"""The folders of installed plugins: each is built by one process, used as the lock file says, and swept when unused.

Below lie kernel locks. `<config>/plugins/<name>-<6 hex>/` is a virtual environment, and `.<name>-<6 hex>.lock` beside
it marks the folder as ours: whoever builds it holds that lock. A folder that no entry of `plugins.lock` names, that
nobody builds and from which nothing runs, is rubbish, whatever left it there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from animus_core.errors import Conflict, RetryLater
from animus_core.host.environment import COOKIE
from animus_core.store.durability import sync_directory
from animus_core.store.locks import HeldLock, acquire, is_held
from animus_core.store.process_cleanup import end_by_cookie

if sys.platform != "linux":
    import psutil

__all__ = [
    "cookie_of",
    "leftovers",
    "lock_of",
    "new_folder",
    "plugins_dir",
    "prepare",
    "remove_tree",
    "running_from",
    "sweep",
    "temporary_of",
    "try_to_remove",
]

_log: Final = logging.getLogger("animus.supply")
_LOCK: Final = re.compile(r"\.([a-z0-9-]+-[0-9a-f]{6})\.lock")
_END_S: Final = 2.0  # pip and compilers of a killed installation: nobody needs what they make
_NAMES: Final = 20  # of 16 million: only a folder that is full of them fails so often


def plugins_dir(config_dir: Path) -> Path:
    """Where the folders are."""
    return config_dir / "plugins"


def lock_of(folder: Path) -> Path:
    """The lock of a folder. No plugin can have its name, which begins with a dot."""
    return folder.with_name(f".{folder.name}.lock")


def cookie_of(folder: Path) -> str:
    """The value of the cookie variable that marks what is started to build `folder`."""
    return f"install:{os.path.realpath(folder)}"


def prepare(config_dir: Path) -> None:
    """Make the configuration directory and its `plugins/` (0700) where they are missing.

    Raises RetryLater if that fails, or if either belongs to somebody else or may be written by others.
    """
    # What lies here is executed: whoever may write here could replace a plugin.
    for folder in (config_dir, plugins_dir(config_dir)):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stat_result = folder.stat()
        except OSError as error:
            hint = "Check the folder above it, or set ANIMUS_CONFIG_DIR to another place."
            raise RetryLater(f"{folder}: the folder cannot be made: {error.strerror}", hint=hint) from error
        if stat_result.st_uid != os.geteuid() or stat_result.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise RetryLater(
                f"{folder}: others may write here, and nothing is installed there",
                hint=f"It must be yours alone: chmod go-w {folder}",
            )


@contextlib.contextmanager
def new_folder(config_dir: Path, stem: str) -> Iterator[Path]:
    """A folder of this process's own (0700), its lock held meanwhile. Raises RetryLater, Conflict.

    There is nothing in it but its folder for temporary files, which marks it as unfinished.
    """
    folder, held = _own(plugins_dir(config_dir), stem)
    with held:
        try:
            folder.mkdir(mode=0o700)
            temporary_of(folder).mkdir(mode=0o700)
            sync_directory(folder.parent)
        except OSError as error:
            hint = f"Check that {folder.parent} is a folder of yours and has room."
            raise RetryLater(f"{folder}: the folder cannot be made: {error.strerror}", hint=hint) from error
        yield folder


def _own(place: Path, stem: str) -> tuple[Path, HeldLock]:
    for _ in range(_NAMES):
        folder = place / f"{stem}-{secrets.token_hex(3)}"
        if not lock_of(folder).exists() and (held := acquire(lock_of(folder))) is not None:  # a sweep may be quicker
            return folder, held
    raise Conflict(f"{place}: no name for a new folder is free", hint="Try again.")


def temporary_of(folder: Path) -> Path:
    """The files that are needed while `folder` is built; there is no such folder any more once it is."""
    return folder / "tmp"


def leftovers(config_dir: Path, referenced: Callable[[], set[str]]) -> list[Path]:
    """The folders whose names are not in `referenced`, that nobody builds and from which no plugin runs."""
    known = referenced()
    unknown = [folder for folder in _ours(config_dir) if folder.name not in known and not is_held(lock_of(folder))]
    # From one that was never finished runs nothing but what was to build it.
    return [folder for folder in unknown if temporary_of(folder).exists() or not running_from(folder)]


def sweep(config_dir: Path, referenced: Callable[[], set[str]]) -> list[Path]:
    """Remove the leftovers, and end what a killed installation left at work on them; which these were.

    `referenced` is asked again once a folder's lock is held: then its builder has entered it, or never will. What it
    raises goes to the caller, and nothing is removed. A folder that cannot be removed is logged, and stays.
    """
    known, removed = referenced(), []
    for folder in _ours(config_dir):
        held = None if folder.name in known else acquire(lock_of(folder))
        if held is None:
            continue
        with held:
            if folder.name not in referenced() and try_to_remove(folder):
                removed.append(folder)
    return removed


def try_to_remove(folder: Path) -> bool:
    """End what still builds a folder whose lock this process holds, and remove it unless a plugin runs from it.

    Whether it is gone.
    """
    try:
        end_by_cookie(COOKIE, cookie_of(folder), grace_s=_END_S)
        if running_from(folder):
            return False
        remove_tree(folder)
        # After the folder: the lock's file is what marks it as ours, and without it no sweep would find what is left.
        lock_of(folder).unlink(missing_ok=True)
    except (RetryLater, OSError) as error:
        _log.warning("%s stays: %s", folder, error)
        return False
    return True


def running_from(folder: Path) -> list[int]:
    """The pids of processes whose command line names something in `folder`: a plugin that still runs."""
    # By the command line: a plugin's interpreter is a link out of the folder, so its executable tells nothing.
    inside = os.fsencode(os.path.join("", *folder.parts[-2:], ""))  # its folder may be reached by several paths
    return [pid for pid, line in _command_lines() if any(b"/" + inside in part for part in line)]


def _command_lines() -> Iterator[tuple[int, list[bytes]]]:
    if sys.platform == "linux":
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                with contextlib.suppress(OSError):  # it ended while it was looked at, or is somebody else's
                    yield int(process.name), (process / "cmdline").read_bytes().split(b"\0")
    else:
        for process in psutil.process_iter(["cmdline"]):
            yield process.pid, [os.fsencode(part) for part in process.info["cmdline"] or ()]


def _ours(config_dir: Path) -> list[Path]:
    place = plugins_dir(config_dir)
    try:
        names = sorted(os.listdir(place))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [place / found[1] for name in names if (found := _LOCK.fullmatch(name))]


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there. Raises RetryLater."""
    try:
        try:
            shutil.rmtree(folder)
        except PermissionError:  # a build leaves folders that even their owner may not write to
            for inside, _, _ in os.walk(folder):
                Path(inside).chmod(0o700)
            shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        why = f"{error.filename or folder}: {error.strerror}"
        raise RetryLater(f"{folder}: cannot be removed: {why}", hint=f"Remove it by hand: rm -r {folder}") from error
