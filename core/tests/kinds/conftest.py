"""A backend whose subjects are watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from watched_backend import BACKEND, SERVE, Host, Hosting, MakePlugin, Store


@pytest.fixture
def hosting(make_plugin: MakePlugin, tmp_path: Path) -> Hosting:
    """A backend that serves tasks from a store with one of them, A; nothing of it may be left at the end."""

    @contextlib.asynccontextmanager
    async def host(code: str = "", *capabilities: str) -> AsyncIterator[Host]:
        before = asyncio.all_tasks()
        store = Store(tmp_path)
        store.put("A")
        served = ["subject_kind:task", "task/list", "task/get", "task/watch", *capabilities]
        made = Host(make_plugin(BACKEND + code + SERVE, capabilities=served), store)
        try:
            yield made
        finally:
            tasks = [watcher.task for watcher in made.watchers]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await made.router.close()
            assert asyncio.all_tasks() == before

    return host
