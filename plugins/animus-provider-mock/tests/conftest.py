"""Fixtures: a project with a script, a run below the plugin with a recorder, and a host for the real process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from animus_provider_mock.match import facts_of
from animus_provider_mock.record import GatheredResult
from animus_provider_mock.runner import Errand, Runner
from raw_host import RawHost

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

    async def run(self, **how: Any) -> tuple[GatheredResult, Recorder]:
        return await self._follow("run", **how)

    async def resume(self, **how: Any) -> tuple[GatheredResult, Recorder]:
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
    ) -> tuple[GatheredResult, Recorder]:
        async def garbage(text: str) -> None:
            self.garbage.append(text)

        recorder = stream or Recorder()
        runner = Runner(self.root, self.env, garbage)
        errand = self.errand(session, prompt, model, contract)
        return await (runner.run if verb == "run" else runner.resume)(errand, recorder), recorder


class Host(RawHost):
    """A host of the real process; what it writes beside messages is in `broken`."""

    def __init__(self, project: Project) -> None:
        super().__init__([sys.executable, "-m", "animus_provider_mock"], cwd=project.root, env=project.env)
        self.broken: list[bytes] = []
        self.initialize()

    def broken_line(self, line: bytes) -> None:
        self.broken.append(line)

    def start(self, method: str = "agent/run", **params: Any) -> int | str:
        given = {"prompt": "Make it so.", "cwd": str(self.cwd), "runtime_contract": CONTRACT}
        return self.send(method, {**given, **params})


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
