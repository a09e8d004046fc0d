"""People's editors, as real processes, against a plugin that changes the same file at the same time."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_sdk import InvalidParams, SubjectPatch, SubjectStatus, Unavailable
from animus_subject_files import exchange, write
from animus_subject_files.folder import TaskFolder
from animus_subject_files.lock import FolderLock
from animus_subject_files.merge import merge
from animus_subject_files.timings import FolderTimings

_SPAWN = multiprocessing.get_context("spawn")
_TURNS = itertools.cycle([SubjectStatus.IN_PROGRESS, SubjectStatus.BLOCKED, SubjectStatus.DONE])
_LINES = 60


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path)
    made.open()
    (made.path / "TASK-001.md").write_text("---\ntitle: x # kept\nstatus: ready\nupdated_at: 2026-01-01\n---\n\nBody\n")
    return made


def waiting(folder: TaskFolder, timings: FolderTimings) -> TaskFolder:
    """The same folder, with other patience."""
    return TaskFolder(folder.path.parents[1], timings)


def rename_editor(path: Path, name: str, turn: object) -> None:
    """Reads, adds a line, saves beside and renames; `turn` keeps editors (not the plugin) off each other."""
    for number in range(_LINES):
        with turn:  # type: ignore[attr-defined]  # a lock of multiprocessing, which has no public type
            beside = path.with_name(f"{path.name}~{name}")
            beside.write_text(path.read_text() + f"{name}-{number}\n")
            beside.replace(path)


def appending_editor(path: Path, name: str, turn: object) -> None:
    """Adds its lines in place, each with an open, a write and a close of its own."""
    for number in range(_LINES):
        with turn, path.open("a") as file:  # type: ignore[attr-defined]  # as above
            file.write(f"{name}-{number}\n")


def truncating_editor(path: Path, name: str, turn: object) -> None:
    """Opens the file, keeps it open, truncates it and writes it whole again, as some editors save."""
    for number in range(_LINES):
        with turn, path.open("r+") as file:  # type: ignore[attr-defined]  # as above
            text = file.read()
            file.seek(0)
            file.truncate()
            file.flush()
            file.write(text + f"{name}-{number}\n")


def changing_plugin(root: Path, changes: int) -> None:
    """A second instance of the plugin, which comments while the first one changes the status."""
    folder = TaskFolder(root)
    for number in range(changes):
        folder.update("TASK-001", SubjectPatch(comment=f"comment-{number}"))


def kept_text(folder: TaskFolder) -> str:
    return "".join(path.read_text() for path in folder.path.glob("TASK-001*"))


@pytest.mark.timeout(120)
def test_every_line_of_every_editor_is_found_after_the_plugin_wrote_in_between(folder: TaskFolder) -> None:
    path = folder.path / "TASK-001.md"
    turn = _SPAWN.Lock()
    kinds = [rename_editor, appending_editor, truncating_editor, rename_editor]
    editors = [_SPAWN.Process(target=kind, args=(path, f"e{n}", turn)) for n, kind in enumerate(kinds)]
    for editor in editors:
        editor.start()
    changes = 0
    while any(editor.is_alive() for editor in editors):
        folder.update("TASK-001", SubjectPatch(status=next(_TURNS)))
        changes += 1
    for editor in editors:
        editor.join(30)
        assert editor.exitcode == 0
    assert changes > len(kinds)
    lines = kept_text(folder).splitlines()
    wanted = [f"e{editor}-{number}" for editor in range(len(kinds)) for number in range(_LINES)]
    assert [line for line in wanted if line not in lines] == []
    assert folder.get("TASK-001").subject.title == "x"
    assert not [entry for entry in folder.path.iterdir() if entry.name.endswith(".tmp")]


@pytest.mark.timeout(120)
def test_two_plugins_never_undo_each_other(folder: TaskFolder) -> None:
    other = _SPAWN.Process(target=changing_plugin, args=(folder.path.parents[1], 40))
    other.start()
    labels = 0
    while other.is_alive() or labels < 20:
        folder.update("TASK-001", SubjectPatch(labels_add=[f"label-{labels}"]))
        labels += 1
    other.join(30)
    assert other.exitcode == 0
    subject = folder.get("TASK-001").subject
    assert subject.labels == [f"label-{number}" for number in range(labels)]
    assert [f"comment-{number}" in (subject.description or "") for number in range(40)] == [True] * 40


def saved_in_between(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, *saves: str) -> None:
    """Lets an editor save (by rename) just before each of the next swaps."""
    path = folder.path / "TASK-001.md"
    left = [*saves]
    real = exchange.exchange

    def after_a_save(first: Path, second: Path) -> None:
        if left:
            beside = path.with_name("beside")
            beside.write_text(left.pop(0))
            beside.replace(path)
        real(first, second)

    monkeypatch.setattr(write, "exchange", after_a_save)


def test_a_save_between_reading_and_writing_is_worked_in(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_in_between(folder, monkeypatch, "---\ntitle: y\npriority: low\nstatus: ready\n---\nNew body")
    subject = folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE)).subject
    assert (subject.title, subject.priority, subject.status) == ("y", 4, SubjectStatus.DONE)
    assert (folder.path / "TASK-001.md").read_text() == "---\ntitle: y\npriority: low\nstatus: done\n---\nNew body"


def test_saves_on_top_of_each_other_are_all_worked_in(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.path / "TASK-001.md"
    head = "---\ntitle: x # kept\nstatus: {}\n---\n"
    path.write_text(head.format("ready"))
    saved_in_between(folder, monkeypatch, head.format("ready") + "one\n", head.format("done") + "two\n")
    folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    assert sorted(path.read_text().splitlines()[4:]) == ["one", "two"]
    assert path.read_text().startswith(head.format("done"))


def test_saves_that_contradict_each_other_are_both_kept(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.path / "TASK-001.md"
    text = path.read_text()
    saved_in_between(folder, monkeypatch, text.replace("Body", "Early"), text.replace("Body", "Late"))
    folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    assert "Late" in path.read_text()
    assert "Early" in (folder.path / "TASK-001.rescued-1.md.txt").read_text()
    assert [*folder.scan().tasks] == ["TASK-001"]


def test_a_save_that_breaks_the_file_stays_as_it_was_saved(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.path / "TASK-001.md"
    saved_in_between(folder, monkeypatch, "half of a tho")
    with pytest.raises(InvalidParams, match=r"TASK-001\.md:1: no front matter"):
        folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    assert path.read_text() == "half of a tho"
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "TASK-001.md"]


def test_others_who_never_stop_saving_end_it_with_their_saves_kept(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = waiting(folder, FolderTimings(give_up_s=0.2))
    path = folder.path / "TASK-001.md"
    text = path.read_text()
    saved_in_between(folder, monkeypatch, *(f"{text}line {number}\n" for number in range(1_000)))
    with pytest.raises(Unavailable, match="kept saving"):
        folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    assert not [entry for entry in folder.path.iterdir() if entry.name.endswith(".tmp")]
    found = kept_text(folder)
    last = int(path.read_text().splitlines()[-1].removeprefix("line "))
    on_top_of_ours = [f"line {number}\n" for number in range(1, last, 2)]
    assert [line for line in on_top_of_ours if line not in found] == []


def test_a_program_that_holds_the_file_open_is_waited_for_and_then_named(folder: TaskFolder) -> None:
    folder = waiting(folder, FolderTimings(writer_s=0.05))
    path = folder.path / "TASK-001.md"
    before = path.read_bytes()
    with path.open("a") as file:
        with pytest.raises(Unavailable, match="open for writing"):
            folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
        file.write("late\n")
    assert path.read_bytes() == before + b"late\n"
    with path.open():
        folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))


def opening_just_before_the_swap(
    path: Path, monkeypatch: pytest.MonkeyPatch, finish: threading.Event
) -> threading.Thread:
    """A writer in place who has begun to open the file when the first swap happens, and ends at `finish`."""

    def append() -> None:
        with path.open("a") as file:
            assert finish.wait(10)
            file.write("written late\n")

    writer = threading.Thread(target=append)
    real = exchange.exchange

    def after_it_began(first: Path, second: Path) -> None:
        if writer.ident is None:
            writer.start()
            until(lambda: "BREAKING" in Path("/proc/locks").read_text())
        real(first, second)

    monkeypatch.setattr(write, "exchange", after_it_began)
    return writer


def until(happened: Callable[[], bool]) -> None:
    """Ask every millisecond, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.001)  # no event: of a lease that breaks the kernel notifies only its holder


def test_a_writer_who_began_to_open_the_file_before_the_swap_is_waited_for(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.path / "TASK-001.md"
    finish = threading.Event()
    finish.set()
    writer = opening_just_before_the_swap(path, monkeypatch, finish)
    folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    writer.join(10)
    assert path.read_text().endswith("Body\nwritten late\n")
    assert folder.get("TASK-001").subject.status is SubjectStatus.DONE


def test_a_writer_who_does_not_finish_gets_the_file_back(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = waiting(folder, FolderTimings(writer_s=0.05))
    path = folder.path / "TASK-001.md"
    before = path.read_bytes()
    finish = threading.Event()
    writer = opening_just_before_the_swap(path, monkeypatch, finish)
    with pytest.raises(Unavailable, match="nothing was changed"):
        folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    finish.set()
    writer.join(10)
    assert path.read_bytes() == before + b"written late\n"
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "TASK-001.md"]


@pytest.mark.parametrize("soon", [True, False], ids=["before_it_is_read_again", "after_it_was_written"])
def test_a_save_on_top_of_a_version_seen_for_a_moment_is_joined_with_the_save_that_it_lacks(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch, soon: bool
) -> None:
    path = folder.path / "TASK-001.md"
    text = path.read_text()
    seen: list[str] = []
    exchanges = itertools.count()
    real = exchange.exchange

    def save(content: str) -> None:
        path.with_name("beside").write_text(content)
        path.with_name("beside").replace(path)

    def with_an_editor_who_reads_in_between(first: Path, second: Path) -> None:
        number = next(exchanges)
        if number == 0:
            save(text + "early\n")
        real(first, second)
        if number == 0:
            seen.append(path.read_text())
        if number == 1 and soon:
            save(seen[0] + "late\n")

    def while_it_waits(seconds: float) -> None:
        if not soon:
            save(seen[0] + "late\n")

    monkeypatch.setattr(write, "exchange", with_an_editor_who_reads_in_between)
    monkeypatch.setattr(time, "sleep", while_it_waits)
    folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE, comment="once"))
    assert "early" not in seen[0]
    assert [word for word in ("early", "late") if word not in path.read_text().splitlines()] == []
    assert path.read_text().count("once") == 1
    assert "status: done" in path.read_text()


def test_an_editor_that_moves_the_file_away_for_a_moment_is_waited_for(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.path / "TASK-001.md"
    real = exchange.exchange
    back: list[threading.Thread] = []

    def while_away(first: Path, second: Path) -> None:
        if not back:
            away = path.rename(path.with_name("TASK-001.md~"))
            back.append(threading.Thread(target=away.rename, args=(path,)))
            try:
                real(first, second)
            finally:
                back[0].start()
        else:
            real(first, second)

    monkeypatch.setattr(write, "exchange", while_away)
    assert folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE)).subject.status is SubjectStatus.DONE
    back[0].join(10)


def test_without_an_atomic_swap_a_save_in_between_is_still_worked_in(
    folder: TaskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_renameat2", lambda source, target, flag: False)
    monkeypatch.setattr(exchange, "_take_lease", lambda fd: None)
    saved_in_between(folder, monkeypatch, "---\ntitle: y\n---\nNew body")
    assert folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE)).subject.title == "y"
    assert folder.path.joinpath("TASK-001.md").read_text() == "---\ntitle: y\nstatus: done\n---\nNew body"
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "TASK-001.md"]


def test_a_lock_that_another_process_keeps_ends_the_wait(folder: TaskFolder) -> None:
    with FolderLock(folder.path, 1), pytest.raises(Unavailable, match="lock"):
        waiting(folder, FolderTimings(lock_s=0.05)).update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))


def test_a_lease_never_kills_the_process_when_a_writer_comes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    with exchange.opened(path) as file:
        assert file.settle(1) == b"text"
        with pytest.raises(BlockingIOError):
            os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    assert path.read_text() == "text"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (b"a\nb\nc\n", b"A\nb\nc\n", b"a\nb\nC\n", b"A\nb\nC\n"),
        (b"a\n", b"a\no\n", b"a\nt\n", b"a\no\nt\n"),
        (b"a\n", b"b\n", b"b\n", b"b\n"),
        (b"a\nb\n", b"a\n", b"a\nb\nc\n", b"a\nc\n"),
        (b"a\nb\n", b"A\nb\n", b"a\nx\nb\n", b"A\nx\nb\n"),
        (b"a\n", b"b\n", b"c\n", None),
        (b"a\nb\nc\n", b"c\n", b"a\nB\nc\n", None),
        (b"", b"", b"x", b"x"),
        (b"a\n", b"a\no\n", b"a\no\nt\n", b"a\no\nt\n"),
        (b"a\n", b"b\nc\n", b"b\n", b"b\nc\n"),
    ],
)
def test_changes_of_different_lines_are_joined_and_of_the_same_lines_refused(
    base: bytes, ours: bytes, theirs: bytes, merged: bytes | None
) -> None:
    assert merge(base, ours, theirs) == merged
