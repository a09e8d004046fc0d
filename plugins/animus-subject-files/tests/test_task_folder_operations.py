"""The verbs on a folder of task files, below the wire."""

from __future__ import annotations

import errno
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_sdk import (
    InvalidParams,
    NotFound,
    Subject,
    SubjectCreateParams,
    SubjectFilter,
    SubjectPatch,
    SubjectStatus,
    Unavailable,
)
from animus_sdk.subject_pages import first_ready, page_of
from animus_subject_files.folder import TaskFolder
from animus_subject_files.front_matter import parse


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path)
    made.open()
    return made


def put(folder: TaskFolder, task_id: str, *lines: str) -> Path:
    path = folder.path / f"{task_id}.md"
    path.write_text("\n".join(["---", f"title: {task_id}", *lines, "---", ""]))
    return path


def ask(title: str = "x", **fields: Any) -> SubjectCreateParams:
    return SubjectCreateParams(kind="task", title=title, **fields)


def subjects(folder: TaskFolder) -> list[Subject]:
    return [task.subject for task in folder.scan().tasks.values()]


def ids(folder: TaskFolder, **wanted: Any) -> list[str]:
    return [subject.id for subject in page_of(subjects(folder), SubjectFilter(**wanted)).subjects]


def test_a_new_task_is_a_readable_file_with_the_next_number(folder: TaskFolder) -> None:
    put(folder, "TASK-041")
    made = folder.create(
        ask(
            "Fix: it",
            body="Do this.\n\n- then that",
            status=SubjectStatus.BLOCKED,
            priority=2,
            labels=["a", "no", "a"],
            assignee="bob",
            custom={"estimate": 3, "due": "2026-02-01", "nothing": None, "m": {"k": ["v", 1.5, None]}},
        )
    ).subject
    assert (made.id, made.title, made.status, made.priority) == ("TASK-042", "Fix: it", SubjectStatus.BLOCKED, 2)
    assert (made.labels, made.assignee, made.description) == (["a", "no"], "bob", "Do this.\n\n- then that")
    assert made.custom == {"estimate": 3, "due": "2026-02-01", "m": {"k": ["v", 1.5, None]}}
    assert folder.get("TASK-042").subject == made
    text = (folder.path / "TASK-042.md").read_text()
    assert text.startswith('---\ntitle: "Fix: it"\nstatus: blocked\npriority: high\nassignee: bob\nlabels: [a, "no"]\n')
    assert text.endswith("---\n\nDo this.\n\n- then that\n")


def test_the_number_of_a_deleted_task_is_not_given_again(folder: TaskFolder) -> None:
    assert folder.create(ask()).subject.id == "TASK-001"
    folder.delete("TASK-001")
    assert folder.create(ask()).subject.id == "TASK-002"
    (folder.path / "TASK-002.md").unlink()
    assert folder.create(ask()).subject.id == "TASK-003"


def test_numbers_grow_beyond_three_digits(folder: TaskFolder) -> None:
    put(folder, "TASK-999")
    assert folder.create(ask()).subject.id == "TASK-1000"


def test_creators_at_the_same_time_never_share_a_number(folder: TaskFolder) -> None:
    made: list[str] = []

    def creator() -> None:
        own = TaskFolder(folder.path.parents[1])
        made.extend(own.create(ask(f"t{number}")).subject.id for number in range(10))

    threads = [threading.Thread(target=creator) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(made) == [f"TASK-{number:03d}" for number in range(1, 41)]
    assert len(folder.scan().tasks) == 40


@pytest.mark.parametrize(
    "request_",
    [
        SubjectCreateParams(kind="requirement", title="x"),
        ask(" "),
        ask("two\nlines"),
        ask("x" * 1_001),
        ask(labels=[""]),
        ask(assignee="a\x00b"),
        ask(custom={"status": "done"}),
        ask(custom={"": 1}),
        ask(custom={"deep": [[[[[[[[[["x"] * 10_001]]]]]]]]]}),
        ask(custom={"n": float("nan")}),
        ask(body="x" * (1 << 20)),
    ],
    ids=range(11),
)
def test_what_cannot_become_a_file_is_refused_and_leaves_none(
    folder: TaskFolder, request_: SubjectCreateParams
) -> None:
    with pytest.raises(InvalidParams):
        folder.create(request_)
    assert not [path for path in folder.path.iterdir() if path.name != ".lock"]


@settings(deadline=None, max_examples=200)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
)
def test_what_is_created_reads_back_as_it_was_sent_or_is_refused(title: str, value: object) -> None:
    from animus_subject_files.patch import new_file

    try:
        content = new_file(ask(title, custom={"k": value}), datetime.now(UTC))
    except InvalidParams:
        assert not title.strip() or not title.isprintable()
        return
    values = parse(content.decode()).values
    assert values.get("k") == value
    assert str(values["title"]) == title.strip()


def test_a_patch_writes_all_that_it_names_and_keeps_the_files_mode(folder: TaskFolder) -> None:
    path = put(folder, "T", "assignee: bob", "labels: [a, b]", "old: 1")
    path.chmod(0o640)
    subject = folder.update(
        "T",
        SubjectPatch(
            status=SubjectStatus.IN_PROGRESS,
            assignee=None,
            labels_add=["c", "a"],
            labels_remove=["b", "absent"],
            comment="Well.",
            custom={"old": None, "new": {"a": 1}},
        ),
    ).subject
    assert (subject.status, subject.native_status) == (SubjectStatus.IN_PROGRESS, "in-progress")
    assert (subject.assignee, subject.labels, subject.custom) == (None, ["a", "c"], {"new": {"a": 1}})
    assert subject.description is not None
    assert subject.description.endswith(": Well.")
    assert folder.get("T").subject == subject
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".lock", "T.md"]


def test_a_patch_that_changes_nothing_does_not_write(folder: TaskFolder) -> None:
    path = put(folder, "T", "status: in_progress", "labels: a", "updated_at: 2020-01-01")
    before = path.stat()
    folder.update("T", SubjectPatch(status=SubjectStatus.IN_PROGRESS, labels_add=["a"], labels_remove=["z"]))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "patch",
    [
        SubjectPatch(custom={"title": "x"}),
        SubjectPatch(comment="  "),
        SubjectPatch(labels_add=["a\nb"]),
        SubjectPatch(assignee="x" * 1_001),
        SubjectPatch(comment="x" * (1 << 20)),
    ],
    ids=range(5),
)
def test_a_patch_that_no_file_can_take_is_refused_and_changes_nothing(folder: TaskFolder, patch: SubjectPatch) -> None:
    path = put(folder, "T")
    before = path.read_bytes()
    with pytest.raises(InvalidParams):
        folder.update("T", patch)
    assert path.read_bytes() == before


def test_a_broken_or_write_protected_file_is_never_written(folder: TaskFolder) -> None:
    path = put(folder, "T", "priority: huge")
    with pytest.raises(InvalidParams, match=r"T\.md:3: "):
        folder.update("T", SubjectPatch(status=SubjectStatus.DONE))
    path = put(folder, "P")
    path.chmod(0o444)
    with pytest.raises(InvalidParams, match="write-protected"):
        folder.update("P", SubjectPatch(status=SubjectStatus.DONE))
    (folder.path / "LINK.md").symlink_to(path)
    with pytest.raises(InvalidParams, match="symbolic link"):
        folder.update("LINK", SubjectPatch(status=SubjectStatus.DONE))


def test_what_is_absent_is_not_found_by_any_verb(folder: TaskFolder) -> None:
    with pytest.raises(NotFound):
        folder.update("T", SubjectPatch(status=SubjectStatus.DONE))
    with pytest.raises(NotFound):
        folder.delete("T")
    folder.path.joinpath(".lock").unlink()
    folder.path.rmdir()
    assert not folder.scan().tasks
    with pytest.raises(NotFound):
        folder.delete("T")
    assert folder.create(ask()).subject.id == "TASK-001"


def test_delete_removes_the_file_and_nothing_stays(folder: TaskFolder) -> None:
    put(folder, "T")
    folder.delete("T")
    assert [entry.name for entry in folder.path.iterdir()] == [".lock"]


def test_a_full_disk_makes_no_task_loses_none_and_is_told(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "TASK-001")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.pwrite", full)  # no room for the highest number in the lock's file
        for attempt in (lambda: folder.create(ask()), lambda: folder.delete("TASK-001")):
            with pytest.raises(Unavailable, match=r"TASK-00\d\.md: it cannot be written: No space left on device"):
                attempt()
    assert ids(folder) == ["TASK-001"]
    folder.delete("TASK-001")
    assert folder.create(ask()).subject.id == "TASK-002"


def test_the_order_is_priority_then_the_natural_order_of_ids(folder: TaskFolder) -> None:
    for task_id, priority in [
        ("TASK-10", "medium"),
        ("TASK-9", ""),
        ("TASK-2", "low"),
        ("B", "critical"),
        ("A-1", "1"),
    ]:
        put(folder, task_id, f"priority: {priority}")
    assert ids(folder) == ["A-1", "B", "TASK-9", "TASK-10", "TASK-2"]
    first = first_ready(subjects(folder))
    assert first is not None
    assert first.id == "A-1"


def test_next_is_the_first_that_is_ready(folder: TaskFolder) -> None:
    put(folder, "TASK-1", "status: done", "priority: critical")
    assert first_ready(subjects(folder)) is None
    put(folder, "TASK-3")
    put(folder, "TASK-2")
    first = first_ready(subjects(folder))
    assert first is not None
    assert first.id == "TASK-2"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["A", "B", "C"]),
        ({"kind": ["task", "other"]}, ["A", "B", "C"]),
        ({"kind": ["other"]}, []),
        ({"status": ["ready", "done"]}, ["A", "C"]),
        ({"native_status": "in_progress"}, ["B"]),
        ({"native_status": "in-progress"}, []),
        ({"dispatch_label": "go"}, ["C"]),
        ({"has_attachment_kind": "file"}, []),
        ({"assignee": ["bob", "eve"]}, ["B"]),
        ({"labels_any": ["x", "q"]}, ["A", "B"]),
        ({"labels_all": ["x", "y"]}, ["B"]),
        ({"updated_since": "2026-01-02T00:00:00Z"}, ["B", "C"]),
        ({"status": ["ready"], "labels_any": ["y"]}, []),
        ({"limit": 2}, ["A", "B"]),
        ({"limit": 0}, []),
    ],
)
def test_every_field_of_a_filter_filters(folder: TaskFolder, wanted: dict[str, Any], expected: list[str]) -> None:
    put(folder, "A", "labels: x", "updated_at: 2026-01-01")
    put(folder, "B", "status: in_progress", "labels: [x, y]", "assignee: bob", "updated_at: 2026-01-02")
    put(folder, "C", "status: done", "updated_at: 2026-01-03", "dispatch_label: go")
    assert ids(folder, **wanted) == expected


def test_pages_join_without_gap_or_repeat_while_files_come_and_go(folder: TaskFolder) -> None:
    for number in range(1, 8):
        put(folder, f"TASK-{number}")
    seen: list[str] = []
    cursor = None
    while True:
        found = page_of(subjects(folder), SubjectFilter(limit=2, cursor=cursor))
        seen += [subject.id for subject in found.subjects]
        cursor = found.next_cursor
        if cursor is None:
            break
        put(folder, f"TASK-0{len(seen)}")
        (folder.path / f"{found.subjects[-1].id}.md").unlink()
    assert [task_id for task_id in seen if not task_id.startswith("TASK-0")] == [f"TASK-{n}" for n in range(1, 8)]
    assert len(seen) == len(set(seen))


def test_a_page_never_outgrows_a_frame(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path)
    folder.open()
    for number in range(6):
        (folder.path / f"T{number}.md").write_text(f"---\ntitle: x\n---\n{'x' * 1_000_000}\n")
    found = page_of(subjects(folder), SubjectFilter())
    assert [subject.id for subject in found.subjects] == ["T0", "T1", "T2", "T3"]
    rest = page_of(subjects(folder), SubjectFilter(cursor=found.next_cursor))
    assert [subject.id for subject in rest.subjects] == ["T4", "T5"]
    assert rest.next_cursor is None
