"""A JSON file is the old or the new one, never half of one, and a broken one is kept for people to look at."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.errors import InvalidInput, RetryLater
from animus_core.store import json_files
from animus_core.store.json_files import (
    read_json_or_default,
    write_json_atomic,
    write_json_if_missing,
    write_json_pretty,
)

REWRITE = """
import sys
from pathlib import Path
from animus_core.store.json_files import write_json_atomic

turn = 0
while True:
    turn += 1
    write_json_atomic(Path(sys.argv[1]), {"turn": turn, "filling": "x" * (turn * 997 % 50_000)})
    print(turn, flush=True)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(st.dictionaries(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.integers()))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json_atomic(path, {"value": list(value.items())})
    assert read_json_or_default(path, {}) == {"value": [list(item) for item in value.items()]}


def test_content_is_flushed_before_the_file_gets_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[object, list[str]]] = []
    monkeypatch.setattr(json_files, "sync_data", lambda fd: steps.append((os.fstat(fd).st_size, names(tmp_path))))
    monkeypatch.setattr(json_files, "sync_directory", lambda folder: steps.append((folder, names(tmp_path))))
    for write in (write_json_atomic, write_json_if_missing):
        write(tmp_path / f"{write.__name__}.json", 1)
        (size_bytes, before), (folder, after) = steps
        assert size_bytes == 2
        assert f"{write.__name__}.json" not in before
        assert folder == tmp_path
        assert f"{write.__name__}.json" in after
        steps.clear()


def test_files_are_private_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "a.json", {"é": 1})
    write_json_pretty(tmp_path / "b.json", {"é": [1]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{"é":1}\n'
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == '{\n  "é": [\n    1\n  ]\n}\n'
    assert names(tmp_path) == ["a.json", "b.json"]
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)} == {0o600}


def test_a_value_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "a.json", 1)
    for wrong in (float("nan"), object(), "\ud800"):
        with pytest.raises(InvalidInput, match=r"a.json: the value to write is not JSON"):
            write_json_atomic(tmp_path / "a.json", wrong)
    assert read_json_or_default(tmp_path / "a.json", 0) == 1


def test_a_disk_without_room_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json_atomic(tmp_path / "a.json", 1)
    real_write = os.write

    def torn_write(fd: int, content: bytes) -> int:
        if len(content) < 10:
            raise OSError(28, os.strerror(28))
        return real_write(fd, content[:10])

    monkeypatch.setattr(os, "write", torn_write)
    with pytest.raises(RetryLater, match=r"a.json: No space left on device"):
        write_json_atomic(tmp_path / "a.json", "x" * 33)
    monkeypatch.undo()
    assert read_json_or_default(tmp_path / "a.json", 0) == 1
    assert names(tmp_path) == ["a.json"]


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for turns in range(1, 11):
        with subprocess.Popen([sys.executable, "-c", REWRITE, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(turns):
                turn = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        value = json.loads(path.read_bytes())
        assert value["turn"] >= turn
        assert len(value["filling"]) == value["turn"] * 997 % 50_000


def test_a_file_that_is_there_is_never_replaced_by_a_first_one(tmp_path: Path) -> None:
    assert write_json_if_missing(tmp_path / "a.json", {"first": True})
    assert not write_json_if_missing(tmp_path / "a.json", {"second": True})
    assert read_json_or_default(tmp_path / "a.json", {}) == {"first": True}
    (tmp_path / "broken.json").write_text("{")
    assert not write_json_if_missing(tmp_path / "broken.json", {})
    assert (tmp_path / "broken.json").read_text() == "{"
    assert names(tmp_path) == ["a.json", "broken.json"]


def write_first(folder: str, number: int) -> bool:
    return write_json_if_missing(Path(folder) / "a.json", {"writer": number, "filling": "x" * 100_000})


def test_of_several_first_writers_one_wins_whole(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for turn in range(10):
            folder = tmp_path / str(turn)
            folder.mkdir()
            won = pool.starmap_async(write_first, [(str(folder), number) for number in range(8)], chunksize=1).get(30)
            assert won.count(True) == 1
            assert json.loads((folder / "a.json").read_bytes())["writer"] == won.index(True)
            assert names(folder) == ["a.json"]


def test_a_missing_file_is_the_default(tmp_path: Path) -> None:
    assert read_json_or_default(tmp_path / "a.json", {"paused": False}) == {"paused": False}
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b"null", b"[" * 100_000])
def test_a_broken_file_is_set_aside_and_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    reports: list[str] = []
    for number in (1, 2):
        path.write_bytes(content)
        assert read_json_or_default(path, {"paused": False}, report=reports.append) == {"paused": False}
        assert (tmp_path / f"a.json.broken-{number}").read_bytes() == content
        assert reports[-1].startswith(f"{path}: broken (")
        assert f"kept as a.json.broken-{number}" in reports[-1]
    assert names(tmp_path) == ["a.json.broken-1", "a.json.broken-2"]


def test_a_broken_file_is_logged_where_nobody_asks_for_reports(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json").write_text("{")
    assert read_json_or_default(tmp_path / "a.json", None) is None
    assert "kept as a.json.broken-1" in caplog.text


def test_a_file_that_cannot_be_read_is_not_taken_for_broken(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(RetryLater, match=r"a.json: Is a directory"):
        read_json_or_default(tmp_path / "a.json", {})
    assert names(tmp_path) == ["a.json"]
