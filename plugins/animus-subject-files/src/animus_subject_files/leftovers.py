"""Temporary files: their names, and what a crash leaves of them.

A name says what may be in the file. `.new.tmp` is ours alone and `.deleted.tmp` was to be deleted: both may go.
`.swap.tmp` carries the digests of the version that was read and of the one that was written; a file that holds
neither holds somebody's work, and is kept under a name that people see.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from pathlib import Path
from typing import Final

from animus_subject_files.exchange import StillOpen, opened, rename_new, sync_folder

__all__ = ["being_written", "clean_up", "deleted_name", "rescue", "swap_name"]

_NAME: Final = re.compile(
    r"\.(?P<name>.+\.md)\.[0-9a-f]{8}\.(?:new|deleted|(?P<base>[0-9a-f]{12})\.(?P<new>[0-9a-f]{12})\.swap)"
    r"\.tmp(?P<kept>\.kept)?"
)

_WAIT_FOR_WRITER_S: Final = 1.0

_log = logging.getLogger("animus_subject_files")


def being_written(path: Path) -> Path:
    """Beside `path`: a file that nobody but us has seen."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new.tmp")


def deleted_name(path: Path) -> Path:
    """Beside `path`: where a file goes on its way out."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.deleted.tmp")


def swap_name(path: Path, base: bytes, new: bytes) -> Path:
    """Beside `path`: holds `new` before the swap and should hold `base` after it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{_digest(base)}.{_digest(new)}.swap.tmp")


def rescue(temporary: Path, path: Path) -> Path:
    """Give `temporary` the first free name `<id>.rescued-<n>.md.txt` beside `path`; that name."""
    number = 1
    while True:
        kept = path.with_name(f"{path.stem}.rescued-{number}.md.txt")
        try:
            rename_new(temporary, kept)
        except FileExistsError:
            number += 1
            continue
        sync_folder(path.parent)
        return kept


def clean_up(folder: Path) -> None:
    """Delete or rescue what a crash left in `folder`; the caller holds the folder's lock."""
    for temporary in sorted(folder.glob(".*.tmp*")):
        found = _NAME.fullmatch(temporary.name)
        if found is None or temporary.is_symlink() or not temporary.is_file():
            continue
        path = folder / found["name"]
        if _is_spare(temporary, path, found):
            temporary.unlink()
        else:
            kept = rescue(temporary, path)
            _log.warning("%s: a version found after a crash is kept in %s - compare the two", path, kept.name)


def _is_spare(temporary: Path, path: Path, found: re.Match[str]) -> bool:
    if found["base"] is None:
        return True
    try:
        with opened(temporary) as file:
            content = file.settle(_WAIT_FOR_WRITER_S)
    # Somebody writes into it at this moment, so it is not ours alone.
    except StillOpen:
        return False
    if _digest(content) in (found["base"], found["new"]):
        return True
    return path.is_file() and path.read_bytes() == content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
