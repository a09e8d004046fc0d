"""Writing a journal: one owner, one append a record, and never a torn line that a reader could take for a record.

The runner writes its run's journal and the agent-runner its session spools, each under the lock that it holds; below
lie `record`, the reader that checks what is there already, and the kernel.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import Conflict, RetryLater
from animus_core.journal.reader import read_from
from animus_core.journal.record import CorruptRecord, JournalRecord, encode
from animus_core.store.clock import utc_now_text
from animus_core.store.durability import sync_data, sync_directory
from animus_core.store.locks import HeldLock
from animus_protocol.crash_points import declare, reach

__all__ = [
    "AppendRetries",
    "JournalBroken",
    "JournalFull",
    "JournalUnopened",
    "JournalWriter",
    "Position",
    "StaleEpoch",
]

APPENDED: Final = declare("journal.appended", "a line was written to the journal and is not flushed yet")
SYNCED: Final = declare("journal.synced", "the journal was flushed and the caller does not know yet")


class AppendRetries(NamedTuple):
    """How often a runner tries to append where there is no room before its run is blocked, and seconds between two."""

    tries: int = 10
    wait_s: float = 1.0


class StaleEpoch(Conflict):
    """Somebody with a higher epoch has written the journal: the caller is no longer its owner."""


class Position(NamedTuple):
    """Where a record ends (byte offset into the file, for `read_from`) and its sequence number."""

    offset_end: int
    seq: int


class JournalFull(RetryLater):
    """The file took no (more) records: no room, a quota, a size limit or an I/O error. Append again once fixed.

    `appended` are the positions of the first records of an `append_many` that did reach the file; they stay there and
    must not be appended again. Nothing else of the call is in the file.
    """

    def __init__(self, path: Path, reason: str, appended: Sequence[Position] = ()) -> None:
        super().__init__(
            f"{path}: the journal cannot be written: {reason}",
            hint="Make room on that file system (or raise the quota or file size limit), then resume the run.",
            details={"path": str(path), "reason": reason, "appended": len(appended)},
        )
        self.appended: Final = tuple(appended)


class JournalUnopened(RetryLater):
    """The file cannot be opened, or not be made ready to append to."""


class JournalBroken(RetryLater):
    """A flush failed: what was written since the last one may be lost, and this writer refuses everything."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: the journal could not be flushed to the disk: {reason}",
            hint="Check the disk, then end this process; a recovery opens the journal anew.",
            details={"path": str(path), "reason": reason},
        )


class JournalWriter:
    """The only writer of one journal, for as long as its process holds the lock that guards it.

    Any thread may call it; calls take their turn. It does not own the lock and never closes it.
    """

    def __init__(self, fd: int, path: Path, run: str, epoch: int, last: Position) -> None:
        self._fd = fd
        self._path = path
        self.run: Final = run
        self.epoch: Final = epoch
        self._last = last
        self._torn = False
        self._broken: str | None = None
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: Path, run: str, epoch: int, *, held: HeldLock) -> JournalWriter:
        """Open the journal of `run`, made (0600) where it is missing, to append as the owner `epoch`.

        `held` is the lock that guards it, as proof of ownership. Reads through all that is there, cuts off an
        incomplete last line (and nothing else), and flushes what a previous owner left. Raises CorruptRecord for a
        damaged line or another run's journal, StaleEpoch, Conflict if the lock was given up, JournalUnreadable or
        JournalUnopened for the file itself.
        """
        _ = held.fd
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise JournalUnopened(f"{path}: the journal cannot be opened: {error.strerror}") from error
        try:
            last = _check(path, run, epoch)
            _tidy(fd, path, last.offset_end)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd, path, run, epoch, last)

    @property
    def position(self) -> Position:
        """Where the last record ends; `(0, 0)` in an empty journal."""
        return self._last

    def append(self, kind: str, data: Mapping[str, Any], *, sync: bool) -> Position:
        """Append one record in one write; with `sync` it is on the disk when this returns.

        Raises InvalidInput for a record that does not fit the format, JournalFull (nothing was appended, try again
        once there is room), JournalBroken (end the process). A record of a failed flush stays in the file.
        """
        return self.append_many([(kind, data)], sync=sync)[0]

    def append_many(self, records: Sequence[tuple[str, Mapping[str, Any]]], *, sync: bool) -> list[Position]:
        """Append `(kind, data)` records in one write; with `sync`, one flush for all. Raises what `append` raises.

        If only the first of them fit, those are kept, since a reader may have seen them: `JournalFull.appended`.
        """
        with self._turn:
            self._repair()
            lines, positions = self._encode(records)
            if lines:
                self._write(lines, positions, sync)
            if sync:
                self._sync()
        return positions

    def sync(self) -> None:
        """Return once everything that was appended is on the disk; raises JournalBroken."""
        with self._turn:
            self._repair()
            self._sync()

    def close(self) -> None:
        """Close the file without flushing; the lock stays held. Closing twice is fine."""
        with self._turn:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _encode(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[list[bytes], list[Position]]:
        at = utc_now_text()
        lines, positions = [], []
        end, seq = self._last
        for kind, data in records:
            seq += 1
            line = encode(JournalRecord(self.run, self.epoch, seq, kind, at, dict(data)))
            end += len(line)
            lines.append(line)
            positions.append(Position(end, seq))
        return lines, positions

    def _write(self, lines: list[bytes], positions: list[Position], sync: bool) -> None:
        content = b"".join(lines)
        written = 0
        try:
            written = os.write(self._fd, content)
            reason = f"only {written} of {len(content)} bytes had room"
        except OSError as error:
            reason = error.strerror or str(error)
        if written == len(content):
            self._last = positions[-1]
            reach(APPENDED)
            return
        before = self._last.offset_end
        kept = [position for position in positions if position.offset_end <= before + written]
        if kept:
            self._last = kept[-1]
        self._torn = True
        try:
            self._repair()
        finally:
            if kept and sync:
                self._sync()
        raise JournalFull(self._path, reason, kept)

    def _repair(self) -> None:
        """Make sure that the file ends with a complete line before anything is appended to it."""
        if self._fd < 0:
            raise Conflict(f"{self._path}: this journal writer is closed")
        if self._broken is not None:
            raise JournalBroken(self._path, self._broken)
        if not self._torn:
            return
        try:
            if os.fstat(self._fd).st_size != self._last.offset_end:
                os.ftruncate(self._fd, self._last.offset_end)
        except OSError as error:
            raise JournalFull(self._path, f"an incomplete line could not be cut off: {error.strerror}") from error
        self._torn = False

    def _sync(self) -> None:
        try:
            sync_data(self._fd)
        except OSError as error:
            # The kernel may drop the pages and report success the next time, so flushing is not tried again.
            self._broken = error.strerror or str(error)
            raise JournalBroken(self._path, self._broken) from error
        reach(SYNCED)


def _check(path: Path, run: str, epoch: int) -> Position:
    """Verify what is there; returns the last record's position."""
    last = Position(0, 0)
    while True:
        batch = read_from(path, last.offset_end, expected_seq=last.seq + 1)
        if not batch.records:
            return last
        found = batch.records[-1]
        if found.run != run:
            raise CorruptRecord(path, found.seq, f"this is the journal of run {found.run!r}, not of {run!r}")
        if found.epoch > epoch:
            raise StaleEpoch(
                f"{path}:{found.seq}: epoch {found.epoch} has written here, epoch {epoch} may not any more",
                hint="Another runner owns this run; this one must end.",
                details={"path": str(path), "epoch": epoch, "seen": found.epoch},
            )
        last = Position(batch.next_offset, found.seq)


def _tidy(fd: int, path: Path, end: int) -> None:
    try:
        if os.fstat(fd).st_size != end:
            os.ftruncate(fd, end)
        # What the previous owner left is acted upon from now on, so it has to survive a power loss as well; and a
        # journal without records may be one whose name never reached the disk.
        sync_data(fd)
        if end == 0:
            sync_directory(path.parent)
    except OSError as error:
        raise JournalUnopened(f"{path}: the journal cannot be prepared: {error.strerror}") from error
