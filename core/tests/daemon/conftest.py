"""A scope on disk, its database, and dispatches to put into its queue."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from animus_core.store.database import Database
from animus_core.store.paths import Scope
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from scripted_runners import Daemon, Using


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    """A project and its state folder."""
    root = tmp_path / "project"
    root.mkdir()
    made = Scope.of(root, {"ANIMUS_CONFIG_DIR": str(tmp_path / "config")})
    made.create()
    return made


@pytest.fixture
async def database(scope: Scope) -> AsyncIterator[Database]:
    """The scope's database, open."""
    async with await Database.open(scope.workflow_db) as opened:
        yield opened


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


@pytest.fixture
def using(scope: Scope) -> Using:
    @asynccontextmanager
    async def opened(script: list[str]) -> AsyncIterator[Daemon]:
        async with await Database.open(scope.workflow_db) as database:
            yield Daemon(scope, database, script)

    return opened


@pytest.fixture
def barrier(tmp_path: Path) -> Path:
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path
