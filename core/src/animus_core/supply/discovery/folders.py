"""Plugins by their file names: what in a folder is called like one and can be executed.

Below it lies the file system. Files are looked at and never opened.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.errors import RetryLater

__all__ = ["NotUsable", "programs_in"]

# Every kind's own word: published hosts match two of them only, and authors wonder why others are not found.
_KINDS: Final = "plugin|provider|subject|trigger|transport|web-ui|log|notifier|queue|workflow|custom"
_NAME: Final = re.compile(rf"animus-(?:{_KINDS})-[A-Za-z0-9._-]{{1,100}}")
_MOST_ENTRIES: Final = 50_000  # folders of PATH have thousands; beyond that it is not a folder of programs


class NotUsable(NamedTuple):
    """Why a file with a plugin's name cannot be used, and what to do."""

    why: str
    fix: str


def programs_in(folder: Path) -> Iterator[tuple[str, str | NotUsable]]:
    """Name and path of each `animus-<kind>-…` in `folder`, sorted; subfolders and other names are passed over.

    An absent folder is empty. Raises RetryLater for one that cannot be read, or has more than 50,000 entries.
    """
    try:
        names = []
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries, 1):
                if count > _MOST_ENTRIES:
                    raise RetryLater(f"{folder}: more than {_MOST_ENTRIES:,} entries", hint="Move plugins elsewhere.")
                if _NAME.fullmatch(entry.name):
                    names.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise RetryLater(f"{folder}: cannot be read: {error.strerror}", hint="Make it readable.") from error
    for name in sorted(names):
        program = _program(folder / name)
        if program is not None:
            yield name, program


def _program(path: Path) -> str | NotUsable | None:
    """The path, why it is not usable, or None for a folder."""
    quoted = shlex.quote(str(path))
    try:
        mode = path.stat().st_mode
    except OSError as error:
        # Told and not passed over: the name stays reserved until somebody fixes it.
        return NotUsable(f"leads nowhere: {error.strerror}", f"Remove it, or fix what it leads to: rm {quoted}")
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return NotUsable("is neither a file nor a folder", f"rm {quoted}")
    if not os.access(path, os.X_OK):
        return NotUsable("may not be executed", f"chmod +x {quoted}")
    return str(path)
