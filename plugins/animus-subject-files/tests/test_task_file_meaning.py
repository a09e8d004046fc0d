"""What is read from a task file, and how a broken one is reported."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_sdk import InvalidParams, NotFound, Subject, SubjectStatus
from animus_subject_files.folder import TaskFolder
from animus_subject_files.front_matter import FrontMatterError
from animus_subject_files.task import read_task

TIMES = os.stat_result((0o644, 0, 0, 1, 0, 0, 0, 0, 1_000, 2_000))


def read(matter: str, body: str = "") -> Subject:
    return read_task("TASK-1", f"---\n{matter}\n---\n{body}".encode(), TIMES).subject


def test_every_key_has_its_place_in_the_subject() -> None:
    subject = read(
        "id: TASK-1\ntitle: A title\nstatus: in_progress\npriority: high\nassignee: no\nlabels: [a, 1.10]\n"
        "created_at: 2026-01-02\nupdated_at: 2026-01-03 04:05:06\nparent: TASK-0\nchildren: TASK-2\n"
        "url: https://example.org/1\nestimate: 3\ndue: 2026-02-01 10:00\nmeta: {a: [true, ~, 1.5]}",
        "\n\nThe body.\n\n",
    )
    assert subject == Subject(
        id="TASK-1",
        kind="task",
        title="A title",
        status=SubjectStatus.IN_PROGRESS,
        native_status="in_progress",
        priority=2,
        assignee="no",
        labels=["a", "1.10"],
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        updated_at=datetime(2026, 1, 3, 4, 5, 6, tzinfo=UTC),
        parent="TASK-0",
        children=["TASK-2"],
        url="https://example.org/1",
        description="The body.",
        custom={"estimate": 3, "due": "2026-02-01T10:00:00", "meta": {"a": [True, None, 1.5]}},
    )


def test_a_title_alone_is_a_ready_task_dated_by_its_file() -> None:
    subject = read("title: x")
    assert (subject.status, subject.native_status, subject.priority) == (SubjectStatus.READY, None, None)
    assert (subject.created_at.timestamp(), subject.updated_at.timestamp()) == (1_000, 1_000)


@pytest.mark.parametrize(
    ("written", "wire"), [("critical", 1), ("high", 2), ("medium", 3), ("low", 4), ("0", 0), ("255", 255), ("'7'", 7)]
)
def test_a_priority_is_a_word_or_a_small_number(written: str, wire: int) -> None:
    assert read(f"title: x\npriority: {written}").priority == wire


BROKEN = [
    ("", 1, "empty"),
    (" \n\n", 1, "empty"),
    ("title: x\n", 1, "no front matter"),
    ("---\ntitle: x\n", 1, "does not end"),
    ("---\n---\n", 1, "no keys"),
    ("---\n- a\n---\n", 2, "not `key: value`"),
    ("---\nstatus: ready\n---\n", 1, "no `title`"),
    ("---\nstatus: ready\ntitle: ' '\n---\n", 3, "no `title`"),
    ("---\ntitle: x\ntitle: y\n---\n", 3, "again (first in line 2)"),
    ("---\ntitle: x\nm: {a: 1, a: 2}\n---\n", 3, "here twice"),
    ("---\ntitle: x\nstatus: Done!\n---\n", 3, "write one of ready, in-progress, blocked, done, cancelled"),
    ("---\ntitle: x\npriority: 256\n---\n", 3, "0 to 255"),
    ("---\ntitle: x\npriority: [1]\n---\n", 3, "0 to 255"),
    ("---\ntitle: x\nlabels: {a: b}\n---\n", 3, "not a list of texts"),
    ("---\ntitle: x\nlabels: [a, [b]]\n---\n", 3, "not a list of texts"),
    ("---\ntitle: [x]\n---\n", 2, "write one text"),
    ("---\ntitle: x\ncreated_at: yesterday\n---\n", 3, "not a date"),
    ("---\ntitle: x\ncreated_at: 5\n---\n", 3, "not a date"),
    ("---\ntitle: x\ncreated_at: 0001-01-01T00:00:00+10:00\n---\n", 3, "not a date"),
    ("---\ntitle: x\nid: TASK-2\n---\n", 3, "contradicts"),
    ("---\ntitle: fix: it\n---\n", 2, "quotes"),
    ("---\ntitle: @me\n---\n", 2, "quotes"),
    ("---\ntitle: x\n\tstatus: ready\n---\n", 3, "tab"),
    ("---\ntitle: x\nlabels:\n\t- a\n---\n", 4, "tab"),
    ("---\ntitle: 'x\n---\n", 2, ""),
    ("---\ntitle: x\nm: !!python/name:os.system x\n---\n", 3, "tag"),
    ("---\ntitle: x\nm: !custom [a]\n---\n", 3, "tag"),
    ("---\ntitle: x\nm: *gone\n---\n", 3, ""),
    ("---\ntitle: x\n? [a]\n: b\n---\n", 3, "plain text"),
    ("---\ntitle: x\nm: \x01\n---\n", 3, "remove it"),
    ("---\ntitle: x\nm: " + "[" * 20_000 + "\n---\n", 3, "nested deeper"),
    ("---\ntitle: x\nm: " + "- " * 20_000 + "\n---\n", 3, ""),
    ("---\ntitle: x\nm: &a [*a]\n---\n", 3, "too many values"),
    (
        "---\ntitle: x\na: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n---\n",
        3,
        "too many values",
    ),
    ("---\ntitle: x\n" + "k: v\n" * 20_000 + "---\n", 1, "front matter over"),
]


@pytest.mark.parametrize(("text", "line", "problem"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(text: str, line: int, problem: str) -> None:
    with pytest.raises(FrontMatterError) as caught:
        read_task("TASK-1", text.encode(), TIMES)
    assert problem in caught.value.problem
    assert " - " in caught.value.problem
    assert caught.value.line == line


def test_text_that_is_not_utf_8_is_told_with_its_line() -> None:
    with pytest.raises(FrontMatterError, match="line 4: not UTF-8"):
        read_task("T", b"---\ntitle: x\n---\nb\xff\n", TIMES)


def custom_or_line(content: bytes) -> str | int:
    """The custom fields as JSON, or the line of what is wrong."""
    try:
        return json.dumps(read_task("T", content, TIMES).subject.custom, allow_nan=False)
    except FrontMatterError as error:
        return error.line


@settings(deadline=None, max_examples=500)
@given(st.text("-: \n\r\t#[]{}'\"&*!|>%@`,?ab1\u2028é🦊", max_size=80))
def test_any_text_between_the_fences_is_read_or_refused_with_its_line(matter: str) -> None:
    assert custom_or_line(f"---\ntitle: x\n{matter}\n---\n".encode())


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_with_their_line(content: bytes) -> None:
    assert custom_or_line(content)


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path)
    made.open()
    (made.path / "TASK-001.md").write_text("---\ntitle: whole\n---\n")
    return made


def test_a_broken_file_is_named_with_its_line_while_the_others_work(
    folder: TaskFolder, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.path / "TASK-004.md").write_text("---\ntitle: x\nstatus: nope\n---\n")
    assert [*folder.scan().tasks] == ["TASK-001"]
    assert [*folder.scan().broken] == ["TASK-004"]
    with pytest.raises(InvalidParams, match=r"^\.animus/tasks/TASK-004\.md:3: `status: nope` is not known - write one"):
        folder.get("TASK-004")
    assert [record.getMessage()[:27] for record in caplog.records] == [".animus/tasks/TASK-004.md:3"]
    (folder.path / "TASK-004.md").write_text("---\ntitle: x\nstatus: worse\n---\n")
    folder.scan()
    assert len(caplog.records) == 2


def test_what_is_not_a_plain_file_is_broken_and_never_followed(folder: TaskFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("---\ntitle: secret\n---\n")
    (folder.path / "LINK.md").symlink_to(outside)
    (folder.path / "NOWHERE.md").symlink_to("gone")
    (folder.path / "DIR.md").mkdir()
    os.mkfifo(folder.path / "PIPE.md")
    (folder.path / "BIG.md").write_bytes(b"---\ntitle: x\n---\n" + b"x" * (1 << 20))
    (folder.path / "con.md").write_text("---\ntitle: x\n---\n")
    (folder.path / "a:b.md").write_text("---\ntitle: x\n---\n")
    Path(os.fsdecode(os.fsencode(folder.path) + b"/\xff.md")).write_text("---\ntitle: x\n---\n")
    (folder.path / ".hidden.md").write_text("---\ntitle: x\n---\n")
    (folder.path / "notes.txt").write_text("ignored")
    scan = folder.scan()
    assert [*scan.tasks] == ["TASK-001"]
    assert sorted(scan.broken) == ["BIG", "DIR", "LINK", "NOWHERE", "PIPE", "\\udcff", "a:b", "con"]
    for name in ("LINK", "DIR", "PIPE", "BIG"):
        with pytest.raises(InvalidParams, match=f"{name}.md:1: "):
            folder.get(name)


def test_a_file_that_may_not_be_read_is_broken(folder: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refusing(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith("TASK-001.md"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refusing)
    assert "cannot be read (Permission denied)" in folder.scan().broken["TASK-001"].message


BAD_IDS = ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\0b", "con", "NUL.x", "x" * 201, " x", "x.", "\ud800"]


@pytest.mark.parametrize("task_id", BAD_IDS)
def test_an_id_that_is_no_plain_name_is_refused_before_the_disk_is_touched(tmp_path: Path, task_id: str) -> None:
    with pytest.raises(InvalidParams, match="id "):
        TaskFolder(tmp_path / "absent").get(task_id)


def test_a_task_that_is_not_there_is_not_found(folder: TaskFolder) -> None:
    with pytest.raises(NotFound, match="task TASK-9"):
        folder.get("TASK-9")


def test_a_tasks_folder_that_leads_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project/.animus").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project/.animus/tasks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidParams, match="out of the project"):
        TaskFolder(tmp_path / "project").open()


def test_a_second_edit_in_the_same_instant_and_of_the_same_size_is_seen(folder: TaskFolder) -> None:
    path = folder.path / "TASK-001.md"
    for word in ("aaaaa", "bbbbb", "ccccc", "ddddd"):
        path.write_text(f"---\ntitle: {word}\n---\n")
        assert folder.scan().tasks["TASK-001"].subject.title == word


def test_the_example_of_the_readme_means_what_the_readme_says(folder: TaskFolder) -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    (folder.path / "TASK-012.md").write_text(readme.split("```markdown\n")[1].split("```")[0])
    subject = folder.get("TASK-012").subject
    assert (subject.title, subject.status, subject.priority) == ("Show the build's duration", SubjectStatus.READY, 2)
    assert (subject.assignee, subject.labels) == ("carol", ["ui", "good-first-task"])
    assert subject.custom == {"due": "2026-03-01"}
    (folder.path / "TASK-004.md").write_text("---\ntitle: x\nstatus: later\n---\n")
    assert folder.scan().broken["TASK-004"].message == readme.split("```text\n")[1].split("\n```")[0]
