"""Watching the folder: what changed on disk, as the protocol's events.

Below lie `folder.py` and the notifications of the file system. A notification only says "look": the truth is the
difference between two scans, compared by content. So nothing is told twice, and nothing is missed when notifications
are.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from anyio import CapacityLimiter, to_thread
from watchfiles._rust_notify import RustNotify  # documented: "Rust backend direct usage"

from animus_sdk import ChangeKind, SubjectChangedEvent, SubjectFilter, matches
from animus_subject_files.folder import TaskFolder
from animus_subject_files.names import natural_key
from animus_subject_files.task import Task

__all__ = ["Snapshot", "watch"]

# An editor saves in several steps: a scan in the middle of them would only be repeated.
_QUIET_MS: Final = 40
_AT_MOST_MS: Final = 400
# Network file systems send no notifications, and others may lose them.
_SCAN_ANYWAY_S: Final = 5.0

_log = logging.getLogger("animus_subject_files")


class Snapshot:
    """The tasks as they were last told of; a broken file keeps the last version that could be read."""

    def __init__(self, folder: TaskFolder, wanted: SubjectFilter) -> None:
        self._folder = folder
        self._wanted = wanted
        self._known: dict[str, Task] = folder.scan().tasks

    def changes(self) -> list[SubjectChangedEvent]:
        """What is different from the last time, in the order of ids: of tasks that match now, or did before."""
        scan = self._folder.scan()
        before = self._known
        kept = {task_id: before[task_id] for task_id in before.keys() & scan.broken.keys()}
        self._known = {**scan.tasks, **kept}
        ids = sorted(before.keys() | self._known.keys(), key=natural_key)
        differences = (self._difference(before.get(task_id), self._known.get(task_id)) for task_id in ids)
        return [event for event in differences if event]

    def _difference(self, old: Task | None, new: Task | None) -> SubjectChangedEvent | None:
        subjects = [task.subject for task in (new, old) if task]
        if not any(matches(subject, self._wanted) for subject in subjects) or (
            old and new and old.digest == new.digest
        ):
            return None
        subject, kind, previous = subjects[0], ChangeKind.UPDATED, None
        if new is None:
            kind = ChangeKind.DELETED
        elif old is None:
            kind = ChangeKind.CREATED
        elif old.subject.status is not subject.status:
            kind, previous = ChangeKind.STATUS_CHANGED, old.subject.native_status
        return SubjectChangedEvent(id=subject.id, change_kind=kind, subject=subject, previous_native_status=previous)


class _Subscription:
    """Notifications of the folder, and of the two above it, so that it may be deleted and come back."""

    def __init__(self, folder: Path, scan_anyway_s: float) -> None:
        self._scan_anyway_s = scan_anyway_s
        self._watched = (folder, folder.parent, folder.parent.parent)
        self._folder = f"{folder}{os.sep}"
        self._notify: RustNotify | None = None
        self._identities: list[tuple[int, int] | None] = []
        self._subscribe()

    def wait(self, stop: threading.Event) -> None:
        """Return when the folder may have changed, after `scan_anyway_s` in any case, or when `stop` is set."""
        while not stop.is_set():
            if self._notify is None:
                stop.wait(self._scan_anyway_s)
                self._subscribe()
                return
            found = self._notify.watch(_AT_MOST_MS, _QUIET_MS, int(self._scan_anyway_s * 1000), stop)
            if self._identities != self._now():
                self._subscribe()
                return
            if isinstance(found, str) or any(path.startswith(self._folder) for _, path in found):
                return

    def close(self) -> None:
        """End the notifications; a thread that waits is woken by the `stop` that it was given."""
        if self._notify is not None:
            self._notify.close()

    def _subscribe(self) -> None:
        # Until they are the same before and after: a folder replaced in between would be watched as the old one.
        while self._identities != (now := self._now()) or self._notify is None:
            self._identities = now
            paths = [str(path) for path, identity in zip(self._watched, now, strict=True) if identity]
            try:
                self._notify = RustNotify(paths, False, False, 0, False, False)
            except FileNotFoundError:
                continue  # deleted between the two calls
            except OSError as error:
                self._notify = None
                _log.warning(
                    "%s: no notifications (%s) - looking every %g s instead", self._folder, error, self._scan_anyway_s
                )
                return

    def _now(self) -> list[tuple[int, int] | None]:
        identities: list[tuple[int, int] | None] = []
        for path in self._watched:
            try:
                found = path.stat()
            except OSError:
                identities.append(None)
            else:
                identities.append((found.st_dev, found.st_ino))
        return identities


async def watch(
    folder: TaskFolder, wanted: SubjectFilter, *, scan_anyway_s: float = _SCAN_ANYWAY_S
) -> AsyncGenerator[SubjectChangedEvent, None]:
    """Changes of tasks that match `wanted` or did before the change, until it is cancelled or closed.

    The folder is made if missing, subscribed to and read before the first await; it is read again after `scan_anyway_s`
    without a notification.
    """
    folder.make()
    stop = threading.Event()
    # Before the folder is read: what changes between the two is notified, and the next scan finds it.
    subscription = _Subscription(folder.path, scan_anyway_s)
    snapshot = Snapshot(folder, wanted)
    own_thread = CapacityLimiter(1)  # not the shared one: any number of watches may wait at the same time
    try:
        while True:
            await to_thread.run_sync(subscription.wait, stop, abandon_on_cancel=True, limiter=own_thread)
            for event in await to_thread.run_sync(snapshot.changes):
                yield event
    finally:
        stop.set()
        subscription.close()
