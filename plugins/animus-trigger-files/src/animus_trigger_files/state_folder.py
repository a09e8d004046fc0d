"""Where the state of a project's triggers lies, and whose it is: one process at a time.

Below lie the file system and the SDK's lock.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from animus_sdk import FileLock, FileLocked, InvalidParams, ProjectBinding, Unavailable

__all__ = ["own", "state_base", "state_folder"]

_SCOPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_OURS: Final = "animus-trigger-files"


def state_base(project: ProjectBinding, env: Mapping[str, str]) -> Path:
    """The folder of all projects: animus's configuration directory, or the system's state directory without a scope.

    Raises InvalidParams for a variable that is not an absolute path.
    """
    home = Path(env.get("HOME") or Path.home())
    if project.repo_scope is not None:
        return _absolute(env, "ANIMUS_CONFIG_DIR") or home / ".animus"
    return (_absolute(env, "XDG_STATE_HOME") or home / ".local/state") / "animus"


def state_folder(project: ProjectBinding, env: Mapping[str, str]) -> Path:
    """The folder of `project` in `state_base`; it need not exist. Raises InvalidParams."""
    base = state_base(project, env)
    if project.repo_scope is None:
        # Through whichever link the project is reached, its state is the same.
        root = os.path.realpath(project.project_root)
        return base / "triggers" / hashlib.sha256(os.fsencode(root)).hexdigest()[:16] / _OURS
    if not _SCOPE.fullmatch(project.repo_scope):
        raise InvalidParams(
            f"repo_scope {project.repo_scope!r} is not a folder name - use letters, digits, `.`, `_`, `-`"
        )
    return base / project.repo_scope / "triggers" / _OURS


def _absolute(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name)
    if value and not os.path.isabs(value):
        raise InvalidParams(f"{name} is {value!r}, which means another place in each folder - set an absolute path")
    return Path(value) if value else None


def own(folder: Path) -> FileLock:
    """The lock on a state folder, taken; the folder is made if missing. Raises Unavailable when another has it."""
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(f"{os.getpid()}\n")
    except FileLocked as error:
        holder = error.text or "unknown"
        raise Unavailable(
            f"{lock.path}: process {holder} watches this project already - end it, or use its events"
        ) from error
    except OSError as error:
        raise Unavailable(f"{lock.path}: {error.strerror} - check the folders above it") from error
    return lock
