"""What is seen while a plugin is worked on: how lines look, and which files count as edits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_core.cli.plugin.dev.view import View
from animus_core.services.dev.changes import counts
from animus_core.services.dev.target import Sources
from animus_core.services.dev.trace import NOISE, Frame, FrameLines, Remark, StderrLine, now

ESCAPE = b'{"jsonrpc":"2.0","id":1,"result":"' + "\x9b2J\u202e世界".encode() + b'"}'


class Screen:
    """A screen that keeps what is written."""

    def __init__(self, width: int | None = None, *, colored: bool = False) -> None:
        self.width, self.colored = width, colored
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines += text.splitlines()


def seen(line: bytes) -> Frame:
    (frame,) = FrameLines().feed("<", line + b"\n")
    return frame


def test_lines_are_cut_to_the_columns_of_the_screen_unless_all_is_wanted() -> None:
    long, short = seen('{"jsonrpc":"2.0","result":"世界世界世界世界"}'.encode()), seen(b'{"jsonrpc":"2.0","id":1}')
    screen = Screen(20)
    for frame in (long, short):
        View(screen, json_mode=False, full=False).show(frame)
        View(screen, json_mode=False, full=True).show(frame)
    assert screen.lines == [
        '< {…"result":"世界…',
        '< {"jsonrpc":"2.0","result":"世界世界世界世界"}',
        '< {…"id":1}',
        '< {"jsonrpc":"2.0","id":1}',
    ]


def test_nothing_that_a_plugin_writes_is_obeyed_by_the_terminal() -> None:
    screen = Screen()
    view = View(screen, json_mode=False, full=True)
    view.show(seen(ESCAPE))
    view.show(seen(b"\x1b]0;title\x07\xff"))
    view.show(StderrLine(now(), "\x1b[31mred"))
    view.show(Remark(now(), "answer", "took", {"result": {"a": "\x9b2J"}}))
    assert screen.lines[:3] == [
        '< {"jsonrpc":"2.0","id":1,"result":"\\x9b2J\\u202e世界"}',
        "<?\\x1b]0;title\\x07\ufffd",
        "! \\x1b[31mred",
    ]
    assert not [line for line in screen.lines if not line.isprintable()]


def test_long_answers_are_cut_to_some_lines() -> None:
    screen = Screen()
    answer = Remark(now(), "answer", "x took 1 ms", {"result": list(range(100))})
    View(screen, json_mode=False, full=False).show(answer)
    assert screen.lines[-1] == "  … 78 more lines (--full)"
    assert len(screen.lines) == 1 + 24 + 1


def test_a_text_with_breaks_of_its_own_stays_on_its_line() -> None:
    screen = Screen()
    View(screen, json_mode=False, full=False).show(Remark(now(), "answer", "took", {"result": "a\u2028b\x85c"}))
    assert screen.lines == ["= took", '  "a\\u2028b\\x85c"']


def test_programs_get_each_frame_as_it_was() -> None:
    screen = Screen()
    view = View(screen, json_mode=True, full=False)
    line = b'{"jsonrpc" :"2.0", "id":1, "result":1.50}'
    view.show(seen(line + b"\r"))
    assert screen.lines[0].endswith(f'"frame": {line.decode()}}}')
    view.show(seen(b"\xff no frame"))
    assert json.loads(screen.lines[1])["text"] == "\ufffd no frame"


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(0, 40)))
def test_lines_are_the_same_however_they_are_cut_into_chunks(parts: list[bytes], sizes: list[int]) -> None:
    whole, lines, found = b"\n".join(parts), FrameLines(), list[bytes]()
    begin = 0
    for size in [*sizes, len(whole)]:
        chunk, begin = whole[begin : begin + size], begin + size
        found += [frame.line for frame in lines.feed("<", chunk)] if chunk else []
    found += [frame.line for frame in lines.feed("<", b"")]
    assert found == [line for line in whole.split(b"\n") if line.strip()]


def test_a_line_without_an_end_is_given_in_pieces() -> None:
    lines = FrameLines(longest_bytes=10)
    assert list(lines.feed("<", b"1234567890")) == []
    (piece,) = lines.feed("<", b"x")
    assert (piece.line, piece.value) == (b"1234567890x", NOISE)


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        *(("plugin.py", True), ("deep/page.html", True), ("state.json", True), ("target.py", True)),
        *((".git/index", False), ("deep/__pycache__/plugin.cpython-311.pyc", False), (".venv/bin/python", False)),
        *((".plugin.py.swp", False), ("plugin.py~", False), ("deep/work.db-wal", False), ("events.jsonl", False)),
        *(("../other.py", False), (".", False)),
    ],
)
def test_what_programs_leave_is_no_edit(tmp_path: Path, path: str, edit: bool) -> None:
    sources = Sources(tmp_path, deep=True)
    assert counts(sources, Path(tmp_path, path).resolve()) is edit


def test_of_a_single_file_only_its_neighbours_count(tmp_path: Path) -> None:
    sources = Sources(tmp_path, deep=False, names=("tool", "*.py"))
    edits = [name for name in ("tool", "other.py", "notes.md", "deep/other.py") if counts(sources, tmp_path / name)]
    assert edits == ["tool", "other.py"]
