"""What an agent says while it runs, and the response that is made of it.

Below it lies the context of every call.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from animus_protocol.models.verdict import Verdict, VerdictWord
from animus_sdk.context import Context
from animus_sdk.lazy_names import LazyModule
from animus_sdk.must_await import must_await

if TYPE_CHECKING:
    from animus_protocol.models import provider as wire
    from animus_sdk.call import Call
else:
    wire = LazyModule("animus_protocol.models.provider")

__all__ = ["AgentContext"]


class AgentContext(Context):
    """A running session's way to the host. Every coroutine waits for room, so a slow host slows the agent down.

    What is said here is kept for `response`, which `Provider` calls where `run` only yields or returns text.
    """

    def __init__(self, call: Call, request: wire.AgentRunRequest) -> None:
        # The limit counts from the request on, and a clock that is set meanwhile does not move it.
        self._began = time.monotonic()
        limit_s = request.timeout_secs
        super().__init__(call, deadline=None if limit_s is None else self._began + limit_s)
        self.session_id = str(request.session_id)
        self.exit_code = 0
        self.usage: wire.TokenUsage | None = None
        self.metadata: list[Any] = []
        self._output: list[str] = []
        self._thinking: list[str] = []
        self._tool_calls: list[Any] = []
        self._tool_results: list[Any] = []
        self._errors: list[str] = []
        self._verdict: Any = None
        self._said_all = False

    @must_await
    async def output(self, text: str, *, final: bool = False) -> None:
        """A piece of the agent's answer; all pieces joined are the `output` of the result."""
        self._output.append(text)
        self._said_all = final
        params = wire.AgentOutputParams(session_id=self.session_id, text=text, is_final=final)
        await self.notify(wire.AGENT_OUTPUT, params)

    async def end_output(self) -> None:
        """The last piece is out: an empty one says so, where no piece said that it was the last."""
        if not self._said_all:
            await self.output("", final=True)

    @must_await
    async def thinking(self, text: str) -> None:
        """A piece of the agent's reasoning."""
        self._thinking.append(text)
        await self.notify(wire.AGENT_THINKING, wire.AgentThinkingParams(session_id=self.session_id, text=text))

    @must_await
    async def tool_call(self, name: str, arguments: Any, server: str | None = None) -> None:
        """The agent calls a tool."""
        self._tool_calls.append(
            {"name": name, "arguments": arguments, **({} if server is None else {"server": server})}
        )
        params = wire.AgentToolCallParams(session_id=self.session_id, name=name, arguments=arguments, server=server)
        await self.notify(wire.AGENT_TOOL_CALL, params)

    @must_await
    async def tool_result(self, name: str, output: Any, *, success: bool = True) -> None:
        """A tool has answered."""
        self._tool_results.append({"name": name, "output": output, "success": success})
        params = wire.AgentToolResultParams(session_id=self.session_id, name=name, output=output, success=success)
        await self.notify(wire.AGENT_TOOL_RESULT, params)

    @must_await
    async def error(self, message: str, *, recoverable: bool) -> None:
        """Something went wrong; with `recoverable` the session goes on."""
        self._errors.append(message)
        params = wire.AgentErrorParams(session_id=self.session_id, message=message, recoverable=recoverable)
        await self.notify(wire.AGENT_ERROR, params)

    def decide(
        self, verdict: Verdict | VerdictWord, reason: str = "", *, confidence: float | None = None, **more: Any
    ) -> None:
        """The verdict of the phase, with a confidence from 0 to 1; `more` is handed on, as `risk="low"`.

        Raises ValueError for any other verdict or confidence: here, where its line is known, and not after the run.
        """
        if verdict not in tuple(Verdict):
            expected = ", ".join(repr(word.value) for word in Verdict)
            raise ValueError(f"ctx.decide: the verdict is {verdict!r}, expected one of {expected}")
        if confidence is not None:
            is_number = type(confidence) in (int, float)  # a bool is an int to Python only
            if not is_number or not 0 <= confidence <= 1:
                raise ValueError(f"ctx.decide: the confidence is {confidence!r}, expected a number from 0 to 1")
            more["confidence"] = confidence
        self._verdict = {"verdict": str(verdict), "reason": reason, **more}

    def response(self, backend: str) -> wire.AgentRunResponse:
        """The result of the run so far; `exit_code`, `usage` and `metadata` are this object's own fields."""
        return wire.AgentRunResponse(
            session_id=self.session_id,
            exit_code=self.exit_code,
            output="".join(self._output),
            duration_ms=int((time.monotonic() - self._began) * 1000),
            backend=backend,
            metadata=self.metadata,
            tool_calls=self._tool_calls,
            tool_results=self._tool_results,
            thinking=self._thinking,
            errors=self._errors,
            tokens_used=self.usage,
            decision_verdict=self._verdict,
        )
