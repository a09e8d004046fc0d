"""The role of a provider: runs agents and streams what they do.

Subclassed by authors, driven by `session.py`; below it lie the wire models of `animus_protocol.models.provider`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from animus_protocol.errors import Code, RpcError
from animus_protocol.models import provider as wire
from animus_protocol.models.base import Method, WireModel
from animus_protocol.models.lifecycle import LOG_ENTRY, LogEntryParams, PluginCapabilities
from animus_sdk.call import Call
from animus_sdk.errors import Unsupported
from animus_sdk.plugin import Plugin, Route, overrides

__all__ = ["Context", "Provider"]


class Context:
    """A running session's way to the host. Every method waits for room, so a slow host slows the agent down."""

    def __init__(self, call: Call, session_id: str) -> None:
        self._call = call
        self.session_id = session_id

    async def output(self, text: str, *, final: bool = False) -> None:
        """A piece of the agent's answer; all pieces joined are the `output` of the result."""
        await self._send(
            wire.AGENT_OUTPUT, wire.AgentOutputParams(session_id=self.session_id, text=text, is_final=final)
        )

    async def thinking(self, text: str) -> None:
        """A piece of the agent's reasoning."""
        await self._send(wire.AGENT_THINKING, wire.AgentThinkingParams(session_id=self.session_id, text=text))

    async def tool_call(self, name: str, arguments: Any, server: str | None = None) -> None:
        """The agent calls a tool."""
        params = wire.AgentToolCallParams(session_id=self.session_id, name=name, arguments=arguments, server=server)
        await self._send(wire.AGENT_TOOL_CALL, params)

    async def tool_result(self, name: str, output: Any, *, success: bool = True) -> None:
        """A tool has answered."""
        params = wire.AgentToolResultParams(session_id=self.session_id, name=name, output=output, success=success)
        await self._send(wire.AGENT_TOOL_RESULT, params)

    async def error(self, message: str, *, recoverable: bool) -> None:
        """Something went wrong; with `recoverable` the session goes on."""
        params = wire.AgentErrorParams(session_id=self.session_id, message=message, recoverable=recoverable)
        await self._send(wire.AGENT_ERROR, params)

    async def log(self, level: str, message: str, **fields: Any) -> None:
        """A line for the daemon's log."""
        await self._send(LOG_ENTRY, LogEntryParams(level=level, message=message, fields=fields or None))

    async def _send(self, method: Method[Any, None], params: WireModel) -> None:
        await self._call.notify(method, params)


class Provider(Plugin):
    """Override `run`, and `resume` where a session outlives its process.

    Cancellation (`agent/cancel`, `$/cancelRequest`) is ordinary task cancellation inside `run`. A session's id is
    `request.session_id`; the SDK makes one up when the host sends none.
    """

    plugin_kind = "provider"
    tool: ClassVar[str]
    models: ClassVar[tuple[str, ...]] = ()

    async def run(self, request: wire.AgentRunRequest, ctx: Context) -> wire.AgentRunResponse:
        """Work on `request.prompt` in `request.cwd` until done."""
        raise Unsupported("agent/run")

    async def resume(self, request: wire.AgentRunRequest, ctx: Context) -> wire.AgentRunResponse:
        """Go on with the session `request.session_id`, whose process has ended. Raise NotFound for an unknown one."""
        raise Unsupported("agent/resume")

    def routes(self) -> Sequence[Route]:
        """`agent/run`, `agent/cancel`, and `agent/resume` where it is overridden."""
        self._live: dict[str, asyncio.Task[Any]] = {}
        routes = [Route(wire.AGENT_RUN, self._session(self.run)), Route(wire.AGENT_CANCEL, self._cancel)]
        if overrides(type(self), Provider, "resume"):
            routes.append(Route(wire.AGENT_RESUME, self._session(self.resume)))
        return routes

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """The methods of a provider (protocol §4)."""
        return frozenset({"agent/run", "agent/resume", "agent/cancel"})

    @classmethod
    def capabilities(cls) -> PluginCapabilities:
        """Streaming and cancellation always, `agent/resume` where it is overridden."""
        methods = ["agent/run", "agent/cancel", "health/check"]
        if overrides(cls, Provider, "resume"):
            methods.insert(1, "agent/resume")
        return PluginCapabilities(methods=methods, streaming=True, cancellation=True)

    def _session(
        self, work: Callable[[wire.AgentRunRequest, Context], Awaitable[wire.AgentRunResponse]]
    ) -> Callable[[wire.AgentRunRequest, Call], Awaitable[object]]:
        async def handle(request: wire.AgentRunRequest, call: Call) -> object:
            if request.session_id is None:
                request = request.model_copy(update={"session_id": uuid.uuid4().hex})
            session_id = str(request.session_id)
            if session_id in self._live:
                raise RpcError(Code.INVALID_REQUEST, f"session {session_id} is running", {"category": "conflict"})
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a coroutine always runs in a task
            self._live[session_id] = task
            try:
                return await work(request, Context(call, session_id))
            finally:
                del self._live[session_id]

        return handle

    async def _cancel(self, request: wire.AgentCancelRequest, call: Call) -> wire.AgentCancelResponse:
        task = self._live.get(request.session_id)
        cancelled = task is not None and task.cancel()
        return wire.AgentCancelResponse(session_id=request.session_id, cancelled=cancelled)
