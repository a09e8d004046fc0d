"""Tests build with public names and look at what comes of it; what is private stays so, but for a reason."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NO_SUCH_CALL = "it stands for a system that has no such call"
COPIED = "a copy that the test may damage is rendered, and no author is to be offered another place"
AT_ONCE = "whether batches are committed together is otherwise a matter of luck"
RACE = "nobody outside meets the moment after an answer"
COMMANDS = "argparse shows its tree in no other way"
ALLOWED = {
    "core/tests/cli/test_tree_of_commands.py: _SubParsersAction": COMMANDS,
    "core/tests/cli/test_tree_of_commands.py: _actions": COMMANDS,
    "core/tests/control/test_control_streams_have_no_gap_and_no_repeat.py: _peers": "the memory of the whole process",
    "core/tests/control/test_control_streams_have_no_gap_and_no_repeat.py: _pump": "says less than what is kept here",
    "core/tests/docs/test_documentation_is_true.py: _SubParsersAction": COMMANDS,
    "core/tests/docs/test_documentation_is_true.py: _actions": COMMANDS,
    "core/tests/supply/test_fingerprints_cover_what_is_executed.py: _sources_of": "only our own environment has one",
    "plugins/animus-log-jsonl/tests/test_log_survives.py: _count_lines": "the test counts how often that is done",
    "plugins/animus-log-jsonl/tests/test_log_survives.py: _thread": AT_ONCE,
    "plugins/animus-log-jsonl/tests/test_log_survives.py: _writer": AT_ONCE,
    "plugins/animus-subject-files/tests/test_concurrent_editors_lose_nothing.py: _renameat2": NO_SUCH_CALL,
    "plugins/animus-subject-files/tests/test_concurrent_editors_lose_nothing.py: _take_lease": NO_SUCH_CALL,
    "sdk/tests/http/test_http_server_ends_slow_clients.py: _TimedProtocol": "how much a kernel's buffer takes at once",
    "sdk/tests/http/test_http_server_ends_slow_clients.py: _expect_less": "differs from machine to machine",
    "sdk/tests/peer/test_peer_answers_every_call_once.py: _received": RACE,
    "sdk/tests/peer/test_peer_answers_every_call_once.py: _send": RACE,
    "sdk/tests/peer/test_peer_any_interleaving.py: _connection": "that nothing is kept has no effect outside",
    "sdk/tests/test_what_authors_import.py: _params_model": "the test fails when that is called",
    "templates/tests/conftest.py: _SHARED": COPIED,
    "templates/tests/conftest.py: _TEMPLATES": COPIED,
}
"""Each with the reason why a public name would not do."""

PUBLIC = frozenset({"_replace", "_asdict", "_fields", "_make", "_exit"})
"""Of named tuples and of `os`, whose documentation offers them."""


def touched_in(source: str) -> Iterator[str]:
    """The private names of others that a file reads, calls or patches; what it defines itself is its own."""
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_own(node)}
    for node in ast.walk(tree):
        names: list[str | None] = []
        match node:
            case ast.Attribute(attr=attribute) if not _is_own(node) and attribute not in own:
                names = [attribute]
            case ast.ImportFrom(names=imported):
                names = [name.name for name in imported]
            case ast.Call(func=ast.Attribute(attr="setattr" | "object") | ast.Name(id="setattr"), args=arguments):
                names = [text.value for text in arguments[:2] if isinstance(text, ast.Constant)]
            case ast.Call(func=ast.Attribute(attr="update", value=ast.Call(func=ast.Name(id="vars")))):
                names = [word.arg for word in node.keywords]
        last_parts = (name.rpartition(".")[2] for name in names if isinstance(name, str))
        private = (name for name in last_parts if name.startswith("_") and not name.startswith("__"))
        yield from (name for name in private if name not in PUBLIC)


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def sources_of_tests() -> list[str]:
    """Planted faults are no tests: to be somebody's inside is what they are for."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, check=True, capture_output=True, timeout=20)
    names = listed.stdout.decode().split("\0")
    return [name for name in names if "/tests/" in name and "/planted/" not in name and "{" not in name]


def test_no_private_name_is_touched_but_those_with_a_reason() -> None:
    sources = sources_of_tests()
    assert len(sources) > 150
    found = {
        f"{source}: {name}"
        for source in sources
        if (ROOT / source).exists()
        for name in touched_in((ROOT / source).read_text(encoding="utf-8"))
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
        ("daemon.runs._live['r'] = 1", ["_live"]),
        ("os.dup2(full, writer._fd)", ["_fd"]),
        ("await runs._tasks()", ["_tasks"]),
        ("from module import _x", ["_x"]),
        ("self._x = 1\nmodule.x = 1\nother._x = 2\nmonkeypatch.setattr(module, 'x', 1)\nthing.__doc__ = ''", []),
        ("def _x(): ...\nitem._replace(y=1)\nhelper._x()", []),
    ],
)
def test_a_private_name_is_found_in_every_spelling(code: str, found: list[str]) -> None:
    assert list(touched_in(code)) == found
