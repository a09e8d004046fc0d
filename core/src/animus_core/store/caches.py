"""Caches: bounded folders of small files that can be made again, not used where others may write.

Nothing here raises: a cache that cannot be used counts as absent.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from animus_core.errors import AnimusError
from animus_core.store.json_files import write_json_atomic
from animus_core.store.regular_files import read_regular

__all__ = ["cache_folder", "read_cached", "write_cached"]

_log: Final = logging.getLogger("animus.store")
_MOST_FILES: Final = 256  # far more plugins than a machine has; each version of one leaves a file


def cache_folder(config_dir: Path, part: str, env: Mapping[str, str]) -> Path | None:
    """The folder `part` in `ANIMUS_CACHE_DIR`, else in `cache/` of the configuration directory; made where missing.

    None if it cannot be made, or if it belongs to somebody else or others may write to it.
    """
    named = env.get("ANIMUS_CACHE_DIR")
    # A relative folder would be another one in each working directory, a hostile repository's among them.
    if named and not os.path.isabs(named):
        _log.warning("ANIMUS_CACHE_DIR is %r, no absolute path: nothing is cached", named)
        return None
    # A command that only looks (`animus plugin list`) does not make ~/.animus by looking.
    if not named and not config_dir.is_dir():
        return None
    folder = (Path(named) if named else config_dir / "cache") / part
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        stat_result = folder.stat()
    except OSError as error:
        _log.debug("%s: no cache: %s", folder, error)
        return None
    # A cached manifest says which of the operator's variables a plugin gets: only its owner may write here.
    if stat_result.st_uid != os.geteuid() or stat_result.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        _log.warning("%s: others may write here: nothing is cached", folder)
        return None
    return folder


def read_cached(path: Path, most_bytes: int) -> dict[str, Any]:
    """The object in `path`; empty for whatever cannot be read as one."""
    try:
        value = json.loads(read_regular(path, most_bytes))
    # RecursionError: json follows nesting by recursion, and a cut or foreign file may have any shape.
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def write_cached(path: Path, value: Mapping[str, Any]) -> None:
    """Keep `value`; the oldest files of the folder make room."""
    try:
        if not path.exists():
            _make_room(path.parent)
        write_json_atomic(path, value)
    except (OSError, AnimusError) as error:
        _log.debug("%s: not cached: %s", path, error)


def _make_room(folder: Path) -> None:
    by_age = sorted(folder.iterdir(), key=lambda path: path.lstat().st_mtime_ns)
    for path in by_age[: max(0, len(by_age) - _MOST_FILES + 1)]:
        path.unlink(missing_ok=True)
