"""Notifications of a plugin: bounded for who is slow, complete for who may lose none, never in the way of replies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_core.host.broadcast import Broadcast, Lagged, broadcast_capacity
from animus_core.host.session import open_session
from animus_core.supply.discovery.discover import Plugin
from animus_protocol.connection import Notification
from animus_protocol.models.base import Empty, Method
from animus_protocol.models.common import Acknowledged
from animus_protocol.models.lifecycle import ProjectBinding

MakePlugin = Callable[..., Plugin]
ASK = Method("ask", Empty, Acknowledged, "these tests")
TALKS = """
for request in receive():
    match request["method"]:
        case "initialize": reply(request, GREETING)
        case "talk":
            for number in range(5000):
                send({"jsonrpc": "2.0", "method": "said", "params": {"number": number, "text": "x" * 200}})
            reply(request, {})
        case "shutdown":
            reply(request, {})
            break
        case _: reply(request, {})
"""


@pytest.fixture
def project(tmp_path: Path) -> ProjectBinding:
    return ProjectBinding(project_root=str(tmp_path), repo_scope="scope")


def said(number: int) -> Notification:
    return Notification("said", {"number": number})


@pytest.mark.parametrize(
    ("variable", "hint", "capacity"),
    [(None, None, 256), (None, 40, 40), ("7", 40, 7), ("0", 40, 40), ("many", None, 256), ("9999999", None, 65_536)],
)
def test_the_operators_variable_goes_before_the_manifests_hint_and_that_before_the_default(
    variable: str | None, hint: int | None, capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANIMUS_PLUGIN_BROADCAST_CAPACITY", raising=False)
    if variable is not None:
        monkeypatch.setenv("ANIMUS_PLUGIN_BROADCAST_CAPACITY", variable)
    assert broadcast_capacity(hint) == capacity


async def test_who_is_slow_loses_its_own_oldest_and_is_told_how_many() -> None:
    broadcast = Broadcast(3, lambda who, held: None)
    with broadcast.subscribe() as slow, broadcast.subscribe(capacity=100) as quick:
        for number in range(10):
            broadcast.publish(said(number))
        broadcast.end()
        assert [item async for item in slow] == [Lagged(7), said(7), said(8), said(9)]
        assert [item async for item in quick] == [said(number) for number in range(10)]
    with broadcast.subscribe() as late:
        assert [item async for item in late] == []


async def test_who_may_lose_nothing_stops_the_flow_and_lets_it_go_on() -> None:
    held: list[bool] = []
    broadcast = Broadcast(4, lambda who, on: held.append(on))
    with broadcast.subscribe(lossless=True) as careful:
        for number in range(6):
            broadcast.publish(said(number))
        assert held == [True]
        assert [await anext(careful) for _ in range(4)] == [said(number) for number in range(4)]
        assert held == [True, False]
    broadcast.publish(said(7))
    assert held == [True, False]


async def test_a_listener_that_waits_is_woken_by_an_item_and_by_the_end() -> None:
    broadcast = Broadcast(3, lambda who, held: None)
    with broadcast.subscribe() as listener:
        waiting = asyncio.ensure_future(anext(listener))
        await asyncio.sleep(0)
        broadcast.publish(said(1))
        assert await waiting == said(1)
        waiting = asyncio.ensure_future(anext(listener))
        await asyncio.sleep(0)
        listener.close()
        with pytest.raises(StopAsyncIteration):
            await waiting


async def test_a_live_plugins_flood_reaches_the_careful_whole_and_costs_the_idle_only_their_own(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    session = await open_session(make_plugin(TALKS), project, cookie="test")
    with session.subscribe() as idle, session.subscribe(lossless=True) as careful:
        talking = asyncio.ensure_future(session.call(ASK.named("talk"), Empty(), timeout_s=20))
        numbers = []
        while len(numbers) < 5000:
            item = await anext(careful)
            assert isinstance(item, Notification)
            numbers.append(item.params["number"])
            if len(numbers) % 500 == 0:
                await asyncio.sleep(0)  # a consumer with other things to do
        assert numbers == list(range(5000))
        await talking
        first = await anext(idle)
        assert first == Lagged(5000 - 256)
    await session.call(ASK, Empty(), timeout_s=10)
    await session.close()
