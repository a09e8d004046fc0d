"""Tests give a bound, a wait or a stand-in to what they build; they put nothing in the place of a private name."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NO_SUCH_CALL = "it stands for a system that has no such call"
COPIED = "a copy that the test may damage is rendered, and no author is to be offered another place"
ALLOWED = {
    "plugins/animus-log-jsonl/tests/test_log_survives.py: _count_lines": "the test counts how often that is done",
    "plugins/animus-subject-files/tests/test_concurrent_editors_lose_nothing.py: _renameat2": NO_SUCH_CALL,
    "plugins/animus-subject-files/tests/test_concurrent_editors_lose_nothing.py: _take_lease": NO_SUCH_CALL,
    "sdk/tests/peer/test_peer_answers_every_call_once.py: _send": "nobody outside meets the moment after an answer",
    "sdk/tests/test_what_authors_import.py: _params_model": "the test fails when that is called",
    "templates/tests/conftest.py: _SHARED": COPIED,
    "templates/tests/conftest.py: _TEMPLATES": COPIED,
}
"""Each with the reason why it is better patched."""


def patched_in(source: str) -> Iterator[str]:
    """The private names that a file gives another value; `self._x` is one's own."""
    for node in ast.walk(ast.parse(source)):
        names: list[str | None] = []
        match node:
            case ast.Attribute(ctx=ast.Store(), attr=attribute, value=value):
                own = isinstance(value, ast.Name) and value.id in ("self", "cls")
                names = [] if own else [attribute]
            case ast.Call(func=ast.Attribute(attr="setattr" | "object") | ast.Name(id="setattr"), args=arguments):
                names = [text.value for text in arguments[:2] if isinstance(text, ast.Constant)]
            case ast.Call(func=ast.Attribute(attr="update", value=ast.Call(func=ast.Name(id="vars")))):
                names = [word.arg for word in node.keywords]
        last_parts = (name.rpartition(".")[2] for name in names if isinstance(name, str))
        yield from (name for name in last_parts if name.startswith("_") and not name.startswith("__"))


def sources_of_tests() -> list[str]:
    """Planted faults are no tests: to be somebody's inside is what they are for."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, check=True, capture_output=True, timeout=20)
    names = listed.stdout.decode().split("\0")
    return [name for name in names if "/tests/" in name and "/planted/" not in name and "{" not in name]


def test_no_private_name_is_patched_but_those_with_a_reason() -> None:
    sources = sources_of_tests()
    assert len(sources) > 150
    found = {
        f"{source}: {name}"
        for source in sources
        if (ROOT / source).exists()
        for name in patched_in((ROOT / source).read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("monkeypatch.setattr(module, '_WAIT_S', 1)", ["_WAIT_S"]),
        ("patch.setattr('package.module._WAIT_S', 1)", ["_WAIT_S"]),
        ("setattr(module, '_x', 1)", ["_x"]),
        ("mock.patch.object(module, '_x')", ["_x"]),
        ("vars(module).update(_x=1, y=2)", ["_x"]),
        ("daemon.runs._live = {}", ["_live"]),
        ("self._x = 1\nmodule.x = 1\nmonkeypatch.setattr(module, 'x', module._x)\nthing.__doc__ = ''", []),
    ],
)
def test_a_patched_name_is_found_in_every_spelling(code: str, found: list[str]) -> None:
    assert list(patched_in(code)) == found
