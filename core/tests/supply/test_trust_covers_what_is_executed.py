"""Trust covers everything under `.animus/` that is executed, and ends with each change of it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.errors import InvalidInput
from animus_core.supply.trust.coverage import Bounds, Entry, digest_of
from animus_core.supply.trust.trust import TrustCheck, inspect
from trust_repository import Place

HANG_S = 10


@pytest.fixture
def no_hang() -> Iterator[None]:
    """SIGALRM ends whoever waits on something that never comes."""
    signal.alarm(HANG_S)
    yield
    signal.alarm(0)


def test_a_repository_in_which_nothing_is_executed_needs_no_trust(place: Place) -> None:
    assert place.trusted
    place.write("tasks/TASK-001.md")
    place.write("requirements/deep/REQ-1.md")
    assert place.trusted
    (place.root / ".animus/tasks").rename(place.root / ".animus/other")
    assert not place.trusted


def test_trust_ends_with_the_first_new_file_and_begins_with_a_grant_of_exactly_that(place: Place) -> None:
    place.write("workflows.yaml")
    seen = place.inspect()
    assert (seen.trusted, seen.known, [*seen.changes]) == (False, False, [("workflows.yaml", "added")])
    assert place.grant(expected_digest=seen.digest).trusted
    assert place.trusted
    assert place.changes == []


EDITS: dict[str, tuple[Callable[[Place], object], list[tuple[str, str]]]] = {
    "content": (lambda place: place.write("w.yaml", "mean\n"), [("w.yaml", "changed")]),
    "a new file": (lambda place: place.write("deep/er/x"), [("deep/er/x", "added")]),
    "a new hidden file": (lambda place: place.write(".x.pth"), [(".x.pth", "added")]),
    "a new program": (lambda place: place.write("x", mode=0o755), [("x", "added, executable")]),
    "bytecode": (lambda place: place.write("__pycache__/x.pyc"), [("__pycache__/x.pyc", "added")]),
    "the bit that makes a text a program": (
        lambda place: place.write("w.yaml", mode=0o645),
        [("w.yaml", "made executable")],
    ),
    "a program among the tasks": (
        lambda place: place.write("tasks/deep/x", mode=0o755),
        [("tasks/deep/x", "added, executable")],
    ),
    "a task that becomes a program": (
        lambda place: place.write("tasks/TASK-001.md", mode=0o755),
        [("tasks/TASK-001.md", "added, executable")],
    ),
    "a removed file": (lambda place: (place.root / ".animus/w.yaml").unlink(), [("w.yaml", "removed")]),
    "a new name": (
        lambda place: (place.root / ".animus/w.yaml").rename(place.root / ".animus/v.yaml"),
        [("v.yaml", "added"), ("w.yaml", "removed")],
    ),
    "what a link leads to": (
        lambda place: (place.outside / "script").write_text("mean\n"),
        [("linked", "changed")],
    ),
    "what lies in a linked folder": (
        lambda place: (place.outside / "folder/script").write_text("mean\n"),
        [("folder/script", "changed")],
    ),
    "what is new in a linked folder": (
        lambda place: (place.outside / "folder/new").write_text("mean\n"),
        [("folder/new", "added")],
    ),
    "a link instead of the same content": (
        lambda place: (
            place.write("same", "text\n"),
            (place.root / ".animus/w.yaml").unlink(),
            place.link("w.yaml", "same"),
        ),
        [("same", "added"), ("w.yaml", "now a link to same")],
    ),
    "a link that leads elsewhere": (
        lambda place: ((place.root / ".animus/linked").unlink(), place.link("linked", "w.yaml")),
        [("linked", "now a link to w.yaml")],
    ),
    "a link that leads nowhere": (
        lambda place: (place.outside / "script").unlink(),
        [("linked", "became a link to {outside}/script")],
    ),
    "a link to a task": (
        lambda place: place.link("x.yaml", "tasks/TASK-001.md"),
        [("x.yaml", "added: a link to tasks/TASK-001.md")],
    ),
    "a pipe": (lambda place: os.mkfifo(place.root / ".animus/x"), [("x", "added: neither a file nor a folder")]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_every_change_of_what_is_executed_ends_the_trust_and_is_named(place: Place, edit: str) -> None:
    (place.outside / "folder").mkdir()
    for name in ("script", "folder/script"):
        (place.outside / name).write_text("text\n")
    place.write("w.yaml")
    place.write("tasks/TASK-001.md")
    place.link("linked", place.outside / "script")
    place.link("folder", place.outside / "folder")
    place.grant()
    check = TrustCheck(place.config, place.root)
    assert check.check().trusted
    change, wanted = EDITS[edit]
    change(place)
    assert place.changes == [(path, what.format(outside=place.outside)) for path, what in wanted]
    assert not place.trusted
    assert not check.check().trusted
    place.grant()
    assert check.check().trusted


def test_tasks_and_requirements_may_change_freely(place: Place) -> None:
    place.write("w.yaml")
    place.write("tasks/TASK-001.md")
    place.grant()
    place.write("tasks/TASK-001.md", "status: done\n")
    place.write("requirements/new/REQ-1.md")
    place.link("tasks/TASK-002.md", "TASK-001.md")
    os.mkfifo(place.root / ".animus/tasks/pipe")
    assert place.trusted


def test_a_task_that_is_reached_through_a_covered_link_is_covered_there(place: Place) -> None:
    place.write("tasks/x.yaml")
    place.link("workflows", "tasks")
    place.grant()
    assert place.trusted
    place.write("tasks/x.yaml", "mean\n")
    assert place.changes == [("workflows/x.yaml", "changed")]


@pytest.mark.usefixtures("no_hang")
def test_pipes_sockets_and_devices_are_named_and_never_opened(place: Place) -> None:
    os.mkfifo(place.root / ".animus/pipe")
    place.link("zero", "/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place.root / ".animus/socket"))
        seen = place.grant()
    assert seen.trusted
    kinds = {row["path"]: row["kind"] for row in json.loads(place.stored.read_text())["files"]}
    assert kinds == {"pipe": "special", "zero": "special", "socket": "special"}


@pytest.mark.usefixtures("no_hang")
def test_links_that_lead_in_circles_are_walked_once(place: Place) -> None:
    place.write("scripts/x")
    place.link("scripts/up", "..")
    place.link("self", "self")
    place.link("all", "../.animus")
    place.grant()
    assert place.trusted
    place.write("scripts/x", "mean\n")
    assert place.changes == [("scripts/x", "changed")]


def test_the_folder_itself_may_be_a_link_and_then_its_target_counts(place: Place) -> None:
    (place.root / ".animus").rmdir()
    for name in ("one", "two"):
        (place.outside / name).mkdir()
        (place.outside / name / "w.yaml").write_text("text\n")
    (place.root / ".animus").symlink_to(place.outside / "one")
    place.grant()
    assert place.trusted
    (place.root / ".animus").unlink()
    (place.root / ".animus").symlink_to(place.outside / "two")
    assert place.changes == [(".", f"now a link to {place.outside}/two")]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (Bounds(files=2), "more than 2 files"),
        (Bounds(size_bytes=1 << 20), "more than 1 MiB"),
        (Bounds(seen=3), "more than 3 paths"),
    ],
)
def test_what_is_too_much_to_look_through_cannot_be_trusted(place: Place, bounds: Bounds, message: str) -> None:
    for number in range(5):
        place.write(f"x{number}", "x" * (300 << 10))
    with pytest.raises(InvalidInput, match=message):
        place.grant(bounds=bounds)
    assert not inspect(place.config, place.root, bounds=bounds).trusted
    assert not place.stored.exists()
    place.grant(mode="auto")
    assert not TrustCheck(place.config, place.root, bounds=bounds).check().trusted


def test_what_cannot_be_read_is_named_and_forbids_trust_in_every_mode(place: Place) -> None:
    place.write("w.yaml")
    place.grant(mode="auto")
    place.link("memory", "/proc/self/mem")  # a regular file that nobody can read from its beginning
    seen = place.inspect()
    assert (seen.trusted, seen.grantable) == (False, False)
    assert ".animus/memory: cannot be read" in seen.reason
    with pytest.raises(InvalidInput, match="memory"):
        place.grant()


def test_a_file_without_an_end_is_not_read_to_it(place: Place) -> None:
    place.link("endless", "/proc/self/environ")  # its size is 0, its content is not
    assert "it changes while it is read" in place.inspect().reason


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..")
)
ENTRIES = st.builds(
    Entry,
    path=NAMES,
    kind=st.sampled_from(["file", "link", "loop", "special"]),
    executable=st.booleans(),
    target=st.none() | NAMES,
    sha256=st.sampled_from(["", "a", "b"]),
    size_bytes=st.just(0),
    text=st.none() | st.sampled_from(["", "x"]),
)
TREES = st.lists(ENTRIES, max_size=5, unique_by=lambda entry: entry.path)


@settings(max_examples=100, deadline=None)
@given(TREES, TREES)
def test_two_trees_have_one_digest_exactly_when_they_execute_the_same(one: list[Entry], other: list[Entry]) -> None:
    same = {entry._replace(text=None) for entry in one} == {entry._replace(text=None) for entry in other}
    assert (digest_of(one) == digest_of(other)) is same
    assert digest_of(reversed(one)) == digest_of(one)
