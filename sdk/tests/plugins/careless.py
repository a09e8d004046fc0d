"""A plugin that does on the event loop what it should not do there, and forgets to await."""

from __future__ import annotations

import asyncio
import sys
import time

from animus_sdk import AgentContext, AgentRunRequest, Provider, inline, method, serve


class Careless(Provider):
    """Each method blocks for as long as it is told, in its own way."""

    name, version = "careless", "1"

    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> None:
        for _ in range(3):
            ctx.output("lost")  # type: ignore[unused-coroutine]  # the mistake that is meant
        await ctx.output("sent")

    @method("careless/log")
    def forget_on_a_thread(self) -> None:
        self.ctx.log("info", "lost")  # type: ignore[unused-coroutine]  # as above

    @method("careless/sleep")
    async def sleep(self, long_s: float) -> None:
        print("begun", file=sys.stderr, flush=True)
        time.sleep(long_s)  # noqa: ASYNC251 - the mistake that is meant

    @method("careless/compute")
    @inline
    def compute(self, long_s: float) -> int:
        end, count = time.process_time() + long_s, 0
        while time.process_time() < end:
            count += 1
        return count

    @method("careless/nap")
    @inline
    def nap(self, long_s: float) -> None:
        time.sleep(long_s)  # to block is what this method is for

    @method("careless/on-a-thread")
    def on_a_thread(self, long_s: float) -> None:
        time.sleep(long_s)  # to block is what this method is for

    @method("careless/wait")
    async def wait(self, long_s: float) -> None:
        await asyncio.sleep(long_s)


if __name__ == "__main__":
    serve(Careless)
