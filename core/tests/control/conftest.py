"""A project whose control socket is answered by this process."""

from __future__ import annotations

import pytest

from animus_core.store.paths import Scope
from control_client import WORKFLOWS


@pytest.fixture
def scope(tmp_path_factory: pytest.TempPathFactory) -> Scope:
    """In a folder whose path is short enough for sockets."""
    base = tmp_path_factory.mktemp("c")
    (base / "p" / ".animus").mkdir(parents=True)
    (base / "p" / ".animus" / "workflows.yaml").write_text(WORKFLOWS)
    made = Scope.of(base / "p", {"ANIMUS_CONFIG_DIR": str(base / "cfg")})
    made.create()
    return made
