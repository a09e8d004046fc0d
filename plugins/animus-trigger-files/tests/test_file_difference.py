"""What is told and what is remembered of two states of the files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from animus_trigger_files.changes import Change, ChangeKind, compare, describe, rebase
from animus_trigger_files.fingerprint import Fingerprint, is_same, read_fingerprint
from animus_trigger_files.patterns import Selection
from animus_trigger_files.scan import Scan

_PRINTS = st.builds(Fingerprint, st.sampled_from(["", "1", "2"]), st.sampled_from([b"", b"x", b"y"]))
_FILES = st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"]), _PRINTS)
_UNSEEN = st.dictionaries(st.sampled_from(["", "a", "d", "d/e"]), st.just("denied"), max_size=1)


@given(_FILES, _FILES, _UNSEEN)
def test_the_memory_becomes_what_is_there_and_each_change_is_found_once(
    known: dict[str, Fingerprint], found: dict[str, Fingerprint], unseen: dict[str, str]
) -> None:
    scan = Scan(files=found, unseen=unseen)
    difference = compare(known, scan)
    memory = {path: old for path, old in {**known, **difference.kept}.items() if path not in difference.gone}
    again = compare(memory, scan)
    assert not again.kept
    assert not again.gone
    kinds = {change.path: change.kind for change in difference.changes}
    assert {path for path, kind in kinds.items() if kind is ChangeKind.ADDED} == found.keys() - known.keys()
    assert {path for path, kind in kinds.items() if kind is ChangeKind.DELETED} == set(difference.gone)
    assert all(memory[path] == found.get(path, known.get(path)) for path in memory)


@given(_FILES)
def test_what_could_not_be_seen_is_not_deleted(known: dict[str, Fingerprint]) -> None:
    assert compare(known, Scan(unseen={"": "away"})).gone == []
    below = compare(known, Scan(unseen={"d": "denied"}))
    assert {*below.gone} == {path for path in known if not path.startswith("d/")}


@given(_PRINTS, _PRINTS)
def test_two_read_contents_decide_and_stamps_only_without_them(old: Fingerprint, new: Fingerprint) -> None:
    if old.digest and new.digest:
        assert is_same(old, new) == (old.digest == new.digest)
    else:
        assert is_same(old, new) == (old.stamp == new.stamp and old.stamp != "")


def test_other_paths_of_a_trigger_are_remembered_in_silence_and_the_shared_ones_still_compared() -> None:
    root = Path("/project")
    one, two = Fingerprint("1", b"x"), Fingerprint("2", b"y")
    before, now = Selection(root, ["a", "b"], []), Selection(root, ["b", "c"], [])
    known = {"a/old": one, "b/same": one, "b/deleted": one}
    found = Scan(files={"b/same": two, "b/added": two, "c/new": two})
    difference = rebase(known, found, before, now)
    assert (difference.changes, difference.kept, difference.gone) == ([], {"c/new": two}, ["a/old"])
    memory = {"b/same": one, "b/deleted": one, "c/new": two}
    assert {change.path for change in compare(memory, found).changes} == {"b/same", "b/deleted", "b/added"}


def test_ten_thousand_changes_are_listed_within_bounds_and_the_rest_counted() -> None:
    long = "é" * 2_000
    for prefix, listed in (("", 1_000), (long, None)):
        changes = [Change(f"{prefix}{number:05}", ChangeKind.ADDED) for number in range(10_000)]
        payload = describe(changes)
        assert len(payload["changes"]) + payload["more"] == 10_000
        assert len(json.dumps(payload, ensure_ascii=False).encode()) < 512 * 1024
        assert listed is None or len(payload["changes"]) == listed


def test_a_name_that_is_not_utf_8_is_shown_escaped_and_given_exactly_beside_it() -> None:
    row = describe([Change(os.fsdecode(b"caf\xe9"), ChangeKind.ADDED)])["changes"][0]
    assert row == {"path": "caf\\xe9", "change": "added", "path_base64": "Y2Fm6Q=="}


def test_a_file_is_read_again_only_when_its_stamp_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    first = read_fingerprint(str(path), None, follow=False, with_content=True)
    assert first is not None
    assert (first.stamp, len(first.digest)) == ("", 32)  # so fresh that a second write might not show in the stamp
    other = Fingerprint(_settled_stamp(path), b"remembered")
    assert read_fingerprint(str(path), other, follow=False, with_content=True) is other
    moved = read_fingerprint(str(path), Fingerprint("another", b"remembered"), follow=False, with_content=True)
    assert moved is not None
    assert moved.digest == first.digest


def _settled_stamp(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"


def test_a_file_that_is_too_large_to_read_and_a_pipe_do_not_hold_the_look_up(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    os.mkfifo(tmp_path / "pipe")
    found = read_fingerprint(str(large), None, follow=False, with_content=True)
    assert found == Fingerprint(_settled_stamp(large), b"")
    assert read_fingerprint(str(tmp_path / "pipe"), None, follow=False, with_content=True) is None
