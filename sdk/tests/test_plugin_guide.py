"""The Python on the guide's page and in the README: short, importable, and without a mistake.

Both pages are carried out as a whole by the core's tests of the documentation; here each program is looked at alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from animus_sdk import Plugin

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "write-a-plugin.md"
README = ROOT / "sdk" / "README.md"
BLOCK = re.compile(r"^```python(?: title=(?P<title>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def programs(page: Path) -> dict[str, str]:
    """Every Python block of a page, by its file's name or, without one, by the line where it begins."""
    text = page.read_text(encoding="utf-8")
    named = [(found["title"], text.count("\n", 0, found.start()) + 1, found["body"]) for found in BLOCK.finditer(text)]
    return {
        title.rpartition("/")[2].removesuffix(".py") if title else f"line_{line}": body for title, line, body in named
    }


@pytest.fixture
def _guide_modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name in programs(GUIDE):
            del sys.modules[name]


def test_a_subject_backend_takes_25_lines_and_a_streaming_provider_20() -> None:
    shown = programs(GUIDE)
    for name, most in (("letters", 25), ("scribe", 20)):
        lines = shown[name].splitlines()
        assert lines[0] == "#!/usr/bin/env python3"
        assert lines[-1].strip().startswith("serve(")
        assert len(lines) <= most, f"{name} has {len(lines)} lines"
        assert all(len(line) <= 120 for line in lines)


@pytest.mark.usefixtures("_guide_modules")
@pytest.mark.parametrize("page", [GUIDE, README], ids=lambda page: page.stem)
def test_every_program_can_be_imported_and_its_plugins_have_no_mistake(page: Path) -> None:
    plugins = []
    for name, body in programs(page).items():
        module = ModuleType(name)
        exec(compile(body, f"{page.name}:{name}", "exec"), module.__dict__)  # noqa: S102 - it is our own page
        sys.modules[name] = module
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == name:
                assert value.mistakes() == [], name
                assert value.manifest().name == value.name
                plugins.append(value.__name__)
    wanted = (
        {"Letters", "Scribe", "Mail", "Journal", "Page", "Bell", "Office", "Archive", "Sloppy"}
        if page == GUIDE
        else {"Echo"}
    )
    assert wanted <= set(plugins)
