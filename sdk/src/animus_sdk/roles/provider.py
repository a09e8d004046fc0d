"""The role of a provider: runs agents and streams what they do.

Below it lie `agent_context.py` and the wire models.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from animus_protocol.errors import Code, NotSupported, RpcError
from animus_protocol.plugin_names import PROVIDER_PREFIX
from animus_sdk.agent_context import AgentContext
from animus_sdk.functions import Answer, Stream
from animus_sdk.lazy_names import LazyModule
from animus_sdk.plugin import Route
from animus_sdk.profile import Offer
from animus_sdk.roles.kind import KindRole

if TYPE_CHECKING:
    import asyncio

    from animus_protocol.models import provider as wire
    from animus_sdk import handlers, results
    from animus_sdk.call import Call
else:
    asyncio = LazyModule("asyncio")
    wire = LazyModule("animus_protocol.models.provider")
    handlers = LazyModule("animus_sdk.handlers")
    results = LazyModule("animus_sdk.results")

__all__ = ["Outcome", "Provider"]

Outcome: TypeAlias = Answer["wire.AgentRunResponse | str | None"] | Stream[str]
"""What `run` may be: a function that returns the whole response, or the agent's answer as text, or nothing when all was
said through the context; or a generator that yields the answer piece by piece, each sent as `agent/output` at once."""


class Provider(KindRole):
    """Override `run`, and `resume` where a session outlives its process.

    Cancellation (`agent/cancel`, `$/cancelRequest`) is ordinary task cancellation inside an async `run`; a plain one
    looks at `ctx.cancelled`. A session's id is `request.session_id`; the SDK makes one up when the host sends none.
    """

    plugin_kind = "provider"
    overridable = ("run", "resume")
    served_by = MappingProxyType({"agent/run": "run", "agent/resume": "resume", "agent/cancel": None})
    tool: ClassVar[str]
    """What results name as their `backend`; by default the plugin's name without `animus-provider-`.

    Workflows call a provider by its plugin's name, whatever stands here.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not hasattr(cls, "tool") and isinstance(getattr(cls, "name", None), str):
            cls.tool = cls.name.removeprefix(PROVIDER_PREFIX)

    def run(self, request: wire.AgentRunRequest, ctx: AgentContext) -> Outcome:
        """Work on `request.prompt` in `request.cwd` until done.

        Raise Unavailable when the model does not answer, InvalidParams for a request that cannot be worked on. A run
        that went wrong in its own words is no error: set `ctx.exit_code`, and say why with `ctx.error`.
        """
        raise NotSupported("agent/run")

    def resume(self, request: wire.AgentRunRequest, ctx: AgentContext) -> Outcome:
        """Go on with the session `request.session_id`, whose process has ended. Raise NotFound for an unknown one."""
        raise NotSupported("agent/resume")

    def kind_routes(self) -> Sequence[Route]:
        """The routes agent/run, agent/resume and agent/cancel."""
        self.__live: dict[str, asyncio.Task[Any]] = {}
        return [
            Route(wire.AGENT_RUN, self.__session("run")),
            Route(wire.AGENT_RESUME, self.__session("resume")),
            Route(wire.AGENT_CANCEL, self.__cancel),
        ]

    @classmethod
    def offer(cls) -> Offer:
        """The served methods; every agent streams and may report progress."""
        return super().offer()._replace(streaming=True, progress=True)

    def __session(self, word: str) -> Callable[[wire.AgentRunRequest, Call], Awaitable[object]]:
        work: Callable[[wire.AgentRunRequest, AgentContext], Outcome] = getattr(self, word)
        place = results.place_of(type(self), word)

        async def handle(request: wire.AgentRunRequest, call: Call) -> object:
            if request.session_id is None:
                # `agent/cancel` finds the run by this id and the stream names it (protocol §4), so a run always has
                # one.
                import uuid

                request = request.model_copy(update={"session_id": uuid.uuid4().hex})
            session_id = str(request.session_id)
            if session_id in self.__live:
                raise RpcError(Code.INVALID_REQUEST, f"session {session_id} is running", {"category": "conflict"})
            self.__live[session_id] = _current_task()
            try:
                ctx = AgentContext(call, request)
                answer = await _outcome(work, request, ctx, call, place)
                return ctx.response(self.tool) if answer is None else answer
            finally:
                del self.__live[session_id]

        return handle

    async def __cancel(self, request: wire.AgentCancelRequest, call: Call) -> wire.AgentCancelResponse:
        task = self.__live.get(request.session_id)
        cancelled = task is not None and task.cancel()
        return wire.AgentCancelResponse(session_id=request.session_id, cancelled=cancelled)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:  # a coroutine that is awaited runs in a task; asyncio's type says otherwise
        raise RuntimeError("a session outside of a task")
    return task


async def _outcome(
    work: Callable[[wire.AgentRunRequest, AgentContext], Outcome],
    request: wire.AgentRunRequest,
    ctx: AgentContext,
    call: Call,
    place: str,
) -> wire.AgentRunResponse | None:
    """Run the author's function, whichever form it has; None when all was said through `ctx`."""
    if inspect.isasyncgenfunction(work) or inspect.isgeneratorfunction(work):
        answer: Any = work(request, ctx)
    else:
        answer = await handlers.adapt(work).wait(call.threads, request, ctx)
    match answer:
        case wire.AgentRunResponse():
            response: wire.AgentRunResponse = results.returns(place, wire.AgentRunResponse)(answer)
            return response
        case str():
            await ctx.output(answer, final=True)
        case AsyncIterator() | Iterator():
            async with aclosing(handlers.stream_of(answer, call.threads)) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, str):
                        raise results.wrong_result(place, piece, "a str as each piece of the answer")
                    await ctx.output(piece)
        case None:
            pass
        case _:
            raise results.wrong_result(place, answer, "an AgentRunResponse, a str, None, or a generator of str")
    await ctx.end_output()
    return None
