"""Edits of front matter against files written in every way that people write them."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_sdk import SubjectPatch, SubjectStatus
from animus_subject_files.front_matter import parse
from animus_subject_files.patch import patching
from animus_subject_files.task import read_task
from written_values import Writer, written

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NO_TIMES = os.stat_result((0o644, 0, 0, 1, 0, 0, 0, 0, 0, 0))

ENTRIES = [
    "title: Fix the thing",
    "title:   Fix it   # aligned, with a comment",
    'title: "Fix: \\"it\\" \\u00e9"',
    "title: 'it''s é 🦊'",
    "title: |\n  many\n   lines\n\n  here",
    "title: >-\n    folded\n    text\n",
]
OTHERS = [
    "labels: [a,b ,  c]  # tight",
    "labels:\n- a\n- 'b' # bee\n",
    "labels:\n    - a\n    # between\n    -   b",
    "assignee:",
    "assignee: bob\t# tab before the comment",
    "priority: high",
    "estimate: 1.50",
    "due: 2026-02-03",
    "nested: {a: [1, {b: null}], c: 'x'}",
    "deep:\n  one:\n      two: 3\n  # inside\n  list:\n  - x\n  - y: z\n",
    "notes: |+\n  kept\n\n\n",
    "notes: >2\n   indented\n  text\n",
    '"quoted key": yes',
    "url: https://example.org/a#b",
    "# a comment of its own",
    "",
    "  # an indented comment",
]
STATUSES = {"ready": "{}", "'ready'": "'{}'", '"in_progress"': '"{}"', "blocked   # why": "{}   # why"}


BODIES = ["", "\n", "text", "\ntext\n---\nmore\n", "\r\n\rodd\n", "# H\n\n\n\n"]
File = tuple[bytes, str, bytes]


def file(writer: Writer) -> File:
    """What precedes the status, the status as written, and what follows it."""
    others = {entry.split(":")[0] or entry: entry for entry in writer.many(lambda: writer.pick(OTHERS), 6)}
    above = [writer.pick(ENTRIES), *others.values()]
    at = writer.below(len(above) + 1)
    newline = writer.pick(["\n", "\r\n"])
    body = writer.text(40) if writer.flag() else writer.pick(BODIES)
    written = writer.pick([*STATUSES])
    key = writer.pick(["status: ", "status:    ", "status : "])
    fence = writer.pick(["---", "---  "])
    before = "\n".join([fence, *above[:at], key]).replace("\n", newline)
    after = "\n".join(["", *above[at:], fence, ""]).replace("\n", newline) + body
    bom = writer.pick([b"", b"\xef\xbb\xbf"])
    return bom + before.encode(), written, after.encode()


def value(writer: Writer) -> object:
    match writer.pick("nbitl"):
        case "n":
            return None
        case "b":
            return writer.flag()
        case "i":
            return writer.integer()
        case "t":
            return writer.text(20)
    return writer.many(lambda: writer.text(5), 3)


CUSTOM = ["due", "notes", "nested", "deep", "fresh", "with: colon"]
FILES = written(file, 180)
VALUES = written(lambda writer: dict(writer.many(lambda: (writer.pick(CUSTOM), value(writer)), 3)), 80)


@settings(deadline=None, max_examples=400)
@given(FILES, st.sampled_from([SubjectStatus.DONE, SubjectStatus.CANCELLED]))
def test_a_change_of_status_leaves_every_other_byte_the_same(file: File, status: SubjectStatus) -> None:
    before, written, after = file
    changed = patching(SubjectPatch(status=status), NOW)(before + written.encode() + after)
    assert changed == before + STATUSES[written].format(status.value).encode() + after


@settings(deadline=None, max_examples=200)
@given(FILES)
def test_the_status_that_a_file_already_has_changes_nothing(file: File) -> None:
    content = file[0] + file[1].encode() + file[2]
    status = read_task("T", content, NO_TIMES).subject.status
    assert patching(SubjectPatch(status=status), NOW)(content) == content


@settings(deadline=None, max_examples=400)
@given(
    FILES,
    st.lists(st.sampled_from(["a", "b", "new", "no: t", "5"]), max_size=3),
    st.lists(st.sampled_from(["a", "b", "c", "zz"]), max_size=3),
    VALUES,
)
def test_any_patch_changes_what_it_names_and_nothing_else(
    file: File, add: list[str], remove: list[str], custom: dict[str, object]
) -> None:
    content = file[0] + file[1].encode() + file[2]
    old = read_task("T", content, NO_TIMES).subject
    patch = SubjectPatch(labels_add=add, labels_remove=remove, custom=custom, assignee="carol")
    new = read_task("T", patching(patch, NOW)(content), NO_TIMES).subject
    assert new.labels == list(dict.fromkeys([*(one for one in old.labels if one not in remove), *add]))
    assert new.assignee == "carol"
    kept = {key: value for key, value in old.custom.items() if key not in custom}
    assert new.custom == kept | {key: value for key, value in custom.items() if value is not None}
    assert (new.title, new.status, new.description) == (old.title, old.status, old.description)


def edited(content: str, patch: SubjectPatch) -> str:
    return patching(patch, NOW)(content.encode()).decode()


def test_a_comment_below_a_removed_key_does_not_become_part_of_the_text_above() -> None:
    text = "---\ntitle: x\nnotes: |+\n  kept\n\nnested: {a: 1}\n  # about nested\nassignee:\n---\n"
    patch = SubjectPatch(custom={"nested": None})
    assert edited(text, patch) == text.replace("nested: {a: 1}\n  # about nested\n", "")


def test_comments_quotes_and_order_survive_a_change_of_labels() -> None:
    text = "---\n# top\ntitle: 'x'\nlabels:  # mine\n    - a   # first\n    - b\n# end\n---\nbody"
    patch = SubjectPatch(labels_add=["c"], labels_remove=["b"])
    assert edited(text, patch) == text.replace("- b\n", "- c\n")


def test_clearing_the_assignee_keeps_the_key_and_its_comment() -> None:
    text = "---\ntitle: x\nassignee: bob # on holiday\n---\n"
    assert edited(text, SubjectPatch(assignee=None)) == text.replace(" bob", "")


def test_a_missing_key_is_added_as_the_last_one_before_trailing_comments() -> None:
    text = "---\r\ntitle: x\r\n# end\r\n---\r\nbody\r\n"
    assert edited(text, SubjectPatch(status=SubjectStatus.DONE)) == text.replace("# end", "status: done\r\n# end")


def test_front_matter_in_braces_is_changed_in_its_braces() -> None:
    text = "---\n{title: x, labels: [a]}\n---\n"
    patch = SubjectPatch(status=SubjectStatus.BLOCKED, labels_add=["b"])
    assert edited(text, patch) == "---\n{title: x, labels: [a, b], status: blocked}\n---\n"


def test_updated_at_moves_only_where_the_file_has_it() -> None:
    text = "---\ntitle: x\nupdated_at: 2020-01-01 # when\n---\n"
    changed = edited(text, SubjectPatch(status=SubjectStatus.DONE))
    assert "updated_at: 2026-03-04T05:06:07.000Z # when\n" in changed
    assert "updated_at" not in edited("---\ntitle: x\n---\n", SubjectPatch(status=SubjectStatus.DONE))


def test_text_that_yaml_would_read_otherwise_is_written_in_quotes() -> None:
    text = "---\ntitle: x\n---\n"
    for value in ["no", "1.0", "2026-01-01", "a: b", "- x", "#", "", " ", "\u2028", "null", "é\x85", "a\nb", "🦊"]:
        assert parse(edited(text, SubjectPatch(custom={"k": value}))).values["k"] == value


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "## Comments\n\n- NOW: hi\n"),
        ("text\n", "text\n\n## Comments\n\n- NOW: hi\n"),
        ("text", "text\n\n## Comments\n\n- NOW: hi"),
        ("## Comments\n\n- old\n\n\n## Next\nx", "## Comments\n\n- old\n- NOW: hi\n\n\n## Next\nx"),
        ("## Comments\n- old", "## Comments\n- old\n- NOW: hi"),
        ("```\n## Comments\n```\n", "```\n## Comments\n```\n\n## Comments\n\n- NOW: hi\n"),
    ],
)
def test_a_comment_is_added_at_the_end_of_the_comments_section(body: str, expected: str) -> None:
    head = "---\ntitle: x\n---\n"
    changed = edited(head + body, SubjectPatch(comment="hi"))
    assert changed == head + expected.replace("NOW", "2026-03-04T05:06:07.000Z")


def test_lines_of_a_comment_stay_inside_its_list_item_and_take_the_files_line_ending() -> None:
    changed = edited("---\r\ntitle: x\r\n---\r\n", SubjectPatch(comment="one\n## two\n\nthree"))
    assert changed.endswith(": one\r\n  ## two\r\n\r\n  three\r\n")
