"""Ownership as a lock that the kernel holds: held means alive, free means dead.

The daemon's singleton, each run, each attempt and the agent-runner have one. The lock belongs to the open file
description, which a child inherits: it is free once the last descriptor of it is closed, by whatever means, and nobody
ever unlocks. The file is never deleted; what stands in it is for people. Below lies `flock`.

A probe must not disturb taking. `is_held` tries a *shared* lock and drops it at once, so probes never disturb each
other, and `acquire` can tell a probe from an owner: where the exclusive lock is refused but a shared one is granted, no
owner exists, and it tries again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_core.errors import Conflict, RetryLater
from animus_core.store.clock import utc_now_text
from animus_core.store.process_identity import ProcessIdentity, own_identity

__all__ = ["HeldLock", "Holder", "acquire", "acquire_within", "from_inherited", "is_held", "read_holder", "wait_free"]

_PROBES_DEADLINE_S: Final = 2.0
"""A probe holds its shared lock for microseconds: whoever meets one for so long meets a program that hangs in it."""
_FIRST_POLL_S: Final = 0.001
_LONGEST_POLL_S: Final = 0.05
"""Few enough wake-ups to wait for minutes, and no delay that a person would notice."""
_HOLDER_BYTES: Final = 4096  # the line has about 150 bytes; whatever else stands there is not ours


class Holder(NamedTuple):
    """What the last holder of a lock wrote about itself, for display: `at` is when, `epoch` the run's where it has one.

    It is not proved: whoever may write the file may have written it.
    """

    identity: ProcessIdentity
    at: str
    epoch: int | None

    @property
    def pid(self) -> int:
        """Its number, for people."""
        return self.identity.pid

    def to_json(self) -> dict[str, Any]:
        """The line of the file."""
        epoch = {} if self.epoch is None else {"epoch": self.epoch}
        return {**self.identity._asdict(), **epoch, "at": self.at}


class HeldLock:
    """A lock that this process holds, from `acquire` or `from_inherited`; `close` gives up this process's copy."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self.path: Final = path

    @property
    def fd(self) -> int:
        """The descriptor; raises Conflict once this copy is closed."""
        if self._fd < 0:
            raise Conflict(f"{self.path}: this process has given the lock up", hint="Acquire it again.")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether this process has given its copy up."""
        return self._fd < 0

    def inheritable_fd(self) -> int:
        """The descriptor to hand to a child, through `pass_fds` of subprocess or SCM_RIGHTS.

        It stays close-on-exec in this process: the two ways lift that for the one child only, so that no other child
        that is started at the same moment keeps the lock by accident.
        """
        return self.fd

    def describe(self, *, epoch: int | None = None) -> None:
        """Write who holds the lock into the file: `{pid, boot_id, starttime, epoch?, at}`."""
        holder = Holder(own_identity(), utc_now_text(), epoch)
        line = json.dumps(holder.to_json(), separators=(",", ":")).encode() + b"\n"
        try:
            # Written first and cut after: a reader in between sees a whole first line, and reads no further.
            os.pwrite(self.fd, line, 0)
            os.ftruncate(self.fd, len(line))
        except OSError:
            # The line informs people only: a full disk must not keep anybody from holding a lock.
            return

    def close(self) -> None:
        """Close this process's copy; the lock is free when no inherited copy is left. Closing twice is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def acquire(path: Path, *, epoch: int | None = None) -> HeldLock | None:
    """Take the lock at `path` without waiting for its owner; None means that somebody owns it.

    Makes the file (0600) where it is missing, in a directory that exists. Raises RetryLater if the file cannot be
    opened or locked, or if probes keep it busy for 2 s without pause.
    """
    deadline = time.monotonic() + _PROBES_DEADLINE_S
    while True:
        fd = _open(path, os.O_RDWR | os.O_CREAT)
        try:
            if not _lock(fd, fcntl.LOCK_EX, path):
                # Not even shared: an owner has it. Shared goes through: only probes were in the way, so try again.
                if not _lock(fd, fcntl.LOCK_SH, path):
                    return None
            # A lock on a file that was moved or deleted since it was opened excludes nobody: then open again.
            elif _is_file_at(fd, path):
                held = HeldLock(fd, path)
                fd = -1
                held.describe(epoch=epoch)
                return held
        finally:
            if fd >= 0:
                os.close(fd)
        if time.monotonic() >= deadline:
            raise RetryLater(
                f"{path}: nobody owns this lock, but it is being looked at without pause",
                hint="Find the process that keeps the file open (lsof, fuser) and end it.",
            )
        # Between 0 and 2 ms, so that two who try at the same time do not meet again and again.
        threading.Event().wait(os.urandom(1)[0] / 128_000)


def acquire_within(path: Path, timeout_s: float, *, epoch: int | None = None) -> HeldLock:
    """Take the lock at `path`, waiting up to `timeout_s` seconds for its owner; raises Conflict after that."""
    deadline = time.monotonic() + timeout_s
    while True:
        held = acquire(path, epoch=epoch)
        if held is not None:
            return held
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not wait_free(path, left_s):
            holder = read_holder(path)
            raise Conflict(
                f"{path}: still held by {_holder_text(path)} after {timeout_s:g} s",
                hint="Wait for that process to finish, or end it.",
                details=None if holder is None else holder.to_json(),
            )


def from_inherited(fd: int, path: Path) -> HeldLock:
    """The lock that a parent took and handed over as descriptor `fd`; it is kept from this process's own children.

    Raises Conflict unless `fd` is the file at `path` and really owns its lock.
    """
    try:
        same = _is_file_at(fd, path)
    except OSError as error:
        raise Conflict(f"{path}: inherited descriptor {fd} is not usable: {error.strerror}") from error
    if not same:
        raise Conflict(f"{path}: inherited descriptor {fd} is another file", hint="Pass the lock's own descriptor.")
    # Somebody owns it, and locking through this descriptor again is granted: so it is this one that owns it.
    if not is_held(path) or not _lock(fd, fcntl.LOCK_EX, path):
        raise Conflict(
            f"{path}: inherited descriptor {fd} does not own the lock ({_holder_text(path)})",
            hint="The parent must acquire the lock and pass that very descriptor on.",
        )
    # The lock is this process's own: a child that kept the descriptor would hold it after our death.
    os.set_inheritable(fd, False)
    return HeldLock(fd, path)


def is_held(path: Path) -> bool:
    """Whether anybody owns the lock at `path` now; a missing file is a free lock."""
    try:
        fd = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(fd, fcntl.LOCK_SH, path)
    finally:
        os.close(fd)


def wait_free(path: Path, timeout_s: float, *, stop: threading.Event | None = None) -> bool:
    """Whether the lock at `path` becomes free within `timeout_s` seconds; False too once `stop` is set.

    Blocks its thread and probes at growing intervals of 1 to 50 ms: a blocking flock could not be called off. `stop`
    lets an async caller that runs this in a thread end it early.
    """
    wakeup = stop or threading.Event()
    deadline = time.monotonic() + timeout_s
    poll_s = _FIRST_POLL_S
    while is_held(path):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or wakeup.wait(min(poll_s, left_s)):
            return False
        poll_s = min(poll_s * 2, _LONGEST_POLL_S)
    return True


def read_holder(path: Path) -> Holder | None:
    """What the last holder wrote about itself, for display; None where nothing readable stands there."""
    try:
        fd = _open(path, os.O_RDONLY)
    except (FileNotFoundError, RetryLater):
        return None
    try:
        fields = json.loads(os.pread(fd, _HOLDER_BYTES, 0).partition(b"\n")[0])
        identity = ProcessIdentity(int(fields["pid"]), str(fields["boot_id"]), str(fields["starttime"]))
        epoch = fields.get("epoch")
        return Holder(identity, str(fields.get("at", "")), None if epoch is None else int(epoch))
    # Whatever else stands there: it has to be a line of ours, or it names nobody.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    finally:
        os.close(fd)


def _open(path: Path, flags: int) -> int:
    try:
        # NOFOLLOW: `describe` writes into the file, and through a link that would be somebody else's.
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RetryLater(
            f"{path}: the lock file cannot be opened: {error.strerror}",
            hint="It must be a plain file of yours in a directory that you may write to.",
        ) from error


def _lock(fd: int, kind: int, path: Path) -> bool:
    try:
        # Not fcntl's own locks: no child inherits those, and any close() of the file drops them.
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            return False
        raise RetryLater(
            f"{path}: the file system refuses to lock: {error.strerror}",
            hint="Set ANIMUS_CONFIG_DIR to a directory on a local file system.",
        ) from error
    return True


def _is_file_at(fd: int, path: Path) -> bool:
    """Whether `fd` is the file that stands at `path` now, and not one that was moved or deleted."""
    mine = os.fstat(fd)
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _holder_text(path: Path) -> str:
    holder = read_holder(path)
    return "an unknown process" if holder is None else f"pid {holder.pid}"
