"""What has been trusted, as it is kept: one file a project in the configuration directory, never in a repository.

Below it lie the JSON files and locks. Whatever cannot be understood counts as no trust at all.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from animus_core.errors import InvalidInput, RetryLater
from animus_core.store.clock import utc_now_text
from animus_core.store.durability import sync_directory
from animus_core.store.json_files import write_json_pretty
from animus_core.store.locks import HeldLock, acquire_within
from animus_core.store.paths import repo_scope
from animus_core.supply.trust.coverage import Entry, digest_of
from animus_core.terminal import escape_unprintable

__all__ = ["Mode", "Stored", "TrustRecord", "TrustStore"]

Mode = Literal["ask", "auto"]
_LOCK_S: Final = 10.0  # it is held while the folder is read once and one file is written
_MOST_BYTES: Final = 64 << 20  # 8 MiB of texts as JSON, and a row for each of 10,000 files


class _File(BaseModel):
    """One covered path as it was trusted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    path: str
    kind: str = "file"
    executable: bool
    sha256: str
    size_bytes: int
    target: str | None = None
    text: str | None = None


class TrustRecord(BaseModel):
    """What the operator trusted: all of it, or nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    v: Literal[1]
    root: str
    mode: Mode
    digest: str
    trusted_at: str
    files: tuple[_File, ...] = Field(default=())

    def entries(self) -> list[Entry]:
        """The covered paths."""
        return [Entry(f.path, f.kind, f.executable, f.target, f.sha256, f.size_bytes, f.text) for f in self.files]


class Stored(NamedTuple):
    """The record, if there is one that counts; else `problem` says why one that is there does not."""

    record: TrustRecord | None
    problem: str = ""


class TrustStore:
    """The file of one project. `root` is the canonical project root."""

    def __init__(self, config_dir: Path, root: Path) -> None:
        self._root = root
        self._config_dir = config_dir
        self.path: Final = config_dir / "trust" / f"{repo_scope(root)}.json"

    @property
    def problem(self) -> str:
        """Why nothing may be kept for this project: the folder is within reach of the repository. Empty if it may."""
        # A record within reach of the repository could be written by it, to trust itself.
        inside = self._config_dir.resolve().is_relative_to(self._root)
        return f"the configuration directory {self._config_dir} lies in the repository itself" if inside else ""

    def signature(self) -> tuple[int, ...]:
        """Moves whenever the file does, or who may write it; empty without one."""
        try:
            found, folder = self.path.lstat(), self.path.parent.lstat()
        except OSError:
            return ()
        whose = (folder.st_uid, folder.st_mode)
        return (*whose, found.st_ino, found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def read(self) -> Stored:
        """The record. Never raises: a broken or foreign one, or another version, counts as absent, with the reason."""
        if self.problem:
            return Stored(None, self.problem)
        try:
            content = self._content()
        except FileNotFoundError:
            return Stored(None)
        except OSError as error:
            return Stored(None, f"{self.path}: cannot be read: {error.strerror or error}")
        try:
            record = TrustRecord.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            return Stored(None, f"{self.path}: broken, or of another version ({where}: {first['msg']})")
        # A record that was edited in one place does not hold: the files decide, and the digest only names them.
        if record.digest != digest_of(record.entries()):
            return Stored(None, f"{self.path}: broken: its digest is not that of its files")
        # The scope's name holds 48 bits of a hash: two folders that share it must not share trust.
        if record.root != _text(self._root):
            return Stored(None, f"{self.path}: is about another folder, {escape_unprintable(record.root)}")
        return Stored(record)

    def locked(self) -> HeldLock:
        """Hold this while reading and writing. Raises RetryLater or Conflict."""
        if self.problem:
            raise InvalidInput(self.problem, hint="Set ANIMUS_CONFIG_DIR to a folder outside of the repository.")
        try:
            if not self.path.parent.is_dir():
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_directory(self._config_dir)
        except OSError as error:
            raise RetryLater(f"{self.path.parent}: the folder cannot be made: {error.strerror}") from error
        return acquire_within(self.path.with_suffix(".lock"), _LOCK_S)

    def write(self, entries: Sequence[Entry], mode: Mode) -> None:
        """Keep that all of `entries` is trusted; durable when this returns. The lock is held."""
        files = [
            {key: value for key, value in entry._asdict().items() if value is not None}
            for entry in sorted(entries, key=lambda entry: entry.path)
        ]
        record = {"v": 1, "root": _text(self._root), "mode": mode, "digest": digest_of(entries)}
        write_json_pretty(self.path, {**record, "trusted_at": utc_now_text(), "files": files})

    def remove(self) -> bool:
        """Forget everything, durably; whether there was something. The lock is held."""
        try:
            self.path.unlink()
            sync_directory(self.path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise RetryLater(f"{self.path}: cannot be removed: {error.strerror}") from error
        return True

    def _content(self) -> bytes:
        # Whoever may write the record can trust in the operator's name.
        for path in (self.path.parent, self.path):
            found = path.lstat()
            if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise OSError(f"others may write {path}")
        fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError("it is not a regular file")
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise OSError("it is too big")
        return content


def _text(root: Path) -> str:
    return os.fsencode(root).decode("utf-8", "backslashreplace")
