"""Fixtures: a log opened in this process, and a host for the real plugin process. Every wait has a deadline."""

from __future__ import annotations

import functools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

import animus_log_jsonl
from animus_log_jsonl.log import JsonlLog
from animus_log_jsonl.settings import Settings
from animus_protocol.models.log_storage import LogEntry, LogQuery, LogQueryResult

DEADLINE_S = 20
T = TypeVar("T")


def make_json(number: int, **fields: Any) -> dict[str, Any]:
    """An entry as a host sends it; its time is `number` seconds after midnight."""
    at = f"2026-03-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    told = {"id": f"e-{number}", "ts": at, "level": "info", "source": "daemon", "target": "t", "message": f"m {number}"}
    return {**told, **fields}


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


class Host:
    """Speaks to one plugin process as a host does: one JSON value a line."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        source = str(Path(animus_log_jsonl.__file__).parents[1])
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-m", "animus_log_jsonl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
            env={"PATH": os.environ["PATH"], "HOME": str(root), "PYTHONPATH": source, **env},
        )
        self._ids = 0
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._replies: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.is_reading = threading.Event()
        self.is_reading.set()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
            self.is_reading.wait(DEADLINE_S)
        self._lines.put(b"")

    def send(self, method: str, **params: Any) -> int:
        self._ids += 1
        self._write({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        return self._ids

    def notify(self, method: str, **params: Any) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def _write(self, frame: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(frame).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it was killed; whoever waits for the reply sees the end

    def reply(self, number: int) -> dict[str, Any] | None:
        """The reply to a request, None when the process ended without one."""
        while number not in self._replies:
            line = self._lines.get(timeout=DEADLINE_S)
            if not line:
                self._lines.put(b"")
                return None
            self._take(json.loads(line))
        return self._replies.pop(number)

    def _take(self, frame: dict[str, Any]) -> None:
        if "method" in frame:
            self.events.append(frame)
        else:
            self._replies[frame["id"]] = frame

    def call(self, method: str, **params: Any) -> Any:
        reply = self.reply(self.send(method, **params))
        assert reply is not None, f"the process ended instead of answering {method}"
        assert "error" not in reply, reply
        return reply["result"]

    def error(self, method: str, **params: Any) -> dict[str, Any]:
        reply = self.reply(self.send(method, **params))
        assert reply is not None
        error: dict[str, Any] = reply["error"]
        return error

    def event(self) -> dict[str, Any]:
        while not self.events:
            line = self._lines.get(timeout=DEADLINE_S)
            assert line, "the process ended instead of sending an event"
            self._take(json.loads(line))
        return self.events.pop(0)

    def initialize(self, repo_scope: str | None = None) -> dict[str, Any]:
        binding = {"project_root": str(self.root), **({"repo_scope": repo_scope} if repo_scope else {})}
        reply = self.reply(
            self.send(
                "initialize",
                protocol_version="1.1.0",
                host_info={"name": "test", "version": "0"},
                capabilities={"streaming": True, "progress": True, "cancellation": True},
                init_extensions={"project_binding": binding},
            )
        )
        assert reply is not None
        return reply

    def begin(self, repo_scope: str | None = None) -> None:
        reply = self.initialize(repo_scope)
        assert "result" in reply, reply
        self.notify("initialized")

    def store(self, *entries: dict[str, Any]) -> int:
        stored: int = self.call("log_storage/store", entries=list(entries))["stored"]
        return stored

    def ids(self, **query: Any) -> list[str]:
        """The ids of all pages."""
        page = self.call("log_storage/query", **query)
        found = [entry["id"] for entry in page["entries"]]
        while "next_cursor" in page:
            page = self.call("log_storage/query", **query, cursor=page["next_cursor"])
            found += [entry["id"] for entry in page["entries"]]
        return found

    def end(self) -> int:
        self.call("shutdown")
        self.notify("exit")
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass


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
        log = await JsonlLog.open(Settings(path, **changes))
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
