"""What a watch tells of edits by hand, real notifications included."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from animus_sdk import SubjectChangedEvent, SubjectFilter, SubjectPatch, SubjectStatus
from animus_subject_files import changes
from animus_subject_files.changes import Snapshot, watch
from animus_subject_files.folder import TaskFolder

Events = AsyncGenerator[SubjectChangedEvent, None]


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path)
    made.open()
    return made


def put(folder: TaskFolder, task_id: str, *lines: str) -> Path:
    folder.path.mkdir(parents=True, exist_ok=True)
    path = folder.path / f"{task_id}.md"
    path.write_text("\n".join(["---", f"title: {task_id}", *lines, "---", ""]))
    return path


def changes_of(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(event.id, event.change_kind.value) for event in snapshot.changes()]


def test_each_change_is_told_once_with_its_kind(folder: TaskFolder) -> None:
    put(folder, "TASK-2")
    put(folder, "TASK-10")
    path = put(folder, "TASK-3")
    snapshot = Snapshot(folder, SubjectFilter())
    assert changes_of(snapshot) == []
    put(folder, "TASK-1")
    put(folder, "TASK-2", "status: done")
    put(folder, "TASK-10", "assignee: bob")
    path.unlink()
    assert changes_of(snapshot) == [
        ("TASK-1", "created"),
        ("TASK-2", "status-changed"),
        ("TASK-3", "deleted"),
        ("TASK-10", "updated"),
    ]
    assert changes_of(snapshot) == []


def test_a_changed_status_brings_the_previous_one_as_it_was_written(folder: TaskFolder) -> None:
    put(folder, "T", "status: in_progress")
    snapshot = Snapshot(folder, SubjectFilter())
    put(folder, "T", "status: blocked")
    (event,) = snapshot.changes()
    assert (event.previous_native_status, event.subject.status) == ("in_progress", SubjectStatus.BLOCKED)


def test_a_save_without_a_change_is_not_told(folder: TaskFolder) -> None:
    path = put(folder, "T")
    snapshot = Snapshot(folder, SubjectFilter())
    text = path.read_text()
    path.unlink()
    path.write_text(text)
    os.utime(path, (1, 1))
    assert changes_of(snapshot) == []


def test_a_file_that_breaks_is_told_again_only_when_it_is_fixed_or_gone(folder: TaskFolder) -> None:
    path = put(folder, "T", "status: ready")
    put(folder, "U", "status: ready")
    snapshot = Snapshot(folder, SubjectFilter())
    path.write_text("---\nhalf")
    put(folder, "U", "status: [")
    assert changes_of(snapshot) == []
    path.unlink()
    (event,) = snapshot.changes()
    assert (event.id, event.change_kind.value, event.subject.title) == ("T", "deleted", "T")
    put(folder, "U", "status: done")
    assert changes_of(snapshot) == [("U", "status-changed")]


def test_a_filter_lets_through_what_matches_or_matched(folder: TaskFolder) -> None:
    put(folder, "IN")
    put(folder, "OUT", "status: done")
    snapshot = Snapshot(folder, SubjectFilter(status=[SubjectStatus.READY]))
    put(folder, "IN", "status: blocked")
    put(folder, "OUT", "status: cancelled")
    assert changes_of(snapshot) == [("IN", "status-changed")]
    put(folder, "IN", "status: done")
    put(folder, "OUT", "status: ready")
    assert changes_of(snapshot) == [("OUT", "status-changed")]


def watching(
    scenario: Callable[[Events], Coroutine[Any, Any, None]], folder: TaskFolder, scan_anyway_s: float = 5.0
) -> None:
    """Run `scenario` on the events of a watch, in a loop of its own.

    No async test: watchfiles closes its descriptors on a thread, a moment after it was told to, and the check of async
    tests would take them for a leak.
    """

    async def run() -> None:
        with anyio.fail_after(20):
            async with aclosing(watch(folder, SubjectFilter(), scan_anyway_s=scan_anyway_s)) as events:
                await scenario(events)

    anyio.run(run)


async def next_event(events: Events, then: Callable[[], object]) -> tuple[str, str]:
    """The next event; `then` runs as soon as the watch waits for the first time."""
    found: list[SubjectChangedEvent] = []

    async def wait() -> None:
        found.append(await anext(events))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        then()
    return found[0].id, found[0].change_kind.value


def test_a_change_right_after_the_watch_began_to_wait_is_told(folder: TaskFolder) -> None:
    put(folder, "OLD")

    async def scenario(events: Events) -> None:
        assert await next_event(events, lambda: put(folder, "NEW")) == ("NEW", "created")

    watching(scenario, folder)


def test_edits_by_hand_and_by_the_plugin_are_told(folder: TaskFolder) -> None:
    path = put(folder, "T")

    def renamed_over() -> None:
        beside = path.with_name("beside")
        beside.write_text(path.read_text() + "more\n")
        beside.replace(path)

    async def scenario(events: Events) -> None:
        assert await next_event(events, renamed_over) == ("T", "updated")
        assert await next_event(events, lambda: folder.update("T", SubjectPatch(status=SubjectStatus.DONE))) == (
            "T",
            "status-changed",
        )
        assert await next_event(events, path.unlink) == ("T", "deleted")

    watching(scenario, folder)


def test_the_folder_may_be_deleted_and_come_back(folder: TaskFolder) -> None:
    put(folder, "T")
    parent = folder.path.parent

    async def scenario(events: Events) -> None:
        assert await next_event(events, lambda: shutil.rmtree(parent)) == ("T", "deleted")
        assert await next_event(events, lambda: put(folder, "U")) == ("U", "created")
        assert await next_event(events, lambda: put(folder, "V")) == ("V", "created")

    watching(scenario, folder)


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path)

    async def scenario(events: Events) -> None:
        assert await next_event(events, lambda: put(folder, "T")) == ("T", "created")

    watching(scenario, folder)


def test_without_notifications_the_folder_is_looked_at_from_time_to_time(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(changes, "RustNotify", none_left)

    async def scenario(events: Events) -> None:
        assert await next_event(events, lambda: put(folder, "T")) == ("T", "created")

    watching(scenario, folder, scan_anyway_s=0.05)
    assert "no notifications" in caplog.text


def test_a_watch_that_is_cancelled_ends_at_once(folder: TaskFolder) -> None:
    async def scenario(events: Events) -> None:
        await next_event(events, lambda: put(folder, "T"))
        waiting = asyncio.ensure_future(anext(events))
        await anyio.lowlevel.checkpoint()  # it waits for notifications now
        waiting.cancel()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.cancelled()

    watching(scenario, folder, scan_anyway_s=60.0)
