"""The tree of commands costs a command line only what it needs."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

from animus_core.cli.main import build_parser
from animus_core.version import VERSION


def leaves(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command with the words that lead to it."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for word, child in group.choices.items():
            yield from leaves(child, *words, word)
    if not groups:
        yield words, parser


def imported_by(code: str) -> set[str]:
    """Every module that an interpreter has loaded after `code`."""
    show = f"{code}\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


@pytest.mark.bare
def test_help_imports_nothing_but_parsers() -> None:
    imported = imported_by("from animus_core.cli.main import build_parser; build_parser()")
    ours = {name for name in imported if name.startswith("animus_core.") and not name.startswith("animus_core.cli")}
    assert not ours
    assert not {"asyncio", "json", "logging", "pydantic", "rich"} & imported


@pytest.mark.bare
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_an_option_that_only_prints_imports_next_to_nothing(option: str) -> None:
    imported = imported_by(
        f"import sys; from animus_core.cli.main import main\n"
        f"sys.stdout = sys.stderr\n"
        f"try: main([{option!r}])\n"
        f"except SystemExit: pass\n"
        f"sys.stdout = sys.__stdout__"
    )
    # Each of them takes longer than all that these options do.
    assert not {"importlib.metadata", "pathlib", "pydantic", "shutil", "typing"} & imported


def test_the_version_is_that_of_the_distribution() -> None:
    assert version("animus-runtime") == VERSION


@pytest.mark.bare
@pytest.mark.parametrize("group", ["daemon", "queue", "subject", "workflow"])
def test_a_command_that_a_daemon_answers_imports_nothing_of_what_the_daemon_does(group: str) -> None:
    imported = imported_by(f"import animus_core.cli.{group}.commands")
    rooms = {name.split(".")[1] for name in imported if name.startswith("animus_core.")}
    assert rooms <= {"cli", "control", "errors", "store", "terminal"}
    assert not {"animus_core.store.database", "asyncio", "pydantic", "rich", "sqlite3", "yaml"} & imported


def test_the_words_of_a_command_line_make_the_same_parser_of_its_command_as_all_commands_have() -> None:
    every = dict(leaves(build_parser()))
    assert ("plugin", "template", "check") in every
    for words, parser in every.items():
        assert dict(leaves(build_parser(words)))[words].format_help() == parser.format_help()
        assert callable(parser.get_default("handler"))


def test_a_command_line_makes_the_parsers_of_no_other_group() -> None:
    made = {words[0] for words, _ in leaves(build_parser(["queue", "list"])) if len(words) > 1}
    assert made == {"queue"}
