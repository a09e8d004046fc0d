"""The watcher at its limits, on a thread of the test: real files and a real store, small bounds."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from animus_sdk import InvalidParams, Unavailable
from animus_trigger_files import notifications
from animus_trigger_files.patterns import Selection
from animus_trigger_files.store import RecordedEvent, Store
from animus_trigger_files.watcher import WatchedTrigger, Watcher, WatchTimings

from .conftest import DEADLINE_S, put

PATIENT = WatchTimings(idle_s=3600.0)
"""No look is due to the time alone."""


class Limits(NamedTuple):
    """What a watcher of a test is given."""

    debounce_s: float = 0
    max_files: int = 200
    max_unacknowledged: int = 200
    timings: WatchTimings = PATIENT


class Watching:
    """A watcher that runs, and the events in its store."""

    def __init__(self, root: Path, store: Store, limits: Limits = Limits()) -> None:  # noqa: B008 - constants
        self.store = store
        self._news: queue.Queue[None] = queue.Queue()
        self._selection = Selection(root, ["src"], [], max_files=limits.max_files)
        triggers = [WatchedTrigger("t", self._selection, limits.debounce_s, limits.max_unacknowledged)]
        self.watcher = Watcher(root, store, triggers, lambda: self._news.put(None), limits.timings)
        self.watcher.prepare(lambda _: self._selection)

    def event(self, after: int) -> RecordedEvent:
        while (event := self.store.next_event(after)) is None:
            self._news.get(timeout=DEADLINE_S)
        return event


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "state")
    yield made
    made.close()


@contextmanager
def watching(root: Path, store: Store, limits: Limits = Limits()) -> Iterator[Watching]:  # noqa: B008 - constants
    one = Watching(root, store, limits)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(one.watcher.run)
        try:
            yield one
        finally:
            one.watcher.stop()
        running.result(DEADLINE_S)


class Waits(NamedTuple):
    """When the watcher began to wait for notifications, and what each wait has brought."""

    begun: queue.Queue[None]
    moved: queue.Queue[set[str] | None]

    def until(self, path: str) -> None:
        while path not in (self.moved.get(timeout=DEADLINE_S) or set()):
            pass


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Waits that are seen from outside."""
    made = Waits(queue.Queue(), queue.Queue())
    original = notifications.Notifications.wait

    def wait(self: notifications.Notifications, timeout_s: float, interrupt: threading.Event) -> set[str] | None:
        made.begun.put(None)
        moved = original(self, timeout_s, interrupt)
        made.moved.put(moved)
        return moved

    monkeypatch.setattr(notifications.Notifications, "wait", wait)
    return made


def paths_of(event: RecordedEvent) -> Sequence[str]:
    return [change["path"] for change in event.payload["changes"]]


def test_a_host_that_acknowledges_nothing_gets_no_more_than_a_bounded_number_of_events_and_loses_no_change(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = threading.Semaphore(0)
    original = store.unacknowledged

    def counted(trigger_id: str) -> int:
        count = original(trigger_id)
        if count == 2:
            scanned.release()
        return count

    monkeypatch.setattr(store, "unacknowledged", counted)
    with watching(root, store, Limits(max_unacknowledged=2)) as one:
        put(root / "src/0", "1")
        first = one.event(0)
        put(root / "src/1", "1")
        second = one.event(first.sequence)
        put(root / "src/2", "1")
        assert scanned.acquire(timeout=DEADLINE_S)
        assert scanned.acquire(timeout=DEADLINE_S)  # each look counts twice
        put(root / "src/3", "1")
        assert scanned.acquire(timeout=DEADLINE_S)
        assert store.next_event(second.sequence) is None
        assert one.watcher.problems() == ["trigger t: 2 events are not acknowledged - no more until some are"]
        store.acknowledge(first.event_id)
        one.watcher.acknowledged()
        assert paths_of(one.event(second.sequence)) == ["src/2", "src/3"]


def test_without_notifications_a_new_attempt_is_made_and_the_files_are_looked_at_meanwhile(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = notifications.RustNotify
    subscribed = threading.Event()
    attempts = iter([OSError("OS file watch limit reached.\nabout: everything")] * 2)

    def limited(*arguments: object, **options: object) -> object:
        if (error := next(attempts, None)) is not None:
            raise error
        subscribed.set()
        return original(*arguments, **options)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(notifications, "RustNotify", limited)
    with watching(root, store, Limits(timings=WatchTimings(poll_s=0.05, try_again_s=0.2))) as one:
        put(root / "src/a", "1")
        event = one.event(0)
        while not subscribed.is_set():
            put(root / "src/a", f"another {event.sequence}")
            event = one.event(event.sequence)
        put(root / "src/b", "1")
        assert paths_of(one.event(event.sequence)) == ["src/b"]
        assert one.watcher.problems() == []
    assert caplog.text.count("no notifications of the file system: OS file watch limit reached. - looking") == 1


def test_more_files_than_a_trigger_may_have_end_the_watch_with_what_to_do(root: Path, store: Store) -> None:
    one = Watching(root, store, Limits(max_files=3))
    for number in range(4):
        put(root / f"src/{number}", "1")
    with pytest.raises(InvalidParams, match="trigger t: more than 3 files - narrow `paths`, or add to `ignore`"):
        one.watcher.run()


def test_a_project_that_is_away_is_no_deletion_of_its_files(root: Path, store: Store, waits: Waits) -> None:
    put(root / "src/a", "1")
    with watching(root, store) as one:
        put(root / "src/b", "1")
        first = one.event(0)
    root.rename(root.with_name("away"))
    waits.begun.queue.clear()
    with watching(root, store) as one:
        waits.begun.get(timeout=DEADLINE_S)
        assert one.watcher.problems() == ["trigger t: .: No such file or directory"]
    shutil.copytree(root.with_name("away"), root)
    put(root / "src/c", "1")
    with watching(root, store) as one:
        assert paths_of(one.event(first.sequence)) == ["src/c"]


def test_a_change_just_before_the_subscription_is_told(
    root: Path, store: Store, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = notifications.RustNotify

    def after_a_change(*arguments: object, **options: object) -> object:
        put(root / "src/a", "1")
        return original(*arguments, **options)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(notifications, "RustNotify", after_a_change)
    with watching(root, store) as one:
        assert paths_of(one.event(0)) == ["src/a"]


def test_a_folder_that_was_made_again_at_once_is_still_watched(root: Path, store: Store, waits: Waits) -> None:
    put(root / "src/deep/a", "1")
    with watching(root, store) as one:
        put(root / "src/deep/b", "1")
        event = one.event(0)
        shutil.rmtree(root / "src/deep")
        put(root / "src/deep/c", "1")
        while "src/deep/c" not in paths_of(event):
            event = one.event(event.sequence)
        for name in "defgh":  # looks that were due anyway are used up by the first of them
            put(root / "src/deep" / name, "1")
            while f"src/deep/{name}" not in paths_of(event):
                event = one.event(event.sequence)


def test_a_folder_that_came_back_as_the_same_inode_is_subscribed_to_anew(root: Path) -> None:
    never = threading.Event()
    (root / "src/deep").mkdir()
    folders = dict.fromkeys(("", "src", "src/deep"), (0, 0))
    with closing(notifications.Notifications(root, DEADLINE_S)) as subscription:
        assert subscription.cover(folders)
        assert not subscription.cover(folders)
        (root / "src/deep").rmdir()
        (root / "src/deep").mkdir()
        assert "src/deep" in (subscription.wait(DEADLINE_S, never) or set())
        assert subscription.cover(folders)
        (root / "src/deep/a").touch()
        assert "src/deep/a" in (subscription.wait(DEADLINE_S, never) or set())


def test_a_folder_that_was_away_while_it_was_subscribed_to_is_subscribed_to_when_it_is_back(root: Path) -> None:
    folders = dict.fromkeys(("", "src", "src/deep"), (0, 0))
    with closing(notifications.Notifications(root, DEADLINE_S)) as subscription:
        assert subscription.cover(folders)
        (root / "src/deep").mkdir()
        assert subscription.cover(folders)
        assert not subscription.cover(folders)
        (root / "src/deep/a").touch()
        assert "src/deep/a" in (subscription.wait(DEADLINE_S, threading.Event()) or set())


def test_an_interrupted_wait_may_have_lost_that_a_folder_came_back(root: Path) -> None:
    interrupt = threading.Event()
    (root / "src/deep").mkdir()
    folders = dict.fromkeys(("", "src", "src/deep"), (0, 0))
    with closing(notifications.Notifications(root, DEADLINE_S)) as subscription:
        assert subscription.cover(folders)
        (root / "src/deep").rmdir()
        (root / "src/deep").mkdir()
        interrupt.set()
        assert subscription.wait(DEADLINE_S, interrupt) is None
        assert subscription.cover(folders)
        (root / "src/deep/a").touch()
        assert "src/deep/a" in (subscription.wait(DEADLINE_S, threading.Event()) or set())


def test_what_happens_in_a_new_folder_counts_before_the_next_look(root: Path, store: Store, waits: Waits) -> None:
    with watching(root, store, Limits(debounce_s=600)):
        waits.begun.get(timeout=DEADLINE_S)
        (root / "src/new").mkdir()
        waits.until("src/new")
        waits.begun.get(timeout=DEADLINE_S)
        (root / "src/new/a").touch()
        waits.until("src/new/a")


def test_a_disk_that_fails_ends_the_watch_as_unavailable(root: Path, store: Store) -> None:
    one = Watching(root, store)
    put(root / "src/a", "1")
    store.close()
    with pytest.raises(Unavailable, match=r"state\.sqlite: "):
        one.watcher.run()
