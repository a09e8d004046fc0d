"""The glossary is the law: what it names exists, and the words that it retires are nobody's name."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
SHORT = {
    "core/": "core/src/animus_core/",
    "protocol/": "sdk/src/animus_protocol/",
    "sdk/": "sdk/src/animus_sdk/",
    "conformance/": "conformance/src/animus_conformance/",
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = GLOSSARY.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def places() -> list[str]:
    text = GLOSSARY.read_text(encoding="utf-8").partition("\n## Names of helpers")[0]
    return re.findall(r"\| `([^`|]+)` \|$", text, re.MULTILINE)


def retired() -> frozenset[str]:
    return frozenset(word.strip() for row in rows("Retired words") for word in row[0].split(","))


def spelled(words: Iterable[str]) -> re.Pattern[str]:
    """Finds one of these words in a name, as `told_all`, `AllTold` or `TOLD_ALL` has it; `toll` has it not."""
    words = sorted(words)
    small, capital, large = ("|".join(map(case, words)) for case in (str.lower, str.capitalize, str.upper))
    return re.compile(f"(?<![a-z])(?:{small})(?![a-z])|(?:{capital})(?![a-z])|(?<![A-Z])(?:{large})(?![A-Za-z])")


def names_in(path: Path, word: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Every name with this word that a file gives to something; the names of tests are sentences."""
    yield from ((line, name) for line, name in all_names_in(path, word) if word.search(name))


def all_names_in(path: Path, word: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    if not path.stem.startswith("test_"):
        yield 1, path.stem
    text = path.read_text(encoding="utf-8")
    if not word.search(text):
        return  # no name has it then: two thirds of the files need not be parsed
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                if not node.name.startswith("test_"):
                    yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.py"], cwd=ROOT, check=True, capture_output=True, timeout=20
    ).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name and "{" not in name]
    return [path for path in paths if path.exists()]


def test_every_term_lives_where_the_glossary_says() -> None:
    found = places()
    assert len(found) > 60
    for place in found:
        short = next((short for short in SHORT if place.startswith(short)), "")
        long = SHORT.get(short, "") + place.removeprefix(short)
        assert (ROOT / long).exists() or (ROOT / place).exists(), place


def test_every_file_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    homes = [ROOT, *(ROOT / long for long in SHORT.values()), ROOT / "templates/src/animus_templates"]
    rooms = [path for home in homes for path in home.glob("*/") if path.is_dir()]
    named = set(re.findall(r"`([\w/.-]+\.(?:py|toml|sql))`", text))
    assert len(named) > 60
    missing = [name for name in named if not any((home / name).exists() for home in [*homes, *rooms, *deeper(rooms)])]
    assert not missing


def deeper(rooms: list[Path]) -> list[Path]:
    return [path for room in rooms for path in room.glob("*/") if path.is_dir()]


def test_no_term_has_two_rows() -> None:
    terms = re.findall(r"^\| ([^`|]+?) \| [^|]+ \| [^|]*\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    terms = [term for term in terms if term != "term"]
    assert len(terms) > 60
    assert len(terms) == len(set(terms))


def test_retired_words_are_nobodys_name() -> None:
    assert {"told", "doorbell", "gate"} <= retired()
    word = spelled(retired())
    used = [f"{path.relative_to(ROOT)}:{line}: {name}" for path in sources() for line, name in names_in(path, word)]
    assert not used, "\n".join(used)


@pytest.mark.parametrize(
    ("name", "is_used"),
    [
        ("told", True),
        ("_told_all", True),
        ("TOLD_1", True),
        ("ToldTwice", True),
        ("AllTold", True),
        ("toll", False),
        ("untold", False),
        ("TOLDER", False),
    ],
)
def test_a_retired_word_is_found_in_every_spelling(name: str, is_used: bool, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f"{name} = 1\n")
    assert bool(list(names_in(file, spelled(retired())))) is is_used
