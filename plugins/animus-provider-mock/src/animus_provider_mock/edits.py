"""Changes files for the `edit` step: below the working directory only, each change all or nothing.

Below it lies the file system alone.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePath

from animus_provider_mock.model import Edit
from animus_provider_mock.record import write_atomic

__all__ = ["EditRefused", "apply_edit"]


class EditRefused(Exception):
    """The change was not made, and nothing was touched; the message says why."""


def apply_edit(edit: Edit, cwd: Path) -> str:
    """Make the change below `cwd`; returns a sentence that tells of it. Raises EditRefused."""
    target = _inside(cwd, edit.path)
    try:
        return _apply(edit, target)
    except FileNotFoundError:
        raise EditRefused(f"{edit.path}: no such file") from None
    except UnicodeDecodeError as error:
        raise EditRefused(f"{edit.path}: not UTF-8 text at byte {error.start}") from None
    except OSError as error:
        raise EditRefused(f"{edit.path}: {error.strerror}") from None


def _apply(edit: Edit, target: Path) -> str:
    if edit.delete:
        target.unlink()
        return f"deleted {edit.path}"
    if target.exists() and not target.is_file():
        raise EditRefused(f"{edit.path}: not a regular file")
    if edit.replace is not None:
        old, new = edit.replace
        text = target.read_bytes().decode()
        if (count := text.count(old)) != 1:
            raise EditRefused(f"{edit.path}: the text to replace occurs {count} times, and must occur exactly once")
        _write(target, text.replace(old, new))
        return f"replaced 1 occurrence in {edit.path}"
    target.parent.mkdir(parents=True, exist_ok=True)
    if edit.append is not None:
        before = target.read_bytes().decode() if target.exists() else ""
        _write(target, before + edit.append)
        return f"appended {len(edit.append)} characters to {edit.path}"
    content = edit.content or ""
    _write(target, content)
    return f"wrote {len(content)} characters to {edit.path}"


def _inside(cwd: Path, path: str) -> Path:
    """Where `path` really is. Raises EditRefused when that is not below `cwd`."""
    parts = PurePath(path).parts
    if not parts or PurePath(path).is_absolute() or ".." in parts or "\0" in path:
        raise EditRefused(f"{path}: must be a relative path without ..")
    root = cwd.resolve()
    if not root.is_dir():
        raise EditRefused(f"{cwd}: the working directory does not exist")
    try:
        named = (root / path).parent.resolve() / parts[-1]
        real = named.resolve()
    except (OSError, RuntimeError) as error:  # before Python 3.13 this is how a loop of symbolic links is told
        raise EditRefused(f"{path}: cannot be followed: {error}") from None
    if any(place.is_symlink() for place in (real, *real.parents)):
        raise EditRefused(f"{path}: cannot be followed: {real} leads in a circle")
    if not real.is_relative_to(root) or real == root:
        raise EditRefused(f"{path}: leads out of the working directory, to {real}")
    return real


def _write(target: Path, text: str) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    write_atomic(target, text.encode(), mode)


def _umask() -> int:
    mask = os.umask(0o077)  # the only way to read it is to set it
    os.umask(mask)
    return mask
