"""Trust covers everything under `.animus/` that is executed, notices each change of it, and fails closed."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.errors import Conflict, InvalidInput, NotTrusted
from animus_core.errors import InvalidInput as Refused
from animus_core.supply.trust import coverage as trust_coverage
from animus_core.supply.trust.coverage import Bounds, Entry, digest_of
from animus_core.supply.trust.diff import unified_diff
from animus_core.supply.trust.store import TrustStore
from animus_core.supply.trust.trust import Trust, TrustCheck, diff, grant, inspect, is_trusted, revoke

HANG_S = 10


class Place:
    """A repository, a configuration directory beside it, and something outside of both."""

    def __init__(self, folder: Path) -> None:
        self.root, self.config, self.outside = folder / "project", folder / "config", folder / "outside"
        for path in (self.root / ".animus", self.config, self.outside):
            path.mkdir(parents=True)

    def write(self, name: str, text: str = "text\n", mode: int = 0o644) -> Path:
        path = self.root / ".animus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def link(self, name: str, target: str | Path) -> Path:
        path = self.root / ".animus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def grant(self, **options: Any) -> Trust:
        return grant(self.config, self.root, **options)

    def inspect(self) -> Trust:
        return inspect(self.config, self.root)

    @property
    def trusted(self) -> bool:
        return is_trusted(self.config, self.root)

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [tuple(change) for change in self.inspect().changes]

    @property
    def stored(self) -> Path:
        return TrustStore(self.config, self.root).path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path.resolve())


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


def test_only_the_owner_reads_what_is_kept_and_nothing_of_it_lies_in_the_repository(place: Place) -> None:
    place.write("w.yaml")
    place.grant()
    assert (place.stored.stat().st_mode & 0o777, place.stored.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in place.root.rglob("*")] == [".animus", "w.yaml"]
    inside = place.root / "config"
    inside.mkdir()
    with pytest.raises(InvalidInput, match="lies in the repository itself"):
        grant(inside, place.root)
    assert "lies in the repository itself" in inspect(inside, place.root).reason


def _edited(**changes: Any) -> Callable[[Place], None]:
    def edit(place: Place) -> None:
        record = json.loads(place.stored.read_text())
        place.stored.write_text(json.dumps({**record, **changes}))

    return edit


SPOILED: dict[str, tuple[Callable[[Place], object], str]] = {
    "empty": (lambda place: place.stored.write_text(""), "broken, or of another version"),
    "cut": (lambda place: os.truncate(place.stored, 40), "broken, or of another version"),
    "not UTF-8": (lambda place: place.stored.write_bytes(b"\xff{}"), "broken, or of another version"),
    "a list": (lambda place: place.stored.write_text("[]"), "broken, or of another version"),
    "another version": (_edited(v=2), "broken, or of another version"),
    "another mode": (_edited(mode="always"), "broken, or of another version"),
    "a field too many": (_edited(more=True), "broken, or of another version"),
    "files that do not fit": (_edited(files=[]), "its digest is not that of its files"),
    "another digest": (_edited(digest="0" * 64), "its digest is not that of its files"),
    "another root": (_edited(root="/elsewhere"), "is about another folder, /elsewhere"),
    "others may write it": (lambda place: place.stored.chmod(0o620), "others may write"),
    "others may write its folder": (lambda place: place.stored.parent.chmod(0o777), "others may write"),
    "a link": (
        lambda place: (
            place.stored.rename(place.stored.with_suffix(".x")),
            place.stored.symlink_to(f"{place.stored.stem}.x"),
        ),
        "cannot be read",
    ),
    "a folder": (lambda place: (place.stored.unlink(), place.stored.mkdir(mode=0o700)), "cannot be read"),
    "removed": (lambda place: place.stored.unlink(), "was never trusted"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("mode", ["ask", "auto"])
def test_a_record_that_cannot_be_relied_on_counts_as_no_trust_and_says_why(
    place: Place, spoiled: str, mode: Any
) -> None:
    place.write("w.yaml")
    place.grant(mode=mode)
    check = TrustCheck(place.config, place.root)
    assert check.check().trusted
    spoil, message = SPOILED[spoiled]
    spoil(place)
    for seen in (place.inspect(), check.check()):
        assert (seen.trusted, seen.mode) == (False, "ask")
        assert message in seen.reason


def test_two_repositories_of_one_name_do_not_share_trust_and_a_moved_one_loses_it(place: Place) -> None:
    place.write("w.yaml")
    place.grant()
    other = place.outside / "project"
    place.root.rename(other)
    assert not is_trusted(place.config, other)
    other.rename(place.root)
    assert place.trusted


def test_a_grant_is_for_what_was_shown_and_for_nothing_that_came_after(place: Place) -> None:
    place.write("w.yaml")
    shown = place.inspect()
    place.write("w.yaml", "mean\n")
    with pytest.raises(Conflict, match="has changed since it was shown"):
        place.grant(expected_digest=shown.digest)
    with pytest.raises(Conflict, match="has changed since it was shown"):
        diff(place.config, place.root, of_digest=shown.digest)
    assert not place.trusted


def test_trust_that_is_taken_back_is_gone_and_taking_it_back_twice_is_fine(place: Place) -> None:
    place.write("w.yaml")
    place.grant(mode="auto")
    check = TrustCheck(place.config, place.root)
    assert check.check().trusted
    assert revoke(place.config, place.root)
    assert not revoke(place.config, place.root)
    place.write("w.yaml", "mean\n")
    assert not check.check().trusted
    assert not place.stored.exists()


def test_in_the_mode_auto_a_change_is_trusted_and_recorded_and_asking_again_keeps_what_was_recorded(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.write("w.yaml")
    place.grant(mode="auto")
    check = TrustCheck(place.config, place.root)
    place.write("w.yaml", "other\n")
    assert (place.trusted, place.changes) == (True, [("w.yaml", "changed")])
    with caplog.at_level("INFO", "animus.trust"):
        assert check.check().trusted
    assert "trusted automatically: .animus/w.yaml (changed)" in caplog.text
    assert place.changes == []
    assert place.grant(mode="ask").mode == "ask"
    assert check.check().trusted
    place.write("w.yaml", "mean\n")
    assert not check.check().trusted
    assert place.grant().mode == "ask"


def test_a_gate_opens_no_file_while_nothing_moves(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.write("w.yaml")
    place.write("other")
    place.grant()
    # Or the test would have to wait for the files to age.
    check = TrustCheck(place.config, place.root, bounds=Bounds(settled_ns=-1))
    assert check.check().trusted
    read: list[str] = []
    really = os.open

    def noted(at: str | Path, *arguments: int, **options: int) -> int:
        if Path(at).is_relative_to(path.parent):
            read.append(Path(at).name)
        return really(at, *arguments, **options)

    monkeypatch.setattr(os, "open", noted)
    assert check.check().trusted
    assert read == []
    facts = path.stat()
    path.write_text("TEXT\n")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_mtime_ns == facts.st_mtime_ns
    assert not check.check().trusted
    assert read == ["w.yaml"]


def test_a_file_that_has_just_changed_is_read_again_although_its_times_and_size_stay(place: Place) -> None:
    place.write("w.yaml")
    place.grant()
    reader = trust_coverage.Reader(Bounds())
    found = trust_coverage.survey(place.root, Bounds()).found
    (before,), _ = reader.read(found)
    known = reader._known["w.yaml"]
    reader._known["w.yaml"] = (known[0], known[1]._replace(sha256="of an earlier moment of the same tick"), known[2])
    assert reader.read(found)[0] == [before]


def test_what_is_loaded_through_the_gate_is_trusted_before_and_after(place: Place) -> None:
    path = place.write("w.yaml", "good\n")
    check = TrustCheck(place.config, place.root)
    with pytest.raises(NotTrusted, match="never trusted"):
        check.load(path.read_text)
    place.grant()
    assert check.load(path.read_text) == "good\n"
    reads: list[str] = []

    def swapped_while_it_is_read() -> str:
        if not reads:
            path.write_text("mean\n")
        reads.append(path.read_text())
        path.write_text("good\n")
        return reads[-1]

    with pytest.raises(NotTrusted, match="changes without pause"):
        check.load(swapped_while_it_is_read)
    assert reads[0] == "mean\n"


def test_an_error_in_a_file_that_moved_meanwhile_is_not_held_against_the_trusted_one(place: Place) -> None:
    path = place.write("w.yaml", "good\n")
    place.grant()
    check = TrustCheck(place.config, place.root)
    tries: list[str] = []

    def broken_once() -> str:
        tries.append(path.read_text())
        if len(tries) == 1:
            path.write_text("half")
            path.write_text("good\n")
            raise Refused("half a file")
        return tries[-1]

    assert check.load(broken_once) == "good\n"
    with pytest.raises(Refused, match="always"):
        check.load(lambda: _raise(Refused("always")))


def test_bytes_that_no_trusted_file_has_never_get_through_the_check(place: Place) -> None:
    place.write("w.yaml", "good\n")
    data = place.write("tasks/TASK-001.md", "mean\n")
    place.grant()
    check = TrustCheck(place.config, place.root)
    with pytest.raises(NotTrusted, match="trust does not cover"):
        check.load(data.read_text, lambda text: [trust_coverage.hashlib.sha256(text.encode()).hexdigest()])


def test_a_change_is_shown_as_a_diff_in_which_a_terminal_finds_nothing_to_obey(place: Place) -> None:
    place.write("w.yaml", "one\ntwo\n")
    place.write("picture", "\0" * 10)
    place.grant()
    place.write("w.yaml", "one\nt\x1b[31mw\x9bo\u202e\r\n")
    place.write("picture", "\0" * 2000)
    place.write("e\x1b[2Jvil\n+++ good\udcff\\", "x", mode=0o755)
    place.write("tail", "no end")
    shown = diff(place.config, place.root)
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert shown.splitlines() == [
        "--- (nothing)",
        "+++ .animus/e\\x1b[2Jvil\\n+++ good\\udcff\\\\",
        "# added, executable",
        "@@ -0,0 +1 @@",
        "+x \\ no newline at the end",
        "--- .animus/picture",
        "+++ .animus/picture",
        "# changed",
        "# not shown as text: 10 bytes → 2,000 bytes",
        "--- (nothing)",
        "+++ .animus/tail",
        "# added",
        "@@ -0,0 +1 @@",
        "+no end \\ no newline at the end",
        "--- .animus/w.yaml",
        "+++ .animus/w.yaml",
        "# changed",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+t\\x1b[31mw\\x9bo\\u202e\\r",
    ]


def test_a_diff_is_bounded_and_says_so(place: Place) -> None:
    old = Entry("x", "file", False, None, "1", 9, "".join(f"{number}\n" for number in range(30_000)))
    new = old._replace(sha256="2", text="".join(f"{number % 7}\n" for number in range(30_000)))
    lines = unified_diff([old], [new]).splitlines()
    assert len(lines) == 2001
    assert lines[-1] == "… more follows: look at the files themselves before you trust them"
    near = old._replace(sha256="3", text=str(old.text).replace("\n15000\n", "\nmean\n"))
    assert unified_diff([old], [near]).splitlines()[3:] == ["@@ from line 15001 @@", "-15000", "+mean"]
    long = old._replace(sha256="4", text="x" * 9000 + "\n")
    assert unified_diff([], [long]).splitlines()[-1].endswith("… (8501 more characters)")


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


def _raise(error: Exception) -> str:
    raise error
