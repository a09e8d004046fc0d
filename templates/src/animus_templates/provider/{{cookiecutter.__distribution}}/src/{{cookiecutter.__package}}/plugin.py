"""The plugin: runs an agent, streams what it says, and goes on with sessions that were cut off.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lie `script.py`, `sessions.py` and `state.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from animus_sdk import AgentContext, AgentRunRequest, ProjectBinding, Provider, serve

from {{ cookiecutter.__package }}.script import TELL_FOLDER, WAIT, pieces
from {{ cookiecutter.__package }}.sessions import Progress, Sessions
from {{ cookiecutter.__package }}.state import CONFIG_DIR, state_folder

__all__ = ["{{ cookiecutter.__class }}", "main"]


class {{ cookiecutter.__class }}(Provider):
    """An agent that says its prompt back."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}
    env = (CONFIG_DIR,)

    def start(self, project: ProjectBinding) -> None:
        """Know where sessions are kept."""
        self._sessions = Sessions(state_folder(project, self.name))

    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> AsyncGenerator[str, None]:
        """A new session."""
        async for piece in self._say(Progress(prompt=request.prompt), request, ctx):
            yield piece

    async def resume(self, request: AgentRunRequest, ctx: AgentContext) -> AsyncGenerator[str, None]:
        """Go on where the session was cut off; another prompt is a new turn of it."""
        known = await asyncio.to_thread(self._sessions.load, ctx.session_id)
        cut_off = known.prompt == request.prompt and known.said < len(pieces(known.prompt))
        async for piece in self._say(known if cut_off else Progress(prompt=request.prompt), request, ctx):
            yield piece

    async def _say(self, progress: Progress, request: AgentRunRequest, ctx: AgentContext) -> AsyncGenerator[str, None]:
        """The rest of the answer. Cancelling raises at any `await`, and what was said until then is recorded."""
        await asyncio.to_thread(self._sessions.save, ctx.session_id, progress)
        if request.prompt == WAIT:
            await ctx.thinking("until somebody cancels this")
            await asyncio.Event().wait()
        if request.prompt == TELL_FOLDER:
            await ctx.tool_call("pwd", {})
            await ctx.tool_result("pwd", request.cwd)
        for piece in pieces(progress.prompt)[progress.said :]:
            yield piece
            progress = progress.model_copy(update={"said": progress.said + 1})
            await asyncio.to_thread(self._sessions.save, ctx.session_id, progress)
        ctx.decide("advance", "all was said", confidence=1.0)


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
