"""The forms that a provider's `run` may have, and that what is streamed and what is returned are the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_protocol.errors import Cancelled, RpcError
from animus_protocol.models.provider import TokenUsage
from animus_sdk import AgentContext, AgentRunRequest, AgentRunResponse, Plugin, Provider, Unavailable
from animus_sdk.handlers import Threads, stream_of
from animus_sdk.testing import Harness

DEADLINE_S = 10.0
RUN: dict[str, Any] = {"prompt": "one two three", "cwd": "/", "session_id": "s"}
VERDICT = {"verdict": "advance", "reason": "it is written", "confidence": 0.9}


class Named(Provider):
    name = "animus-provider-named"
    version = "1"


class Yielding(Named):
    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> AsyncIterator[str]:
        for word in request.prompt.split():
            await asyncio.sleep(0)
            yield word
        ctx.decide("advance", "it is written", confidence=0.9)
        ctx.usage = TokenUsage(input=1, output=2)


class YieldingOnAThread(Named):
    def run(self, request: AgentRunRequest, ctx: AgentContext) -> Iterator[str]:
        assert threading.current_thread() is not threading.main_thread()
        yield from request.prompt.split()
        ctx.decide("advance", "it is written", confidence=0.9)
        ctx.usage = TokenUsage(input=1, output=2)


class HandingOn(YieldingOnAThread):
    def run(self, request: AgentRunRequest, ctx: AgentContext) -> Iterator[str]:
        return super().run(request, ctx)


class HandingOnAsync(Yielding):
    def run(self, request: AgentRunRequest, ctx: AgentContext) -> AsyncIterator[str]:
        return super().run(request, ctx)


class Speaking(Named):
    async def run(self, request: AgentRunRequest, ctx: AgentContext) -> None:
        for word in request.prompt.split():
            await ctx.output(word)
        ctx.decide("advance", "it is written", confidence=0.9)
        ctx.usage = TokenUsage(input=1, output=2)


class SpeakingOnAThread(Named):
    def run(self, request: AgentRunRequest, ctx: AgentContext) -> None:
        for word in request.prompt.split():
            ctx.wait(ctx.output(word))
        ctx.decide("advance", "it is written", confidence=0.9)
        ctx.usage = TokenUsage(input=1, output=2)


@pytest.mark.parametrize("form", [Yielding, YieldingOnAThread, HandingOn, HandingOnAsync, Speaking, SpeakingOnAThread])
async def test_pieces_are_streamed_one_by_one_and_join_to_the_output(tmp_path: Path, form: type[Provider]) -> None:
    async with Harness(form, project_root=tmp_path) as host:
        result = await host.request("agent/run", RUN)
        pieces = await host.notifications("agent/output")
    assert [piece["text"] for piece in pieces] == ["one", "two", "three", ""]
    assert [piece["final"] for piece in pieces] == [False, False, False, True]
    duration_ms = result.pop("duration_ms")
    assert 0 <= duration_ms < 5000
    assert result == {
        "session_id": "s",
        "exit_code": 0,
        "output": "onetwothree",
        "backend": "named",
        "tokens_used": {"input": 1, "output": 2},
        "decision_verdict": VERDICT,
    }


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_text_is_a_whole_answer(tmp_path: Path, is_async: bool) -> None:
    class Plain(Named):
        def run(self, request: AgentRunRequest, ctx: AgentContext) -> str:
            return request.prompt.upper()

    class Async(Named):
        async def run(self, request: AgentRunRequest, ctx: AgentContext) -> str:
            return request.prompt.upper()

    async with Harness(Async if is_async else Plain, project_root=tmp_path) as host:
        result = await host.request("agent/run", RUN)
        (piece,) = await host.notifications("agent/output")
    assert (piece["text"], piece["final"], result["output"]) == ("ONE TWO THREE", True, "ONE TWO THREE")


async def test_what_is_no_answer_is_refused_by_the_name_of_the_function(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Named):
        def run(self, request: AgentRunRequest, ctx: AgentContext) -> Any:
            return 7

    async with Harness(Wrong, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"Wrong\.run gave 7, expected an AgentRunResponse, a str, None"):
            await host.request("agent/run", RUN)
    assert "Wrong.run gave 7, expected an AgentRunResponse, a str, None" in caplog.text


async def test_what_an_agent_says_while_it_runs_stands_in_its_result(tmp_path: Path) -> None:
    class Talking(Named):
        async def run(self, request: AgentRunRequest, ctx: AgentContext) -> None:
            await ctx.thinking("hm")
            await ctx.tool_call("look", {"at": None}, server="eyes")
            await ctx.tool_call("listen", {})
            await ctx.tool_result("look", None, success=False)
            await ctx.error("too dark", recoverable=True)

    async with Harness(Talking, project_root=tmp_path) as host:
        result = await host.request("agent/run", RUN)
        calls = await host.notifications("agent/toolCall")
    assert result["thinking"] == ["hm"]
    assert result["tool_calls"] == [
        {key: value for key, value in call.items() if key != "session_id"} for call in calls
    ]
    assert [call.get("server") for call in calls] == ["eyes", None]
    assert result["tool_results"] == [{"name": "look", "output": None, "success": False}]
    assert result["errors"] == ["too dark"]


async def test_an_error_between_two_pieces_ends_the_run_with_it(tmp_path: Path) -> None:
    class Failing(Named):
        def run(self, request: AgentRunRequest, ctx: AgentContext) -> Iterator[str]:
            yield "one"
            raise Unavailable("the model is away")

    async with Harness(Failing, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match="the model is away"):
            await host.request("agent/run", RUN)
        assert [piece["text"] for piece in await host.notifications("agent/output")] == ["one"]


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("way", ["agent/cancel", "$/cancelRequest"])
async def test_a_cancelled_generator_is_closed_and_says_nothing_more(tmp_path: Path, is_async: bool, way: str) -> None:
    closed = threading.Event()

    class Plain(Named):
        def run(self, request: AgentRunRequest, ctx: AgentContext) -> Iterator[str]:
            try:
                yield "begun"
                while not ctx.cancelled:
                    pass
                yield "too late"
            finally:
                closed.set()

    class Async(Named):
        async def run(self, request: AgentRunRequest, ctx: AgentContext) -> AsyncIterator[str]:
            try:
                yield "begun"
                await asyncio.Event().wait()
                yield "too late"
            finally:
                closed.set()

    async with Harness(Async if is_async else Plain, project_root=tmp_path) as host:
        for _ in range(2):  # the session is free again at once
            closed.clear()
            running = asyncio.create_task(host.request("agent/run", RUN))
            assert (await host.next_notification("agent/output"))["text"] == "begun"
            if way == "agent/cancel":
                assert (await host.request(way, {"session_id": "s"}))["cancelled"] is True
            else:
                await host.notify(way, {"id": host.request_id("agent/run")})
            with pytest.raises(Cancelled):
                await running
            assert await asyncio.to_thread(closed.wait, DEADLINE_S)
        assert await host.notifications("agent/output") == []


async def test_plain_generators_of_two_sessions_run_side_by_side(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=DEADLINE_S)

    class Meeting(Named):
        def run(self, request: AgentRunRequest, ctx: AgentContext) -> Iterator[str]:
            meeting.wait()
            yield ctx.session_id

    async with Harness(Meeting, project_root=tmp_path) as host:
        runs = [host.request("agent/run", {**RUN, "session_id": name}) for name in ("a", "b")]
        assert [result["output"] for result in await asyncio.gather(*runs)] == ["a", "b"]


async def test_a_run_knows_how_long_its_host_will_wait(tmp_path: Path) -> None:
    class Hurried(Named):
        async def run(self, request: AgentRunRequest, ctx: AgentContext) -> str:
            return "none" if ctx.remaining_s is None else f"{0 < ctx.remaining_s <= 5}"

    async with Harness(Hurried, project_root=tmp_path) as host:
        assert (await host.request("agent/run", RUN))["output"] == "none"
        assert (await host.request("agent/run", {**RUN, "timeout_secs": 5}))["output"] == "True"


@given(st.lists(st.text(max_size=5), max_size=8))
async def test_a_plain_generator_gives_on_its_thread_what_it_would_give_here(pieces: list[str]) -> None:
    assert ([piece async for piece in stream_of(iter(pieces), Threads(1))]) == pieces


def test_the_tool_is_the_name_without_its_prefix_unless_it_is_set() -> None:
    class Set(Named):
        tool = "other"

    assert (Named.tool, Set.tool) == ("named", "other")
    assert AgentRunResponse.__name__ in Provider.run.__globals__["Outcome"].__repr__()
    assert issubclass(Named, Plugin)
