"""Events have one writer: whoever asks what an event may say has one module to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import animus_core
from animus_core.store.statements import statements

SOURCES: Final = Path(animus_core.__file__).parent


def _writers(statement: str) -> Iterator[str]:
    """The modules of the core that name `statement`."""
    for path in sorted(SOURCES.rglob("*.py")):
        text = path.read_text()
        nodes = ast.walk(ast.parse(text)) if statement in text else ()
        if any(isinstance(node, ast.Constant) and node.value == statement for node in nodes):
            yield path.relative_to(SOURCES).as_posix()


def test_only_one_statement_inserts_into_the_table_of_events():
    assert [name for name, sql in statements().items() if "into event " in sql.lower()] == ["event_insert"]


def test_only_one_module_executes_it():
    assert list(_writers("event_insert")) == ["daemon/events.py"]
    assert len(list(_writers("run_get"))) > 1  # the search does find more than one where there is more than one
