"""Batches into the log: each one whole or not at all, each id once, and the files rotated on the way.

It has one thread for itself; below lie `opening.py`, `current_file.py`, `files.py` and `index.py`. Batches that wait
are written one after the other and then committed together: one wait for the disk serves all. Until then no reader sees
them, and where the commit fails all of them are cut off again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from animus_log_jsonl.current_file import CurrentFile
from animus_log_jsonl.damage import Damage
from animus_log_jsonl.files import LogFiles, Position
from animus_log_jsonl.index import Fact, LogIndex, fact_of
from animus_log_jsonl.lines import encode_entry, join_batch
from animus_log_jsonl.opening import Opener
from animus_log_jsonl.settings import Fsync, LogSettings
from animus_sdk import LogEntry, RpcError, Unavailable
from animus_sdk.crash_points import declare, reach

__all__ = ["Batch", "LogWriter"]

_COMMITTED: Final = declare("log-jsonl.committed", "a batch is stored, nobody has been told")
_RENAMED: Final = declare("log-jsonl.renamed", "the full file has its number, the next one is not made")

_log = logging.getLogger("animus_log_jsonl")


class Batch:
    """Entries on their way; `outcome` is the count of those that were new, or the error."""

    def __init__(self, entries: Sequence[LogEntry]) -> None:
        self.entries: Final = entries
        self.outcome: Final[Future[int]] = Future()


class LogWriter:
    """Owns the file that is written. `on_commit` is called after entries have become visible.

    Opening it fixes the file, brings the index up to date and applies retention. Raises OSError and sqlite3.Error.
    """

    def __init__(
        self,
        files: LogFiles,
        index: LogIndex,
        damage: Damage,
        settings: LogSettings,
        on_commit: Callable[[], None],
    ) -> None:
        self._files = files
        self._index = index
        self._damage = damage
        self._settings = settings
        self._opener = Opener(files, index, damage, settings)
        self._on_commit = on_commit
        self._written: list[tuple[Batch, int]] = []  # not committed; with the count of their new entries
        self._facts: dict[bytes, Fact] = {}  # of the entries in them, by the digest of the id
        self._needs_sync = False
        self._file: CurrentFile | None = None
        self._current()

    def store(self, batches: Sequence[Batch]) -> None:
        """Write and commit; every outcome is set when this returns."""
        for batch in batches:
            if not batch.outcome.set_running_or_notify_cancel():
                continue  # its host has given it up
            try:
                new = self._write(batch.entries)  # may commit what was written before, so it comes first
            except RpcError as error:
                batch.outcome.set_exception(error)
            except (OSError, sqlite3.Error) as error:
                batch.outcome.set_exception(self._failure(error))
            else:
                self._written.append((batch, new))
        self._commit()

    def sync(self) -> None:
        """Force onto the disk what was written without waiting; a failure degrades the plugin's health."""
        if not self._needs_sync or self._file is None:
            return
        try:
            self._file.sync()
        except OSError as error:
            self._failure(error)
        else:
            self._needs_sync = False
            self._damage.succeeded("write")

    def close(self) -> None:
        """Give the file back; what was written is on the disk then, unless the operator chose `never`."""
        self.sync()
        self._let_go()

    def _write(self, entries: Sequence[LogEntry]) -> int:
        # Only with the first batch of a commit: another file would lose those that are written and not committed.
        if not self._facts:
            self._check_file()
            self._current()
        new: dict[bytes, tuple[Fact, bytes]] = {}
        for entry in entries:
            fact = fact_of(entry)
            digest = fact.digest
            if not (digest in new or digest in self._facts or self._index.holds(digest)):
                new[digest] = fact, encode_entry(entry)
        if new:
            lines = join_batch([line for _, line in new.values()])
            self._file_with_room(len(lines)).append(lines)
            self._facts.update((digest, fact) for digest, (fact, _) in new.items())
        return len(new)

    def _file_with_room(self, size_bytes: int) -> CurrentFile:
        """The file, with room for so much: a batch is never split between files."""
        file = self._current()
        if file.size_bytes and file.size_bytes + size_bytes > self._settings.rotate_bytes:
            failure = self._commit()
            if failure is not None:
                raise failure  # an entry of this batch may have counted as stored with those that failed
            self._rotate(file)
        return self._current()

    def _current(self) -> CurrentFile:
        if self._file is None:
            self._file = self._opener.open()
        return self._file

    def _commit(self) -> Unavailable | None:
        """Make what was written durable and visible, or take it back and tell why."""
        written, self._written = self._written, []
        facts, self._facts = self._facts, {}
        if facts and self._file is not None:
            end = Position(self._files.end.number, self._file.size_bytes)
            try:
                # The disk before the index: an id in the index whose entry is lost would never be stored again.
                if self._settings.fsync is Fsync.ALWAYS:
                    self._file.sync()
                self._index.add(facts.values(), end)
            except (OSError, sqlite3.Error) as error:
                failure = self._failure(error)
                self._take_back(self._file)
                for batch, _ in written:
                    batch.outcome.set_exception(failure)
                return failure
            reach(_COMMITTED)
            self._needs_sync = self._settings.fsync is Fsync.INTERVAL
            self._damage.succeeded("write")
            self._files.commit(end.offset)
        for batch, new in written:
            batch.outcome.set_result(new)
        self._on_commit()
        return None

    def _take_back(self, file: CurrentFile) -> None:
        try:
            file.cut_back(self._files.end.offset)
        except OSError as error:
            self._failure(error)  # the file stays unclean, and the next batch tries again first

    def _rotate(self, file: CurrentFile) -> None:
        try:
            if self._settings.fsync is not Fsync.NEVER:
                file.sync()
            self._files.rotate()
        except OSError as error:
            problem = f"{self._files.path}: it cannot be renamed: {error.strerror} - it grows until that is fixed"
            self._damage.failed("rotation", problem)
            return
        reach(_RENAMED)
        self._damage.succeeded("rotation")
        self._let_go()

    def _check_file(self) -> None:
        """Let go of a file that somebody has moved, deleted, shortened or lengthened: it is opened anew."""
        if self._file is None:
            return
        if not self._file.is_in_place():
            _log.warning("%s: somebody has moved, deleted or shortened it - going on with a new file", self._files.path)
            self._files.begin_anew()
            self._let_go()
        elif self._file.has_grown():
            _log.warning("%s: somebody else has written to it - taking whole lines in", self._files.path)
            self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _failure(self, error: Exception) -> Unavailable:
        reason = error.strerror if isinstance(error, OSError) else f"its index of ids: {error}"
        problem = f"{self._files.path}: it cannot be written: {reason} - make room or fix the folder, then retry"
        self._damage.failed("write", problem)
        return Unavailable(problem)
