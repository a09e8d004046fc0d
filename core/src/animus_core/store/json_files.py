"""JSON files that are whole or absent: the one place that writes and reads them.

A write goes to a temporary file in the same directory, is flushed, renamed over the old one, and the directory is
flushed. Files are 0600.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from animus_core.errors import InvalidInput, RetryLater
from animus_core.store.durability import sync_data, sync_directory

__all__ = ["read_json_or_default", "write_json_atomic", "write_json_if_missing", "write_json_pretty"]

_T = TypeVar("_T")
_log: Final = logging.getLogger(__name__)


def write_json_atomic(path: Path, value: object) -> None:
    """Replace `path` by `value` on one line; after a crash at any moment the old or the new content is there.

    Raises InvalidInput if `value` is not JSON, RetryLater (the old content stays) if it cannot be written.
    """
    _replace(path, _text(path, value, indent=None))


def write_json_pretty(path: Path, value: object) -> None:
    """As `write_json_atomic`, indented by two for people."""
    _replace(path, _text(path, value, indent=2))


def write_json_if_missing(path: Path, value: object) -> bool:
    """Write `value`, indented, unless `path` exists; whether it was written. Of several writers the first one wins."""
    # Before the disk is asked: a value that is not JSON is a mistake whether the file exists or not.
    content = _text(path, value, indent=2)
    if path.exists():
        return False
    with _failing(path), _temporary(path, content) as temporary:
        try:
            # A link, unlike a rename, fails where the name is taken.
            os.link(temporary, path)
        except FileExistsError:
            return False
        sync_directory(path.parent)
    return True


def read_json_or_default(path: Path, default: _T, *, report: Callable[[str], None] | None = None) -> _T:
    """The value in `path`, or `default` if there is no such file.

    What is not JSON, or not of the type of `default` (None accepts any), is moved to `<name>.broken-<n>`; `report`
    gets a sentence about it (default: logged as an error), and `default` is returned. Raises RetryLater if the file
    cannot be read or moved.
    """
    with _failing(path):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return default
        try:
            value: _T = json.loads(content)
            # `type` and not isinstance, to which True is an int.
            if default is not None and type(value) is not type(default):
                raise ValueError(f"{type(value).__name__} where {type(default).__name__} is expected")
        except (ValueError, RecursionError) as error:
            # Kept and not overwritten: it may be all that is left of what an operator set.
            aside = _set_aside(path)
            (report or _log.error)(f"{path}: broken ({error}); kept as {aside.name}, going on with the default")
            return default
    return value


def _text(path: Path, value: object, *, indent: int | None) -> bytes:
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            # NaN and Infinity are not JSON: other readers of these files refuse them.
            allow_nan=False,
            indent=indent,
            separators=(",", ":") if indent is None else None,
        )
        return text.encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: the value to write is not JSON: {error}") from error


def _replace(path: Path, content: bytes) -> None:
    with _failing(path), _temporary(path, content) as temporary:
        temporary.rename(path)
        sync_directory(path.parent)


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[Path]:
    """A flushed file with `content` beside `path`, removed at the end unless it was renamed."""
    # In the same directory, because a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            left = memoryview(content)
            while left:
                # A write may be partial (a nearly full disk), and what is short would be renamed over what is whole.
                left = left[os.write(fd, left) :]
            # Before the rename: else the new name can reach the disk before the bytes that it names.
            sync_data(fd)
        finally:
            os.close(fd)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _set_aside(path: Path) -> Path:
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.broken-{number}")
        try:
            # A link and not a rename: it fails where the name is taken, so an earlier broken file is never lost.
            os.link(path, aside)
        except FileExistsError:
            number += 1
            continue
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
        return aside


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RetryLater(
            f"{path}: {error.strerror or error}",
            hint="Check that the directory exists, is yours and has room.",
            details={"path": str(path)},
        ) from error
