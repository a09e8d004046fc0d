"""A provider whose prompts say what it does."""

from __future__ import annotations

import asyncio

from animus_protocol.models.provider import AgentRunRequest, AgentRunResponse
from animus_sdk import AgentContext, Provider, serve


class Agent(Provider):
    name = "animus-provider-agent"
    version = "0.0.1"
    tool = "agent"

    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> AgentRunResponse:
        match request.prompt:
            case "stream":
                await ctx.thinking("hm")
                await ctx.tool_call("look", {"at": None}, server="eyes")
                await ctx.tool_result("look", None, success=False)
                await ctx.error("a hiccup", recoverable=True)
                await ctx.log("info", "half way", step=1)
                await ctx.output("Hello ")
                await ctx.output("world", final=True)
            case "flood":
                for number in range(3000):
                    await ctx.output(f"{number} " + "x" * 1000)
            case "wait":
                await ctx.output("begun")
                try:
                    await asyncio.Event().wait()
                finally:
                    print("wait ended")
            case "finish":
                await ctx.output("begun")
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    return response(ctx, 130, "interrupted")
        return response(ctx, 0, "Hello world")


def response(ctx: AgentContext, exit_code: int, output: str) -> AgentRunResponse:
    return AgentRunResponse(
        session_id=ctx.session_id, exit_code=exit_code, output=output, duration_ms=1, backend="agent"
    )


if __name__ == "__main__":
    serve(Agent)
