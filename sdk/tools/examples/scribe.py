from animus_sdk import AgentContext, AgentRunRequest, NotFound, Provider, TokenUsage, serve


class Scribe(Provider):
    name, version = "animus-provider-scribe", "1.0.0"

    async def run(self, request: AgentRunRequest, ctx: AgentContext):
        await ctx.thinking("Who is it for?")
        for word in ("Dear ", "Ada"):
            yield word  # sent at once, as agent/output
        ctx.usage = TokenUsage(input=12, output=2)
        ctx.decide("advance", "the letter is written")

    def resume(self, request: AgentRunRequest, ctx: AgentContext) -> str:
        if request.session_id != "s-1":
            raise NotFound(f"session {request.session_id}")
        return "Yours, B."


if __name__ == "__main__":
    serve(Scribe)
