"""An agent-runner on a real socket, with the real mock provider."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from animus_core.agent_runner.server import AgentRunner
from animus_core.agent_runner.session import CancelTimings
from animus_core.control.sockets import listen
from animus_core.store.paths import Scope
from animus_core.supply.discovery.discover import Candidate, Discovery, Plugin
from animus_core.supply.discovery.manifest import probe
from animus_protocol.models.lifecycle import ProjectBinding

Serving = Callable[..., AbstractAsyncContextManager[AgentRunner]]


@pytest.fixture(scope="session")
def mock_plugin() -> Plugin:
    """The installed mock provider."""
    command = (str(Path(sys.executable).with_name("animus-provider-mock")),)
    candidate = Candidate("animus-provider-mock", command, "environment")
    return Plugin(candidate, asyncio.run(probe(candidate.name, command)))


@pytest.fixture
def scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scope:
    """A project with a folder for scripts, and its state folder."""
    monkeypatch.setenv("ANIMUS_MOCK_STATE_DIR", str(tmp_path / "sessions"))
    monkeypatch.delenv("ANIMUS_MOCK_SCRIPT", raising=False)
    root = tmp_path / "project"
    (root / ".animus").mkdir(parents=True)
    made = Scope.of(root, {"ANIMUS_CONFIG_DIR": str(tmp_path / "config")})
    made.create()
    return made


@pytest.fixture
def script(scope: Scope) -> Callable[[str], None]:
    """Write the mock's script, as the steps of its only entry, one a line."""

    def write(steps: str) -> None:
        lines = "".join(f"      - {line.strip()}\n" for line in steps.strip().splitlines())
        (scope.project_root / ".animus" / "mock.yaml").write_text(f"scripts:\n  - steps:\n{lines}")

    return write


@pytest.fixture
def socket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path that is short enough for a socket."""
    return tmp_path_factory.mktemp("s") / "s"


@pytest.fixture
def serving(scope: Scope, mock_plugin: Plugin, socket: Path) -> Serving:
    """An agent-runner that answers at `socket`; leaving the context ends it as the process would."""

    @asynccontextmanager
    async def serve(timings: CancelTimings = CancelTimings()) -> AsyncIterator[AgentRunner]:  # noqa: B008 - constants
        async def found() -> Discovery:
            return Discovery((mock_plugin,), ())

        runner = AgentRunner(
            scope, ProjectBinding(project_root=str(scope.project_root), repo_scope="scope"), found, timings=timings
        )
        listener = listen(socket, runner.dispatcher(), "runner")
        try:
            yield runner
        finally:
            await runner.close()
            await listener.close()

    return serve
