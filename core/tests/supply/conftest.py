"""What tests of discovery and of trust find on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_places import Places
from trust_repository import Place


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    made = Places(tmp_path)
    for name in ("ANIMUS_PLUGIN_DIR", "ANIMUS_PLUGIN_PATH", "ANIMUS_CACHE_DIR", "ANIMUS_DISABLE_MANIFEST_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path.resolve())
