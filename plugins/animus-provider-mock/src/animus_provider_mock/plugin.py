"""The plugin: what the host calls, handed to `runner.py`, and what comes back, put on the wire.

Started by the console script; everything of substance lies below and is imported in `start`, so that `--manifest` is
quick.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

from animus_sdk import EnvRequirement, Provider, Unavailable, serve

if TYPE_CHECKING:
    from animus_provider_mock.record import GatheredResult
    from animus_provider_mock.runner import Errand, Runner
    from animus_sdk import AgentContext, AgentRunRequest, AgentRunResponse, ProjectBinding

__all__ = ["MockProvider", "main"]


class MockProvider(Provider):
    """Follows a script. Any model is accepted; a request without one is for `mock-1`."""

    name = "animus-provider-mock"
    version = "0.1.0"
    description = "A provider that follows a script: for tests, demos and workflow development."
    tool = "mock"
    models = ("mock-1",)
    env = (
        EnvRequirement(
            name="ANIMUS_MOCK_SCRIPT",
            description="The script, absolute or relative to the project root; default .animus/mock.yaml",
        ),
        EnvRequirement(
            name="ANIMUS_MOCK_STATE_DIR",
            description="Where sessions are kept for agent/resume; default: below the temporary directory",
        ),
    )
    wire_fd: ClassVar[int | None] = None
    """A descriptor of the wire for `fail: garbage`; None in tests, which have no wire of their own."""

    _runner: Runner | None = None

    async def start(self, project: ProjectBinding) -> None:
        """Remember the project; its script is read at each run. Raises InvalidParams for an unsafe state directory."""
        from animus_provider_mock.failures import RawWire
        from animus_provider_mock.runner import Runner

        self._runner = Runner(Path(project.project_root), os.environ, RawWire(self.wire_fd).write_line)

    async def stop(self) -> None:
        """End, unless the script has made this process hang: then it stays until SIGKILL, as a broken one would."""
        from animus_provider_mock.failures import stay_if_hung

        stay_if_hung()

    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> AgentRunResponse:
        """A new run. Raises InvalidParams for a mistake in the script, with file and line."""
        begun = time.monotonic()
        record = await self._ready().run(_errand(request, ctx, request.model or self.models[0]), ctx)
        return _response(record, ctx.session_id, begun)

    async def resume(self, request: AgentRunRequest, ctx: AgentContext) -> AgentRunResponse:
        """Go on with a session of this or of an earlier process. Raises NotFound for an unknown one."""
        begun = time.monotonic()
        record = await self._ready().resume(_errand(request, ctx, request.model or ""), ctx)
        return _response(record, ctx.session_id, begun)

    def _ready(self) -> Runner:
        if self._runner is None:
            raise Unavailable("not started: initialize comes first")
        return self._runner


def main() -> NoReturn:
    """The console script."""

    class OnStandardOutput(MockProvider):
        wire_fd = os.dup(1)  # before serve() moves the wire away; children do not inherit it

    serve(OnStandardOutput)


def _errand(request: AgentRunRequest, ctx: AgentContext, model: str) -> Errand:
    from animus_provider_mock.match import facts_of
    from animus_provider_mock.runner import Errand

    facts = facts_of(request.prompt, model, request.runtime_contract)
    return Errand(ctx.session_id, facts, Path(request.cwd), request.env)


def _response(record: GatheredResult, session_id: str, begun: float) -> AgentRunResponse:
    from animus_sdk import AgentRunResponse, TokenUsage

    tokens = {"input": 0, "output": 0, **record.tokens} if record.tokens else None
    return AgentRunResponse(
        session_id=session_id,
        exit_code=record.exit_code,
        output=record.output,
        duration_ms=int((time.monotonic() - begun) * 1000),
        backend="mock",
        metadata=record.metadata,
        tool_calls=record.tool_calls,
        tool_results=record.tool_results,
        thinking=record.thinking,
        errors=record.errors,
        tokens_used=TokenUsage(**tokens) if tokens else None,
        decision_verdict=record.verdict,
    )
