"""The SDK's session in this process: what roles advertise and route, and streams that end with their reasons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from animus_protocol.errors import MethodNotFound, NotSupported, RpcError
from animus_protocol.models.base import Empty
from animus_protocol.models.lifecycle import INITIALIZE, HostCapabilities, HostInfo, InitializeParams, ProjectBinding
from animus_protocol.models.provider import AgentRunRequest, AgentRunResponse
from animus_protocol.models.subject import (
    SUBJECT_CHANGED,
    SUBJECT_DELETE,
    SUBJECT_LIST,
    SUBJECT_NEXT,
    Subject,
    SubjectChangedEvent,
    SubjectFilter,
    SubjectList,
    SubjectNextParams,
)
from animus_protocol.peer import Peer
from animus_sdk import AgentContext, Plugin, Provider, SubjectBackend
from animus_sdk.call import Call, Streams
from animus_sdk.handlers import Threads
from animus_sdk.session import Session

HELLO = InitializeParams(
    protocol_version="1.0.0", host_info=HostInfo(name="h", version="0"), capabilities=HostCapabilities()
)


class Lister(SubjectBackend):
    name = "lister"
    version = "0"
    subject_kinds = ("task", "issue.*")

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def list(self, filter: SubjectFilter) -> SubjectList:  # noqa: A002 - the protocol's word
        self.asked.append(filter.kind)
        return SubjectList(subjects=[], fetched_at=datetime(2026, 1, 1, tzinfo=UTC))

    async def next(self, kind: str | None) -> Subject | None:
        self.asked.append(kind)
        return None


class Watched(Lister):
    """Streams one change, and then waits to be ended; counts who is subscribed."""

    def __init__(self) -> None:
        super().__init__()
        self.subscribed = 0

    async def watch(self, filter: SubjectFilter) -> AsyncIterator[SubjectChangedEvent]:  # noqa: A002 - as above
        self.subscribed += 1
        try:
            await asyncio.Event().wait()
            yield  # type: ignore[misc]  # never reached: it only makes this a generator
        finally:
            self.subscribed -= 1


class Resuming(Provider):
    name = "resuming"
    version = "0"
    tool = "t"

    async def resume(self, request: AgentRunRequest, ctx: AgentContext) -> AgentRunResponse:
        return AgentRunResponse(session_id=ctx.session_id, exit_code=0, output="", duration_ms=0, backend="t")


async def served(wire: Any, plugin: Plugin) -> tuple[Peer, Callable[[], Any]]:
    session = Session(plugin)
    host, peer = wire.peer(0), wire.peer(1, handler=session)
    await host.call(INITIALIZE, HELLO, timeout_s=5)

    async def close() -> None:
        await host.aclose()
        await peer.aclose()
        await session.close()

    return host, close


def test_a_backend_advertises_what_it_overrides_under_names_that_reach_it() -> None:
    methods = set(Lister.capabilities().methods)
    assert {"task/list", "task/next", "task/schema", "subject/list", "health/check"} <= methods
    assert not any("issue" in method or "delete" in method for method in methods)
    assert Lister.manifest().capabilities[-2:] == ["subject_kind:task", "subject_kind:issue.*"]


def test_a_provider_advertises_resume_only_where_it_is_overridden() -> None:
    assert "agent/resume" in Resuming.manifest().capabilities
    assert "agent/resume" not in Provider.capabilities().methods


async def test_verbs_of_a_claimed_family_of_kinds_are_served_and_narrowed(wire: Any) -> None:
    plugin = Lister()
    host, close = await served(wire, plugin)
    await host.call(SUBJECT_LIST.named("issue.bug/list"), SubjectFilter(), timeout_s=5)
    await host.call(SUBJECT_NEXT.named("issue.a/b/next"), SubjectNextParams(), timeout_s=5)
    assert plugin.asked == [["issue.bug"], "issue.a/b"]
    with pytest.raises(NotSupported):
        await host.call_raw("issue.bug/delete", b'{"id":"1"}', timeout_s=5)
    for unknown in ("issue/list", "issues.x/list", "issue.bug/what", "other/list", "list"):
        with pytest.raises(MethodNotFound):
            await host.call_raw(unknown, b"{}", timeout_s=5)
    with pytest.raises(NotSupported):
        await host.call_raw(SUBJECT_DELETE.name, b'{"id":"1"}', timeout_s=5)
    with pytest.raises(NotSupported):
        await host.call_raw("subject/unwatch", b'{"watch_id":"1"}', timeout_s=5)
    await close()


async def test_a_provider_that_overrides_nothing_more_refuses_a_run_as_not_supported(wire: Any) -> None:
    host, close = await served(wire, Resuming())
    params = b'{"prompt":"p","cwd":"/","session_id":"s"}'
    assert (await host.call_raw("agent/resume", params, timeout_s=5))["session_id"] == "s"
    with pytest.raises(NotSupported):
        await host.call_raw("agent/run", params, timeout_s=5)
    await close()


async def test_while_it_starts_a_plugin_answers_pings_and_nothing_of_its_kind(wire: Any) -> None:
    begun, ready = asyncio.Event(), asyncio.Event()

    class Slow(Lister):
        async def start(self, project: ProjectBinding) -> None:
            begun.set()
            await ready.wait()

    host, peer = wire.peer(0), wire.peer(1, handler=Session(Slow()))
    hello = asyncio.create_task(host.call(INITIALIZE, HELLO, timeout_s=5))
    await begun.wait()
    assert await host.call_raw("$/ping", b"{}", timeout_s=5) == {}
    with pytest.raises(RpcError) as early:
        await host.call(SUBJECT_LIST, SubjectFilter(), timeout_s=5)
    assert early.value.code == -32000
    ready.set()
    await hello
    await host.call(SUBJECT_LIST, SubjectFilter(), timeout_s=5)
    await host.aclose()
    await peer.aclose()


async def test_a_watch_that_is_cancelled_while_it_subscribes_leaves_no_stream(wire: Any) -> None:
    plugin = Watched()
    session = Session(plugin)
    host, peer = wire.peer(0), wire.peer(1, handler=session)
    call = Call(peer, 1, Streams(), Threads(1))
    opening = asyncio.create_task(call.stream(plugin.watch(SubjectFilter()), lambda event: event, SUBJECT_CHANGED))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.sleep(0)
    assert plugin.subscribed == 0
    await host.aclose()
    await peer.aclose()


async def test_streams_end_before_the_plugin_is_stopped(wire: Any) -> None:
    order: list[str] = []

    class Ordered(Watched):
        async def stop(self) -> None:
            order.append(f"stopped with {self.subscribed} subscribed")

    plugin = Ordered()
    host, close = await served(wire, plugin)
    for _ in range(3):
        await host.call_raw("task/watch", b"{}", timeout_s=5)
    assert plugin.subscribed == 3
    await host.call_raw("shutdown", b"{}", timeout_s=5)
    assert order == ["stopped with 0 subscribed"]
    await close()
    assert len(order) == 1


async def test_a_stream_that_waits_for_room_closes_its_generator_when_it_is_cancelled(wire: Any) -> None:
    closed = asyncio.Event()

    async def items() -> AsyncIterator[Empty]:
        try:
            while True:
                yield Empty()
        finally:
            closed.set()

    streams = Streams()
    raw, peer = wire.raw(), wire.peer(0)
    big = "x" * 200_000

    def padded(_: Empty) -> Any:
        return {"pad": big}

    await Call(peer, "s", streams, Threads(1)).stream(items(), padded, SUBJECT_CHANGED)
    assert streams.end("s")
    for _ in range(3):
        await asyncio.sleep(0)
    assert not streams.end("s")
    assert closed.is_set()
    closing = asyncio.create_task(raw.rest())
    await peer.aclose()
    await closing
    raw.close()
