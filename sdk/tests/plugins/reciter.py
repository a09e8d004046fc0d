"""A provider on a thread: it yields the words of its prompt, and floods when it is asked to."""

from __future__ import annotations

from collections.abc import Iterator

from animus_sdk import AgentContext, AgentRunRequest, Provider, serve


class Reciter(Provider):
    name = "animus-provider-reciter"
    version = "0.0.1"

    def run(self, request: AgentRunRequest, ctx: AgentContext) -> Iterator[str]:
        if request.prompt == "flood":
            yield from (f"{number} " + "x" * 1000 for number in range(2000))
        else:
            yield from request.prompt.split()
        ctx.decide("advance", "recited")


if __name__ == "__main__":
    serve(Reciter)
