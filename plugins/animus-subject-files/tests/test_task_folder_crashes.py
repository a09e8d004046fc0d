"""Processes killed in the middle of writing, and what the next start makes of what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from animus_sdk import SubjectCreateParams, SubjectPatch, SubjectStatus, Unavailable
from animus_subject_files.folder import TaskFolder
from animus_subject_files.leftovers import being_written, deleted_name, swap_name
from animus_subject_files.lock import FolderLock
from animus_subject_files.timings import FolderTimings

_BODY = "\n".join(f"line {number} of a body that takes some time to write" for number in range(2_000))

_WRITER = """
import sys
from pathlib import Path
from animus_sdk import SubjectCreateParams, SubjectPatch, SubjectStatus
from animus_subject_files.folder import TaskFolder
folder = TaskFolder(Path(sys.argv[1]))
folder.open()
print("ready", flush=True)
while True:
    for status in SubjectStatus:
        folder.update("TASK-001", SubjectPatch(status=status))
        made = folder.create(SubjectCreateParams(kind="task", title="x"))
        folder.delete(made.subject.id)
        print(status, flush=True)
"""

_EDITOR = """
import sys
from pathlib import Path
path = Path(sys.argv[1]) / ".animus/tasks/TASK-001.md"
for number in range(10_000):
    beside = path.with_name("beside")
    beside.write_text(path.read_text() + f"edit {number}\\n")
    beside.replace(path)
    print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path)
    made.open()
    (made.path / "TASK-001.md").write_text(f"---\ntitle: x\nstatus: ready\n---\n{_BODY}\n")
    return made


def start(program: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, root], stdout=subprocess.PIPE, text=True)


def lines_until_killed(process: subprocess.Popen[str], count: int, after_s: float) -> list[str]:
    """Reads `count` lines, kills the process a little later, and reads what it still had said."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    deadline = time.monotonic() + after_s
    while time.monotonic() < deadline:
        pass  # the moment of the kill falls anywhere in a write
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()  # not communicate(), which loses what readline has read ahead
    process.stdout.close()
    process.wait(timeout=20)
    return lines + rest.splitlines()


@pytest.mark.timeout(120)
def test_a_process_killed_while_it_writes_leaves_the_file_whole(folder: TaskFolder, tmp_path: Path) -> None:
    for attempt in range(12):
        said = lines_until_killed(start(_WRITER, tmp_path), 2, attempt * 0.003)
        again = TaskFolder(tmp_path)
        again.open()
        subject = again.get("TASK-001").subject
        assert subject.description == _BODY
        acknowledged = SubjectStatus(said[-1].strip()) if len(said) > 1 else SubjectStatus.READY
        following = [*SubjectStatus][([*SubjectStatus].index(acknowledged) + 1) % len(SubjectStatus)]
        assert subject.status in (acknowledged, following)
        assert not again.scan().broken
        assert not [entry.name for entry in folder.path.iterdir() if entry.name.startswith(".TASK")]
        assert not [*folder.path.glob("*rescued*")]


@pytest.mark.timeout(120)
def test_what_an_editor_saved_survives_a_plugin_that_is_killed_meanwhile(folder: TaskFolder, tmp_path: Path) -> None:
    editor = start(_EDITOR, tmp_path)
    try:
        for attempt in range(6):
            lines_until_killed(start(_WRITER, tmp_path), 2, attempt * 0.004)
    finally:
        saved = lines_until_killed(editor, 1, 0)
    TaskFolder(tmp_path).open()
    text = "".join(path.read_text() for path in folder.path.glob("TASK-001*"))
    found = set(text.splitlines())
    assert [number for number in saved if f"edit {number.strip()}" not in found] == []
    assert folder.get("TASK-001").subject.title == "x"


def test_leftovers_that_are_ours_alone_are_deleted_at_start(folder: TaskFolder, tmp_path: Path) -> None:
    path = folder.path / "TASK-001.md"
    being_written(path).write_bytes(b"torn")
    deleted_name(path).write_bytes(b"gone")
    swap_name(path, b"read", b"written").write_bytes(b"read")
    swap_name(path, b"read", b"written").write_bytes(b"written")
    swap_name(path, b"read", b"written").write_bytes(path.read_bytes())
    TaskFolder(tmp_path).open()
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "TASK-001.md"]


def test_a_leftover_that_may_be_somebodys_work_is_kept_where_people_see_it(
    folder: TaskFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder.path / "TASK-001.md"
    for text in (b"one", b"two"):
        swap_name(path, b"read", b"written").write_bytes(text)
        TaskFolder(tmp_path).open()
    assert (folder.path / "TASK-001.rescued-1.md.txt").read_bytes() == b"one"
    assert (folder.path / "TASK-001.rescued-2.md.txt").read_bytes() == b"two"
    assert "TASK-001.rescued-2.md.txt" in caplog.text
    assert [*folder.scan().tasks] == ["TASK-001"]


def test_a_leftover_that_is_still_being_written_is_kept(folder: TaskFolder, tmp_path: Path) -> None:
    temporary = swap_name(folder.path / "TASK-001.md", b"read", b"written")
    with temporary.open("wb") as file:
        file.write(b"read")
        file.flush()
        TaskFolder(tmp_path).open()
        file.write(b" and changed")
    assert (folder.path / "TASK-001.rescued-1.md.txt").read_bytes() == b"read and changed"


def test_other_programs_files_are_never_touched(folder: TaskFolder, tmp_path: Path) -> None:
    for name in (".TASK-001.md.swp", ".x.tmp", "TASK-001.md~", "#TASK-001.md#", ".TASK-001.md.12345678.tmp"):
        (folder.path / name).write_text("theirs")
    before = sorted(folder.path.iterdir())
    TaskFolder(tmp_path).open()
    assert sorted(folder.path.iterdir()) == before
    assert [*folder.scan().tasks] == ["TASK-001"]


def test_nothing_is_cleared_up_while_another_process_writes(folder: TaskFolder, tmp_path: Path) -> None:
    temporary = being_written(folder.path / "TASK-001.md")
    temporary.write_bytes(b"in use")
    with FolderLock(folder.path, 1):
        TaskFolder(tmp_path, FolderTimings(clean_up_s=0.05)).open()
    assert temporary.exists()


def test_a_disk_that_is_full_leaves_the_file_as_it_was(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.path / "TASK-001.md"
    before = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space"):
        folder.update("TASK-001", SubjectPatch(status=SubjectStatus.DONE))
    with pytest.raises(Unavailable, match="No space"):
        folder.create(SubjectCreateParams(kind="task", title="x"))
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "TASK-001.md"]
