"""Fixtures: a log opened in this process, and a host for the real plugin process. Every wait has a deadline."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

import animus_log_jsonl
from animus_log_jsonl.log import JsonlLog
from animus_log_jsonl.settings import LogSettings
from animus_sdk import LogEntry, LogQuery, LogQueryResult
from raw_host import RawHost

DEADLINE_S = 20
T = TypeVar("T")


def make_json(number: int, **fields: Any) -> dict[str, Any]:
    """An entry as a host sends it; its time is `number` seconds after midnight."""
    at = f"2026-03-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    entry_fields = {
        "id": f"e-{number}",
        "ts": at,
        "level": "info",
        "source": "daemon",
        "target": "t",
        "message": f"m {number}",
    }
    return {**entry_fields, **fields}


class OpenLog:
    """`JsonlLog` in short words: numbers stand for entries."""

    def __init__(self, log: JsonlLog) -> None:
        self.log = log

    async def store(self, *numbers: int, **fields: Any) -> int:
        return await self.log.store([LogEntry.model_validate(make_json(number, **fields)) for number in numbers])

    def page(self, **query: Any) -> LogQueryResult:
        return self.log.query(LogQuery.model_validate(query), lambda: False)

    def ids(self, **query: Any) -> list[str]:
        return [entry.id for entry in self.page(**query).entries]

    def last_error(self) -> str | None:
        return self.log.damage.report().last_error


class Host(RawHost):
    """A host of one plugin process."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        source = str(Path(animus_log_jsonl.__file__).parents[1])
        environment = {"HOME": str(root), "PYTHONPATH": source, **env}
        super().__init__(
            [sys.executable, "-m", "animus_log_jsonl"], cwd=root, env=environment, stderr=subprocess.DEVNULL
        )

    def begin(self, repo_scope: str | None = None) -> None:
        binding = {"project_root": str(self.cwd), **({"repo_scope": repo_scope} if repo_scope else {})}
        self.initialize(init_extensions={"project_binding": binding})

    def store(self, *entries: dict[str, Any]) -> int:
        stored: int = self.result("log_storage/store", entries=list(entries))["stored"]
        return stored

    def ids(self, **query: Any) -> list[str]:
        """The ids of all pages."""
        page = self.result("log_storage/query", **query)
        found = [entry["id"] for entry in page["entries"]]
        while "next_cursor" in page:
            page = self.result("log_storage/query", **query, cursor=page["next_cursor"])
            found += [entry["id"] for entry in page["entries"]]
        return found


@pytest.fixture
def json_of() -> Callable[..., dict[str, Any]]:
    return make_json


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where `open_log` and `host` keep the log."""
    return tmp_path / "logs" / "log.jsonl"


@pytest.fixture(scope="session")
def open_log_at() -> Callable[..., AbstractAsyncContextManager[OpenLog]]:
    """Opens the log at a path; keywords are settings."""

    @asynccontextmanager
    async def opened(path: Path, **changes: Any) -> AsyncIterator[OpenLog]:
        log = await JsonlLog.open(LogSettings(path, **changes))
        try:
            yield OpenLog(log)
        finally:
            await log.close()

    return opened


@pytest.fixture
def open_log(
    open_log_at: Callable[..., AbstractAsyncContextManager[OpenLog]], path: Path
) -> Callable[..., AbstractAsyncContextManager[OpenLog]]:
    """`open_log_at` for `path`."""
    return functools.partial(open_log_at, path)


@pytest.fixture
def host(tmp_path: Path, path: Path) -> Iterator[Callable[..., Host]]:
    """Starts plugin processes; all are ended with the test."""
    started: list[Host] = []

    def start(**env: str) -> Host:
        started.append(Host(tmp_path, {"ANIMUS_LOG_FILE_PATH": str(path), **env}))
        return started[-1]

    yield start
    for each in started:
        each.close()
