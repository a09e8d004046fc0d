"""The watch itself, as one loop on a thread of its own: wait, survey, compare, record.

Below it lie the modules of each step. The truth is the difference between the files and what the store remembers of
them. Notifications only say when to survey, so that a lost one costs time and no change, and what happened while nobody
watched is a difference like any other.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from animus_sdk import InvalidParams
from animus_trigger_files.changes import compare, describe, rebase
from animus_trigger_files.fingerprint import Fingerprint
from animus_trigger_files.notifications import Notifications
from animus_trigger_files.pace import Pace
from animus_trigger_files.patterns import Selection
from animus_trigger_files.scan import Detail, Identity, Scan, scan
from animus_trigger_files.store import Store, WatchedPaths

__all__ = ["WatchTimings", "WatchedTrigger", "Watcher"]

_log = logging.getLogger("animus_trigger_files")


class WatchTimings(NamedTuple):
    """Seconds between two surveys without a reason; where the system gives no notifications, `poll_s`.

    Notifications may get lost: a change is noticed after `idle_s` then. After `try_again_s` the system is asked for
    notifications again.
    """

    idle_s: float = 30.0
    poll_s: float = 2.0
    try_again_s: float = 60.0


class WatchedTrigger:
    """One trigger, and what the last survey of its files has shown; `debounce_s` in seconds.

    A host that acknowledges nothing must not fill the disk: beyond `max_unacknowledged` events nothing is recorded, and
    what changes meanwhile becomes one event later.
    """

    def __init__(self, trigger_id: str, selection: Selection, debounce_s: float, max_unacknowledged: int = 200) -> None:
        self.id: Final = trigger_id
        self.selection: Final = selection
        self.debounce_s: Final = debounce_s
        self.max_unacknowledged: Final = max_unacknowledged
        self.pace = Pace(debounce_s, time.monotonic())
        self._folders: dict[str, Identity] = {}
        self._unseen: Mapping[str, str] = {}
        self._is_full = False

    @property
    def folders(self) -> Mapping[str, Identity]:
        """The folders that may hold its files, as far as they are known."""
        return self._folders

    @property
    def is_full(self) -> bool:
        """Whether its changes wait until an event is acknowledged."""
        return self._is_full

    def set_full(self, is_full: bool) -> None:
        """Note whether there is room for one more event."""
        self._is_full = is_full

    def add_folders(self, folders: Mapping[str, Identity]) -> None:
        """Folders that a notification has named, before the next survey finds them."""
        self._folders |= folders

    def surveyed(self, found: Scan) -> list[str]:
        """Remember which folders there are and what cannot be seen; what of that is new, as sentences."""
        new = sorted(found.unseen.keys() - self._unseen.keys())
        self._folders, self._unseen = found.folders, found.unseen
        return [f"trigger {self.id}: {path}: {found.unseen[path]} - its files stay as they are known" for path in new]

    def problems(self) -> list[str]:
        """What keeps its changes from being told, as sentences."""
        unseen = [f"trigger {self.id}: {path or '.'}: {reason}" for path, reason in sorted(self._unseen.items())]
        full = f"trigger {self.id}: {self.max_unacknowledged} events are not acknowledged - no more until some are"
        return [*unseen, *([full] if self._is_full else [])]


class Watcher:
    """Watches the files of `triggers` in `root`, a path without symbolic links.

    `on_event` is called from its thread when an event is on the disk.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        triggers: Sequence[WatchedTrigger],
        on_event: Callable[[], object],
        timings: WatchTimings = WatchTimings(),  # noqa: B008 - a tuple of constants
    ) -> None:
        self._root = root
        self._store = store
        self._triggers = triggers
        self._on_event = on_event
        self._timings = timings
        self._notifications = Notifications(root, timings.try_again_s)
        self._stopped = threading.Event()
        self._interrupt = threading.Event()

    def prepare(self, before: Callable[[WatchedPaths], Selection]) -> None:
        """Remember the files of triggers that are new or were given other paths, without telling of them.

        `before` makes the selection out of what a trigger was watched with. What happens from now on is told.
        """
        for trigger in self._triggers:
            watched = WatchedPaths(trigger.selection.paths, trigger.selection.ignore)
            earlier = self._store.watched(trigger.id)
            if earlier == watched:
                continue
            selection = None
            with contextlib.suppress(InvalidParams):  # what was accepted once may lie outside now
                selection = before(earlier) if earlier is not None else None
            found = self._scan(trigger, {}, Detail.STAMPS)
            if found is not None:
                known = self._store.files(trigger.id)
                self._store.begin(trigger.id, watched, rebase(known, found, selection, trigger.selection))
        self._store.forget_others([trigger.id for trigger in self._triggers])

    def run(self) -> None:
        """Until `stop`. Raises InvalidParams for too many files, Unavailable when the disk fails."""
        with contextlib.closing(self._notifications):
            while not self._stopped.is_set():
                self._survey_where_due()
                folders = {path: at for trigger in self._triggers for path, at in trigger.folders.items()}
                if self._notifications.cover(folders):
                    self._moved(None)
                self._wait()

    def stop(self) -> None:
        """Let `run` return at once."""
        self._stopped.set()
        self._interrupt.set()

    def acknowledged(self) -> None:
        """There may be room for an event again."""
        if any(trigger.is_full for trigger in self._triggers):
            self._interrupt.set()

    def problems(self) -> list[str]:
        """What an operator should know, as sentences; empty when all is well."""
        problem = self._notifications.problem
        general = [f"looking every {self._timings.poll_s:g} s, without notifications: {problem}"] if problem else []
        return [*general, *(text for trigger in self._triggers for text in trigger.problems())]

    def _wait(self) -> None:
        due_at = min((trigger.pace.due_at(self._idle_s(trigger)) for trigger in self._triggers), default=None)
        timeout_s = self._timings.idle_s if due_at is None else max(0.0, due_at - time.monotonic())
        moved = self._notifications.wait(timeout_s, self._interrupt)
        if moved is None:
            self._interrupt.clear()
        if moved is None or moved:
            self._moved(moved)

    def _idle_s(self, trigger: WatchedTrigger) -> float:
        without = self._notifications.problem is not None
        return max(self._timings.poll_s, trigger.debounce_s) if without else self._timings.idle_s

    def _moved(self, paths: set[str] | None) -> None:
        """`paths` changed, or None for any: every trigger that this concerns is surveyed after its debounce."""
        now = time.monotonic()
        for trigger in self._triggers:
            selection = trigger.selection
            if paths is None or any(selection.selects(path) or selection.enters(path) for path in paths):
                trigger.pace.moved(now)
                self._cover_new_folders(trigger, paths or set())

    def _cover_new_folders(self, trigger: WatchedTrigger, paths: set[str]) -> None:
        """Before the survey itself, so that what still happens in a new folder starts the debounce again."""
        for path in paths:
            full_path = self._root / path
            is_new = path not in trigger.folders and trigger.selection.enters(path)
            if is_new and full_path.is_dir() and not full_path.is_symlink():
                found = scan(self._root, trigger.selection, {}, Detail.FOLDERS, self._stopped.is_set, path)
                if found is not None:
                    trigger.add_folders(found.folders)

    def _survey_where_due(self) -> None:
        for trigger in self._triggers:
            now = time.monotonic()
            if trigger.pace.due_at(self._idle_s(trigger)) <= now and not self._stopped.is_set():
                trigger.pace.surveyed(now)
                self._survey(trigger)

    def _survey(self, trigger: WatchedTrigger) -> None:
        if self._is_full(trigger):
            trigger.set_full(True)
            if self._is_full(trigger):  # once more: an acknowledgement before the line above has woken nobody
                return  # what changes meanwhile is one difference, and becomes one event when there is room
        trigger.set_full(False)
        known = self._store.files(trigger.id)
        found = self._scan(trigger, known, Detail.CONTENT)
        if found is None:
            return
        for problem in trigger.surveyed(found):
            _log.warning("%s", problem)
        difference = compare(known, found)
        if difference.kept or difference.gone:
            payload = describe(difference.changes) if difference.changes else None
            self._store.record(trigger.id, difference, payload)
            if payload is not None:
                self._on_event()

    def _is_full(self, trigger: WatchedTrigger) -> bool:
        return self._store.unacknowledged(trigger.id) >= trigger.max_unacknowledged

    def _scan(self, trigger: WatchedTrigger, known: Mapping[str, Fingerprint], detail: Detail) -> Scan | None:
        try:
            return scan(self._root, trigger.selection, known, detail, self._stopped.is_set)
        except InvalidParams as error:
            raise InvalidParams(f"trigger {trigger.id}: {error}") from None
