"""Trust is recorded outside the repository, fails closed, is checked around each use, and its changes are shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from animus_core.errors import Conflict, InvalidInput, NotTrusted
from animus_core.errors import InvalidInput as Refused
from animus_core.supply.trust import coverage as trust_coverage
from animus_core.supply.trust.coverage import Bounds, Entry
from animus_core.supply.trust.diff import unified_diff
from animus_core.supply.trust.trust import TrustCheck, diff, grant, inspect, is_trusted, revoke
from trust_repository import Place


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


def test_a_trust_check_opens_no_file_while_nothing_moves(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_file_that_has_just_changed_is_read_again_although_its_times_and_size_stay(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.write("w.yaml")
    found = trust_coverage.survey(place.root, Bounds()).found
    opened: list[Path] = []
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda name, *rest: opened.append(Path(name)) or real_open(name, *rest))
    reader = trust_coverage.Reader(Bounds())
    assert reader.read(found) == reader.read(found)  # it may have changed again within the same tick of the clock
    assert opened == [path] * 2


def test_what_is_loaded_through_a_trust_check_is_trusted_before_and_after(place: Place) -> None:
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


def _raise(error: Exception) -> str:
    raise error
