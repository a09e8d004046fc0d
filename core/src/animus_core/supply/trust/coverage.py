"""What of a repository's `.animus/` is executed or decides what is: every path that trust covers, and its content.

Below it lies the file system. A path is looked at before it is opened, and only regular files are ever opened, so that
nothing in a hostile folder can hang or trigger anything. Links are followed as whoever runs the file will follow them;
what cannot be read, or is too much, is a problem that forbids trust.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from animus_core.terminal import escape_unprintable

__all__ = ["DATA_FOLDERS", "FOLDER", "Bounds", "CoveredPath", "Entry", "Reader", "Survey", "digest_of", "survey"]

FOLDER: Final = ".animus"
DATA_FOLDERS: Final = frozenset({"tasks", "requirements"})
"""Folders of `.animus/` that people and agents fill with texts: only files that can be executed are covered there."""

_MiB: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 18
_LEADS_NOWHERE: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.ENOTDIR})


class Bounds(NamedTuple):
    """How much is looked at; beyond it nothing is trusted. `seen` also counts folders and files that are data.

    What was read of a file is believed once it has rested for `settled_ns`: it may change twice within one tick of the
    clock that its time of change is taken from.
    """

    # A check looks at each path at every tick of the daemon.
    files: int = 10_000
    size_bytes: int = 256 * _MiB
    seen: int = 200_000
    # Texts are kept in the record, so that a change can be shown (docs/adr/0006).
    text_bytes: int = 64 << 10
    all_texts_bytes: int = 8 * _MiB
    settled_ns: int = 2_000_000_000  # the coarsest clock of a file system in use (FAT: 2 s)


class CoveredPath(NamedTuple):
    """A covered path as `stat` describes it. `name` is relative to `.animus/` and fit for a terminal.

    `kind`: file, link (leads nowhere), folder (linked), loop (a link to a folder above it), special.
    """

    name: str
    path: str
    kind: str
    executable: bool
    target: str | None
    signature: tuple[int, ...]
    size_bytes: int
    changed_ns: int


class Survey(NamedTuple):
    """All covered paths, sorted by name, and why they cannot be trusted, if so. Two equal ones saw the same files."""

    found: tuple[CoveredPath, ...]
    problems: tuple[str, ...]


class Entry(NamedTuple):
    """A covered path with its content's hash; `text` is kept of small texts, so that a change can be shown."""

    path: str
    kind: str
    executable: bool
    target: str | None
    sha256: str
    size_bytes: int
    text: str | None


class _Ancestors(NamedTuple):
    identity: tuple[int, int]
    above: _Ancestors | None

    def hold(self, identity: tuple[int, int]) -> bool:
        at: _Ancestors | None = self
        while at is not None:
            if at.identity == identity:
                return True
            at = at.above
        return False


class _Place(NamedTuple):
    """Where the walk is: `data` is inherited by all that lies below, `ancestors` are the folders above."""

    path: str
    name: str
    data: bool
    ancestors: _Ancestors | None

    def below(self, name: str) -> _Place:
        # Backslashes first: a name that holds a text like `\x1b` must not look like one that was escaped.
        shown = escape_unprintable(name.replace("\\", "\\\\"))
        data = self.data or (not self.name and name in DATA_FOLDERS)
        return _Place(os.path.join(self.path, name), os.path.join(self.name, shown), data, self.ancestors)


def survey(project_root: Path, bounds: Bounds) -> Survey:
    """Look at everything that is covered, without opening a file."""
    walk = _Walk(bounds)
    walk.visit(_Place(os.path.join(project_root, FOLDER), "", False, None))
    while walk.folders and not walk.full:
        walk.enter(walk.folders.pop())
    return Survey(tuple(sorted(walk.found)), tuple(walk.problems))


class _Walk:
    """One walk through the folder; `folders` are those still to be listed."""

    def __init__(self, bounds: Bounds) -> None:
        self.found: list[CoveredPath] = []
        self.problems: list[str] = []
        self.folders: list[_Place] = []
        self.full = False
        self._bounds = bounds
        self._seen = 0
        self._size_bytes = 0

    def enter(self, folder: _Place) -> None:
        """Visit everything in a folder."""
        try:
            with os.scandir(folder.path) as names:
                for one in names:
                    self._seen += 1
                    if self._seen > self._bounds.seen:
                        self._overflow(f"more than {self._bounds.seen:,} paths")
                    if self.full:
                        return
                    self.visit(folder.below(one.name))
        except OSError as error:
            self._unreadable(folder, error)

    def visit(self, place: _Place) -> None:
        """Note one path, or the folder that is there, for later."""
        target: str | None = None
        try:
            stat_result = link = os.lstat(place.path)
            if stat.S_ISLNK(link.st_mode):
                target = escape_unprintable(os.readlink(place.path).replace("\\", "\\\\"))
                stat_result = os.stat(place.path)
        except OSError as error:
            if target is not None and error.errno in _LEADS_NOWHERE:
                self._note(place, "link", target, (link, link))
            elif error.errno != errno.ENOENT:  # whatever has gone meanwhile is not there to be executed
                self._unreadable(place, error)
            return
        kind = _kind(stat_result.st_mode)
        if kind == "folder":
            identity = (stat_result.st_dev, stat_result.st_ino)
            # Only a circle is cut: a folder that is reached in two ways is executed under both names.
            if target is not None and place.ancestors is not None and place.ancestors.hold(identity):
                kind = "loop"
            else:
                self.folders.append(place._replace(ancestors=_Ancestors(identity, place.ancestors)))
                if target is None:
                    return
        self._note(place, kind, target, (link, stat_result))

    def _note(self, place: _Place, kind: str, target: str | None, stats: tuple[os.stat_result, os.stat_result]) -> None:
        link, stat_result = stats
        executable = kind == "file" and bool(stat_result.st_mode & 0o111)
        # Whoever works on tasks writes here all the time; a text that nobody can execute decides nothing.
        if place.data and not executable:
            return
        size_bytes = stat_result.st_size if kind == "file" else 0
        changed_ns = max(link.st_ctime_ns, stat_result.st_ctime_ns)
        name = place.name or "."
        found = CoveredPath(
            name,
            place.path,
            kind,
            executable,
            target,
            _signature(link) + _signature(stat_result),
            size_bytes,
            changed_ns,
        )
        self.found.append(found)
        self._size_bytes += size_bytes
        if len(self.found) > self._bounds.files:
            self._overflow(f"more than {self._bounds.files:,} files")
        elif self._size_bytes > self._bounds.size_bytes:
            self._overflow(f"more than {self._bounds.size_bytes // _MiB:,} MiB")

    def _unreadable(self, place: _Place, error: OSError) -> None:
        self.problems.append(f"{FOLDER}/{place.name}: cannot be read: {error.strerror}")

    def _overflow(self, what: str) -> None:
        self.problems.append(f"{FOLDER}/ has {what}: too much to look through")
        self.full = True


class Reader:
    """Reads what a survey found, and remembers the content of what has not moved since."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._known: dict[str, tuple[CoveredPath, Entry, int]] = {}

    def read(self, found: Iterable[CoveredPath]) -> tuple[list[Entry], list[str]]:
        """The entries, and one problem for each file that cannot be read as it was found."""
        entries: list[Entry] = []
        problems: list[str] = []
        known: dict[str, tuple[CoveredPath, Entry, int]] = {}
        texts_bytes = 0
        for one in found:
            entry, at_ns = self._entry(one, problems)
            if entry is None:
                continue
            if entry.text is not None:
                texts_bytes += entry.size_bytes
                if texts_bytes > self._bounds.all_texts_bytes:
                    entry = entry._replace(text=None)
            known[one.name] = (one, entry, at_ns)
            entries.append(entry)
        self._known = known
        return entries, problems

    def _entry(self, found: CoveredPath, problems: list[str]) -> tuple[Entry | None, int]:
        if found.kind != "file":
            return Entry(found.name, found.kind, False, found.target, "", 0, None), 0
        known = self._known.get(found.name)
        settled_ns = self._bounds.settled_ns
        if known is not None and known[0] == found and known[2] - found.changed_ns > settled_ns:
            return known[1], known[2]
        at_ns = time.time_ns()
        try:
            sha256, text = _content(found, self._bounds.text_bytes)
        except OSError as error:
            problems.append(f"{FOLDER}/{found.name}: cannot be read: {error.strerror or error}")
            return None, at_ns
        return Entry(found.name, "file", found.executable, found.target, sha256, found.size_bytes, text), at_ns


def digest_of(entries: Iterable[Entry]) -> str:
    """One hash over everything that decides what is executed."""
    # Without sizes and texts: the hash has both, and a bound on the kept texts must not end a trust.
    rows = sorted([e.path, e.kind, e.executable, e.target, e.sha256] for e in entries)
    return hashlib.sha256(json.dumps(["animus-trust-1", rows]).encode()).hexdigest()


def _content(found: CoveredPath, text_bytes: int) -> tuple[str, str | None]:
    """The hash of the file and its text. Raises OSError, also when it is not the file that was found."""
    # Without O_NONBLOCK a pipe that has just taken the file's place would hang.
    fd = os.open(found.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not found.signature[-_SIGNED:] == _signature(os.fstat(fd)):
            raise OSError("it changes while it is read")
        digest, size_bytes, head = hashlib.sha256(), 0, b""
        while chunk := os.read(fd, _CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
            # It grows: reading on might never end.
            if size_bytes > found.size_bytes:
                break
            if found.size_bytes <= text_bytes:
                head += chunk
        if size_bytes != found.size_bytes or found.signature[-_SIGNED:] != _signature(os.fstat(fd)):
            raise OSError("it changes while it is read")
    finally:
        os.close(fd)
    if found.size_bytes > text_bytes or b"\0" in head:
        return digest.hexdigest(), None
    try:
        return digest.hexdigest(), head.decode()
    except UnicodeDecodeError:
        return digest.hexdigest(), None


_SIGNED: Final = 7


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return (
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_uid,
    )


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "special"
