"""`plugins.lock`: what was installed, and the fingerprint that it had then.

Below lie `fingerprint.py` and the store. The file fails closed: who cannot read it has no installed plugin, and gets
an error. Beside it, `plugins.lock.d/` keeps a short hash of each file, so that a change can be named; the digest in
the lock alone decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from animus_core.errors import RetryLater
from animus_core.store.durability import sync_directory
from animus_core.store.json_files import write_json_pretty
from animus_core.store.locks import HeldLock, acquire_within
from animus_core.store.regular_files import read_regular
from animus_core.supply.distributions import how_to_install_again
from animus_core.supply.lock.fingerprint import Fingerprint, changes, fingerprint
from animus_core.supply.names import is_name

__all__ = ["Drift", "LockEntry", "Lockfile", "guard"]

_VERSION: Final = 1
_MAX_BYTES: Final = 4 << 20
_MAX_FILES_BYTES: Final = 64 << 20
_GUARD_S: Final = 10.0  # it is held for a read and two small writes


def _name(name: str) -> str:
    if not is_name(name) or name.startswith("."):
        raise ValueError("cannot be the name of a plugin")
    return name


class LockEntry(BaseModel):
    """One installed plugin. `source` is what the operator typed; `folder` its virtual environment, None without one.

    A `development` install changes as its author works: it is never compared. `installed_at`: RFC 3339, UTC.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    name: Annotated[str, AfterValidator(_name)]
    version: str
    plugin_kind: str
    source: str
    command: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    interpreter: str | None
    installed_at: str
    development: bool = False
    folder: str | None = None


class _Content(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", defer_build=True)

    v: int
    plugins: dict[str, LockEntry]


class Drift(NamedTuple):
    """A plugin has changed since it was installed: `changes` names some of the files, `why` says it in one line."""

    changes: tuple[str, ...]
    why: str
    fix: str


def guard(config_dir: Path, *, timeout_s: float = _GUARD_S) -> HeldLock:
    """The lock under which `plugins.lock` is read and rewritten. Raises Conflict when it is not free in time."""
    try:
        return acquire_within(config_dir / "plugins.lock.guard", timeout_s)
    except FileNotFoundError as error:
        raise RetryLater(f"{config_dir}: there is no such folder", hint="Make it, or set ANIMUS_CONFIG_DIR.") from error


class Lockfile:
    """The lock as it was read. `set` and `remove` read it again under the guard, change that, and know it then."""

    def __init__(self, config_dir: Path, entries: Mapping[str, LockEntry]) -> None:
        self.config_dir = config_dir
        self.entries: Mapping[str, LockEntry] = entries

    @classmethod
    def read(cls, config_dir: Path) -> Lockfile:
        """The lock as it is on the disk, empty without a file. Raises RetryLater for anything else that is wrong."""
        path = config_dir / "plugins.lock"
        try:
            text = read_regular(path, _MAX_BYTES)
        except FileNotFoundError:
            return cls(config_dir, {})
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        try:
            content = json.loads(text)
            version = content.get("v") if isinstance(content, dict) else None
            # Before the models: of a newer file the error says that, and not that it has strange fields.
            if version != _VERSION:
                raise _unreadable(path, f"its format is version {version!r}, this animus knows version {_VERSION}")
            entries = _Content.model_validate(content).plugins
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise _unreadable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise _unreadable(path, f"it is not valid JSON: {error}") from error
        for name, entry in entries.items():
            # Edited by hand, or mixed up: nobody can say which of the two names was locked.
            if entry.name != name:
                raise _unreadable(path, f"plugins.{name}: it is called {entry.name!r} inside")
        return cls(config_dir, entries)

    def get(self, name: str) -> LockEntry | None:
        """The entry called `name`."""
        return self.entries.get(name)

    def set(self, entry: LockEntry, files: Mapping[str, str], *, held: HeldLock | None = None) -> None:
        """Add `entry` or replace the one of its name, durably. `files` are those of its `Fingerprint`.

        Takes the guard unless `held` is it. Raises RetryLater (unreadable, no room) or Conflict (guard not free).
        """
        with self._changing(held) as entries:
            folder = self.config_dir / "plugins.lock.d"
            _make(folder)
            # First: a list of files that no entry has does nothing, an entry without its list could not name a change.
            write_json_pretty(_files_path(self.config_dir, entry), {"v": 1, "name": entry.name, "files": dict(files)})
            entries[entry.name] = entry

    def remove(self, name: str, *, held: HeldLock | None = None) -> LockEntry | None:
        """Take `name` out, durably; the entry that it had. Otherwise as `set`."""
        with self._changing(held) as entries:
            return entries.pop(name, None)

    def verify(self, entry: LockEntry, cache: Path | None = None) -> Drift | None:
        """What has changed since `entry` was installed. Blocking; with a `cache` only what moved is hashed again."""
        if entry.development:
            return None
        try:
            now = fingerprint(entry.command, cache, interpreter=entry.interpreter)
        except RetryLater as error:
            return _drift(entry, (), error.message)
        return self.drift(entry, now)

    def drift(self, entry: LockEntry, now: Fingerprint) -> Drift | None:
        """`verify` for a caller that has the fingerprint already."""
        if entry.development or now.digest == entry.digest:
            return None
        recorded = self._files(entry)
        named = changes(recorded, now.files) if recorded else []
        first, more = (named[:-1], f" (and {named[-1]})") if named and named[-1].endswith(" more") else (named, "")
        which = f": {', '.join(first)}{more}" if first else ""
        return _drift(entry, tuple(named), f"it changed since it was installed{which}")

    @contextlib.contextmanager
    def _changing(self, held: HeldLock | None) -> Iterator[dict[str, LockEntry]]:
        """The entries as they are now, to be changed; written when they were."""
        with contextlib.nullcontext() if held is not None else guard(self.config_dir):
            # Read under the guard, whatever was known before: another process may have installed meanwhile.
            before = dict(Lockfile.read(self.config_dir).entries)
            entries = dict(before)
            yield entries
            if entries != before:
                plugins = {name: entry.model_dump(mode="json") for name, entry in sorted(entries.items())}
                write_json_pretty(self.config_dir / "plugins.lock", {"v": _VERSION, "plugins": plugins})
                # After the lock is written: until then the old entries still need their lists.
                self._sweep(entries)
            self.entries = entries

    def _sweep(self, entries: Mapping[str, LockEntry]) -> None:
        """Remove the lists of files that no entry has any more."""
        used = {_files_path(self.config_dir, entry) for entry in entries.values()}
        with contextlib.suppress(OSError):  # it costs room and nothing else
            for path in (self.config_dir / "plugins.lock.d").iterdir():
                if path not in used:
                    path.unlink()

    def _files(self, entry: LockEntry) -> dict[str, str]:
        """The files as they were at the installation; none when nobody knows."""
        try:
            content = json.loads(read_regular(_files_path(self.config_dir, entry), _MAX_FILES_BYTES))
            return {str(path): str(what) for path, what in content["files"].items()}
        # The list only names what changed; without it a drift is a drift all the same.
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}


def _files_path(config_dir: Path, entry: LockEntry) -> Path:
    name = entry.name if entry.name.isascii() else hashlib.sha256(entry.name.encode()).hexdigest()
    return config_dir / "plugins.lock.d" / f"{name}-{entry.digest[:12]}.json"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
        sync_directory(folder.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise RetryLater(f"{folder}: the folder cannot be made: {error.strerror}", hint="Is there room?") from error


def _unreadable(path: Path, why: str) -> RetryLater:
    return RetryLater(
        f"{path}: cannot be read: {why}",
        hint=f"No installed plugin is used until then. Restore it, or install again after: mv {path} {path}.broken",
    )


def _drift(entry: LockEntry, named: tuple[str, ...], why: str) -> Drift:
    fix = f"{how_to_install_again(entry.source)}  (or: animus plugin doctor)"
    return Drift(named, why, fix)
