"""Which files a configuration selects, and which folders must be entered to find them."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_sdk import InvalidParams
from animus_trigger_files.patterns import Selection

ROOT = Path("/project")


def selection(*paths: str, ignore: tuple[str, ...] = ()) -> Selection:
    return Selection(ROOT, paths, ignore, where="trigger t: ")


@pytest.mark.parametrize(
    ("pattern", "selected", "not_selected"),
    [
        ("src", ["src", "src/a", "src/b/c/d.py"], ["srcs", "a/src", "a"]),
        ("src/", ["src/a"], ["srcs/a"]),
        (".", ["a", "a/b/c"], []),
        ("/project/src", ["src/a"], ["a"]),
        ("*.py", ["a.py", ".py"], ["a/b.py", "a.pyc"]),
        ("src/*", ["src/a", "src/.hidden"], ["src/a/b", "src"]),
        ("src/**", ["src/a", "src/a/b/c"], ["src", "srcs/a"]),
        ("**/*.py", ["a.py", "a/b/c.py"], ["a.py/b"]),
        ("**/**/x", ["x", "a/b/x"], ["ax"]),
        ("src/**/test_?.py", ["src/test_1.py", "src/a/b/test_x.py"], ["src/test_10.py", "test_1.py"]),
        ("a/*/c/**/*.[ch]", ["a/b/c/x.c", "a/b/c/d/e/x.h"], ["a/b/x.c", "a/b/d/c/x.c", "a/b/c/x.o"]),
        ("[!a-c]x", ["dx", "-x"], ["ax", "bx", "/x", "x"]),
        ("[!-a]x", ["bx"], ["-x", "ax"]),
        ("a[[]id[]]", ["a[id]"], ["ai"]),
        ("a\nb*", ["a\nb", "a\nbc\n"], ["a"]),
    ],
)
def test_a_path_selects_files_by_its_glob(pattern: str, selected: list[str], not_selected: list[str]) -> None:
    chosen = selection(pattern)
    assert [path for path in selected if not chosen.selects(path)] == []
    assert [path for path in not_selected if chosen.selects(path)] == []


@pytest.mark.parametrize(
    ("ignore", "left_out", "still_there"),
    [
        ("*.pyc", ["a.pyc", "a/b.pyc", "x.pyc/y"], ["a.py"]),
        ("node_modules", ["node_modules/a", "a/node_modules/b/c"], ["node_modules2"]),
        ("build/", ["build/a", "a/build/x"], ["building"]),
        ("/project/build", ["build/a"], ["a/build/x"]),
        ("docs/*.md", ["docs/a.md"], ["docs/a/b.md", "a.md"]),
        ("**/__pycache__/**", ["__pycache__/x", "a/__pycache__/b/c"], ["a/x"]),
    ],
)
def test_ignore_leaves_out_files_and_whole_folders(ignore: str, left_out: list[str], still_there: list[str]) -> None:
    chosen = selection(".", ignore=(ignore,))
    assert [path for path in left_out if chosen.selects(path)] == []
    assert [path for path in still_there if not chosen.selects(path)] == []


def test_folders_that_hold_nothing_for_the_trigger_are_not_entered() -> None:
    chosen = selection("packages/*/src/**/*.py", "docs/readme.md", ignore=("**/__pycache__/**", "vendor"))
    entered = ["", "packages", "packages/a", "packages/a/src", "packages/a/src/b/c", "docs"]
    assert [folder for folder in entered if not chosen.enters(folder)] == []
    passed = ["src", "packages/a/node_modules", "packages/a/src/__pycache__", "packages/vendor", "docs/img", ".git"]
    assert [folder for folder in passed if chosen.enters(folder)] == []


def test_version_control_and_temporary_files_are_passed_over_unless_a_path_names_them() -> None:
    temporary = [".git/HEAD", "a/.git/x/y", "a~", ".a.py.swp", ".#a", "#a#", "b/4913", ".goutputstream-X"]
    assert [path for path in temporary if selection(".", "**").selects(path)] == []
    assert selection(".git/refs/**").selects(".git/refs/heads/main")
    assert selection("notes~").selects("notes~")
    assert not selection(".git/refs/**").selects(".git/HEAD")


def test_our_own_state_is_never_watched() -> None:
    chosen = Selection(ROOT, ["."], [], excluded="state")
    assert not chosen.selects("state/demo/x")
    assert not chosen.enters("state")
    assert chosen.selects("states")


@pytest.mark.parametrize(
    ("paths", "ignore", "message"),
    [
        (["a", "../b"], [], r"trigger t: paths\[1\]: '../b' leaves the project - .*relative to its root"),
        (["a/../../b"], [], "leaves the project"),
        (["/etc/passwd"], [], "leaves the project"),
        (["/projects"], [], "leaves the project"),
        (["~/x"], [], "leaves the project"),
        ([" "], [], "is not a path"),
        (["a\0b"], [], "is not a path"),
        (["*.{js,ts}"], [], "braces are not expanded - write one entry for each"),
        (["a["], [], r"a `\[` without its `\]`"),
        (["[z-a]"], [], "no range of characters"),
        (["a"], ["../x"], r"trigger t: ignore\[0\]: '../x' leaves the project"),
        (["a"], ["."], r"ignore\[0\]: '.' is the whole project"),
        (["a"], ["x/[z-a]"], r"trigger t: ignore\[0\]: 'x/\[z-a\]': "),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused_with_its_place(
    paths: list[str], ignore: list[str], message: str
) -> None:
    with pytest.raises(InvalidParams, match=message):
        selection(*paths, ignore=tuple(ignore))


_NAMES = st.sampled_from(["a", "b", "ab", "a.py", ".git", "x~"])
_GLOBS = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "?", "[ab]", "*.py", ".git"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=5).map("/".join)
_PATTERNS = st.lists(_GLOBS, min_size=1, max_size=5).map("/".join)


@given(st.lists(_PATTERNS, min_size=1, max_size=3), st.lists(_PATTERNS.filter(lambda p: p), max_size=2), _PATHS)
def test_every_folder_above_a_selected_file_is_entered(patterns: list[str], ignore: list[str], path: str) -> None:
    chosen = selection(*patterns, ignore=tuple(ignore))
    if chosen.selects(path):
        folders = ["", *accumulate(path.split("/")[:-1], lambda above, name: f"{above}/{name}")]
        assert [folder for folder in folders if not chosen.enters(folder)] == []


@given(_PATTERNS, _PATHS)
def test_globs_mean_what_a_plain_recursive_matcher_says(pattern: str, path: str) -> None:
    names = path.split("/")
    if {".git", "x~"} & set(names) or not set("*?[") & set(pattern):
        return
    assert selection(pattern).selects(path) == _matches(pattern.split("/"), names)


def _matches(globs: list[str], names: list[str]) -> bool:
    if not globs or not names:
        return not globs and not names
    if globs[0] == "**":
        return any(_matches(globs[1:], names[skipped:]) for skipped in range(len(names))) or globs == ["**"]
    alone = {"*": True, "a*": names[0].startswith("a"), "?": len(names[0]) == 1, "[ab]": names[0] in ("a", "b")}
    fits = alone.get(globs[0], names[0].endswith(".py") if globs[0] == "*.py" else names[0] == globs[0])
    return fits and _matches(globs[1:], names[1:])
