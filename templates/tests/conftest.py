"""What the tests of the templates share: a home without any file of cookiecutter's, and a copy of the templates."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import animus_templates


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates that a test may change; it is what is rendered from then on."""
    copy = tmp_path / "animus_templates"
    shutil.copytree(Path(animus_templates.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("animus_templates.rendering._TEMPLATES", copy)
    monkeypatch.setattr("animus_templates.finish._SHARED", copy / "shared")
    return copy


@pytest.fixture
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, with its content."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
