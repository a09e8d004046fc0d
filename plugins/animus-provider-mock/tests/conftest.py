"""Fixtures: a project with a script, a run below the plugin with a recorder, and a host for the real process."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from animus_provider_mock.match import facts_of
from animus_provider_mock.record import Record
from animus_provider_mock.runner import Errand, Runner

DEADLINE_S = 20.0
CONTRACT = {"workflow_id": "w", "subject_id": "TASK-001", "subject_kind": "task", "phase_id": "implement", "attempt": 1}


class Recorder:
    """Stands for the SDK's context: keeps what is streamed, as `(method, fields…)`."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    async def output(self, text: str, *, final: bool = False) -> None:
        self.events.append(("output", text))

    async def thinking(self, text: str) -> None:
        self.events.append(("thinking", text))

    async def tool_call(self, name: str, arguments: Any, server: str | None = None) -> None:
        self.events.append(("toolCall", name, arguments, server))

    async def tool_result(self, name: str, output: Any, *, success: bool = True) -> None:
        self.events.append(("toolResult", name, output, success))

    async def error(self, message: str, *, recoverable: bool) -> None:
        self.events.append(("error", message, recoverable))

    @property
    def text(self) -> str:
        return "".join(event[1] for event in self.events if event[0] == "output")


class Project:
    """A project directory; `run` and `resume` follow its script without any process."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.env = {"ANIMUS_MOCK_STATE_DIR": str(state)}
        self.garbage: list[str] = []

    def script(self, text: str, name: str = ".animus/mock.yaml") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def steps(self, *steps: Mapping[str, Any], **keys: Any) -> Path:
        return self.script(json.dumps({"scripts": [{"steps": steps, **keys}]}))

    def errand(self, session: str, prompt: str, model: str, contract: object) -> Errand:
        return Errand(session, facts_of(prompt, model, contract), self.root, {"FROM_REQUEST": "yes"})

    async def run(self, **how: Any) -> tuple[Record, Recorder]:
        return await self._follow("run", **how)

    async def resume(self, **how: Any) -> tuple[Record, Recorder]:
        return await self._follow("resume", **how)

    async def _follow(
        self,
        verb: str,
        *,
        stream: Recorder | None = None,
        session: str = "s1",
        prompt: str = "Make it so.",
        contract: object = CONTRACT,
        model: str = "mock-1",
    ) -> tuple[Record, Recorder]:
        async def garbage(text: str) -> None:
            self.garbage.append(text)

        recorder = stream or Recorder()
        runner = Runner(self.root, self.env, garbage)
        errand = self.errand(session, prompt, model, contract)
        return await (runner.run if verb == "run" else runner.resume)(errand, recorder), recorder


class Host:
    """The other end of a real plugin process: newline-delimited JSON-RPC, every wait bounded."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.process = subprocess.Popen(
            [sys.executable, "-m", "animus_provider_mock"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=project.root,
            env={"PATH": os.environ["PATH"], **project.env},
        )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._drain)]
        for thread in self._threads:
            thread.start()
        self.broken: list[bytes] = []
        self.seen: list[dict[str, Any]] = []
        self._next = 0
        self.ask(
            "initialize",
            protocol_version="1.1.0",
            host_info={"name": "test", "version": "1"},
            capabilities={"streaming": True, "progress": False, "cancellation": True},
            init_extensions={"project_binding": {"project_root": str(project.root)}},
        )
        self.tell("initialized")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read()

    def send(self, method: str, params: Mapping[str, Any]) -> int:
        self._next += 1
        self._write({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
        return self._next

    def tell(self, method: str, **params: Any) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def message(self, timeout_s: float = DEADLINE_S) -> dict[str, Any] | None:
        """The next message, None at the end of the wire; a line that is not JSON goes to `broken`."""
        while (line := self._lines.get(timeout=timeout_s)) is not None:
            try:
                message: dict[str, Any] = json.loads(line)
            except ValueError:
                self.broken.append(line)
                continue
            self.seen.append(message)
            return message
        return None

    def reply(self, number: int) -> dict[str, Any] | None:
        """The reply to a request, None when the process ended first."""
        for message in self.seen:
            if message.get("id") == number:
                return message
        while (message_ := self.message()) is not None:
            if message_.get("id") == number:
                return message_
        return None

    def ask(self, method: str, **params: Any) -> dict[str, Any] | None:
        return self.reply(self.send(method, params))

    def start(self, method: str = "agent/run", **params: Any) -> int:
        given = {"prompt": "Make it so.", "cwd": str(self.project.root), "runtime_contract": CONTRACT}
        return self.send(method, {**given, **params})

    def until(self, method: str) -> dict[str, Any]:
        """The next notification of this method."""
        while (message := self.message()) is not None:
            if message.get("method") == method:
                return message
        raise AssertionError(f"the process ended before {method}")

    def wait(self) -> int:
        return self.process.wait(timeout=DEADLINE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=DEADLINE_S)
        for thread in self._threads:
            thread.join(timeout=DEADLINE_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("answer = 41\n")
    return Project(root, tmp_path / "state")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def host(project: Project) -> Iterator[Callable[[], Host]]:
    """Starts plugin processes for the project; all are ended with the test."""
    started: list[Host] = []

    def start() -> Host:
        started.append(Host(project))
        return started[-1]

    yield start
    for each in started:
        each.close()
