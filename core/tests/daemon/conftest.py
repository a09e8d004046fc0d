"""A scope on disk, its database, and dispatches to put into its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from animus_core.store.paths import Scope
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef

DEADLINE_S = 45.0


@pytest.fixture
def within() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end, on a loop of its own, in at most 45 s."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(asyncio.wait_for(work, DEADLINE_S))

    return run


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    """A project and its state folder."""
    root = tmp_path / "project"
    root.mkdir()
    made = Scope.of(root, {"ANIMUS_CONFIG_DIR": str(tmp_path / "config")})
    made.create()
    return made


@pytest.fixture
def dispatch() -> Callable[..., SubjectDispatch]:
    """Build a dispatch; `minute` sets when it was requested."""

    def build(
        subject: str, workflow: str = "w", priority: str | None = None, minute: int = 0, kind: str = "task"
    ) -> SubjectDispatch:
        return SubjectDispatch(
            subject=SubjectRef(kind=kind, id=subject),
            workflow_ref=workflow,
            trigger_source="test",
            requested_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
            priority=priority,
        )

    return build
