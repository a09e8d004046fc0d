"""A host for the real plugin process, and the project that it watches; every wait has a deadline."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 30
_SOURCES = Path(__file__).parents[1] / "src"


class Host:
    """Speaks to one plugin process, one JSON value a line."""

    def __init__(self, root: Path, config_dir: Path, scope: str | None, env: dict[str, str], before: Sequence[str]):
        self._root = root
        self._scope = scope
        self._stderr_path = config_dir.parent / "stderr"
        self._stderr = self._stderr_path.open("ab")
        paths = os.pathsep.join(filter(None, (str(_SOURCES), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "animus_trigger_files"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=root,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, "ANIMUS_CONFIG_DIR": str(config_dir), **env},
        )
        self._ids = 0
        self._replies: dict[int, dict[str, Any]] = {}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def stderr(self) -> str:
        return self._stderr_path.read_text()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def notify(self, method: str, **params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole reply: `result` or `error`."""
        self._ids += 1
        self._send({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        while self._ids not in self._replies:
            self._take()
        return self._replies.pop(self._ids)

    def call(self, method: str, **params: Any) -> Any:
        reply = self.ask(method, **params)
        assert "error" not in reply, (reply, self.stderr)
        return reply["result"]

    def event(self) -> dict[str, Any]:
        """The next `trigger/event`."""
        while True:
            for index, (method, params) in enumerate(self.told):
                if method == "trigger/event":
                    del self.told[index]
                    return params
            self._take()

    def changes(self) -> dict[str, str]:
        """The changes that the next event lists; it is acknowledged."""
        event = self.event()
        self.call("trigger/ack", event_id=event["event_id"], status="queued")
        return changes_of(event)

    def watch(self, **config: Any) -> int:
        """Watch with one trigger, `t`, without a debounce; the id of the request."""
        return self.watch_all({"id": "t", "workflow_ref": "verify", "config": {"debounce_secs": 0, **config}})

    def watch_all(self, *triggers: dict[str, Any], cursor: Any = None) -> int:
        assert self.call("trigger/watch", config={"triggers": triggers}, cursor=cursor) == {"watching": True}
        return self._ids

    def end_watch(self, request_id: int) -> None:
        self.notify("$/cancelRequest", id=request_id)

    def _send(self, frame: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")
        self.process.stdin.flush()

    def _take(self) -> None:
        line = self._lines.get(timeout=DEADLINE_S)
        assert line, f"the plugin has ended: {self.stderr}"
        frame = json.loads(line)
        if "method" in frame:
            self.told.append((frame["method"], frame["params"]))
        else:
            self._replies[frame["id"]] = frame

    def begin(self) -> dict[str, Any]:
        binding = {"project_root": str(self._root), **({"repo_scope": self._scope} if self._scope else {})}
        result: dict[str, Any] = self.call(
            "initialize",
            protocol_version="1.1.0",
            host_info={"name": "test", "version": "0"},
            capabilities={"streaming": True, "progress": True, "cancellation": True},
            init_extensions={"project_binding": binding},
        )
        self.notify("initialized")
        return result

    def end(self) -> int:
        """An orderly end; the exit code."""
        self.call("shutdown")
        self.notify("exit")
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            assert stream is not None
            stream.close()


def put(path: Path, text: str) -> Path:
    """Write a file as editors do: whole from the first moment, by renaming another one over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}~")
    beside.write_text(text)
    return beside.replace(path)


def changes_of(event: dict[str, Any]) -> dict[str, str]:
    return {change["path"]: change["change"] for change in event["payload"]["changes"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    (made / "src").mkdir(parents=True)
    return made


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def host(root: Path, config_dir: Path) -> Iterator[Callable[..., Host]]:
    """Starts a plugin process that has answered `initialize`; any number of times."""
    hosts: list[Host] = []

    def start(
        *, at: Path = root, scope: str | None = "demo-1", env: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> Host:
        hosts.append(Host(at, config_dir, scope, env or {}, before))
        hosts[-1].begin()
        return hosts[-1]

    config_dir.parent.mkdir(exist_ok=True)
    yield start
    for one in hosts:
        one.close()
