"""Animus, the host: what ships, `open_session` and `PluginSession.call`, typed, cancellable and with a deadline."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

from animus_core.host.session import PluginSession, open_session
from animus_core.supply.discovery.discover import Candidate, Plugin
from animus_protocol.connection import Notification
from animus_protocol.errors import RpcError
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.reading import read_params
from animus_protocol.version import PROTOCOL_VERSION
from contenders import animus_wire as wire
from contenders.cells import Order, Sample, Wrong, orders, repeat_async, repeat_concurrently, report, same
from contenders.payload import KIND, NUMBER, TEXT

TIMEOUT_S: Final = 30.0
CELLS: Final = ("sequential", "concurrent", "notifications", "big_frames", "spawn")
INLINE_CELLS: Final = ("sequential_inline", "concurrent_inline")
ROOT: Final = Path(__file__).parents[1]


def found(command: tuple[str, ...]) -> Plugin:
    """The benchmark's plugin, as discovery would give it."""
    manifest = PluginManifest(
        name="animus-bench",
        version="1.0.0",
        plugin_kind="custom",
        description="",
        protocol_version=PROTOCOL_VERSION,
    )
    return Plugin(Candidate("animus-bench", command, "environment"), manifest)


PLUGIN: Final = found((sys.executable, "-m", "contenders.animus_child"))
PROJECT: Final = ProjectBinding(project_root=str(ROOT), repo_scope="bench-000000")


class Host:
    """The cells, over one live session."""

    def __init__(self, session: PluginSession) -> None:
        self._session = session
        self._on_notification = 0
        self._payload = wire.Echo(number=NUMBER, kind=KIND, text=TEXT)
        session.on_notification(self._note)

    async def echo(self) -> wire.Echo:
        """One round trip; the child's handler is awaited."""
        return await self._session.call(wire.ECHO, self._payload, timeout_s=TIMEOUT_S)

    async def echo_inline(self) -> wire.Echo:
        """One round trip; the child's handler is a plain function."""
        return await self._session.call(wire.ECHO_INLINE, self._payload, timeout_s=TIMEOUT_S)

    async def cells(self) -> tuple[str, ...]:
        """What this session can do; also shows that it does it right."""
        same(self._payload, await self.echo())
        try:
            same(self._payload, await self.echo_inline())
        except RpcError:
            return CELLS
        return (*CELLS, *INLINE_CELLS)

    async def run(self, order: Order) -> Sample:
        """One cell."""
        match order.cell:
            case "sequential":
                return await repeat_async(self.echo, order.seconds)
            case "sequential_inline":
                return await repeat_async(self.echo_inline, order.seconds)
            case "concurrent":
                return await repeat_concurrently(self.echo, order.seconds)
            case "concurrent_inline":
                return await repeat_concurrently(self.echo_inline, order.seconds)
            case "notifications":
                return await self._notifications(order)
            case "big_frames":
                return await self._big_frames(order)
            case _:
                return await _spawn(order.seconds)

    def _note(self, notification: Notification) -> None:
        read_params(wire.NOTE, notification.params)
        self._on_notification += 1

    async def _notifications(self, order: Order) -> Sample:
        self._on_notification = 0
        began = perf_counter()
        await self._session.call(wire.EMIT, wire.Emit(amount=order.amount), timeout_s=TIMEOUT_S)
        if self._on_notification != order.amount:
            raise Wrong(f"{self._on_notification} notifications instead of {order.amount}")
        return Sample(order.amount, perf_counter() - began)

    async def _big_frames(self, order: Order) -> Sample:
        big = wire.Echo(number=NUMBER, kind=KIND, text="b" * order.amount)
        count, began = 0, perf_counter()
        while perf_counter() < began + order.seconds:
            answer = await self._session.call(wire.ECHO, big, timeout_s=TIMEOUT_S)
            if len(answer.text) != order.amount:
                raise Wrong("a big frame came back with another size")
            count += 1
        return Sample(count, perf_counter() - began)


async def _spawn(seconds: float) -> Sample:
    """From nothing to the first typed answer; the end of the plugin is not part of it."""
    count, spent_s = 0, 0.0
    while spent_s < seconds:
        began = perf_counter()
        session = await open_session(PLUGIN, PROJECT, cookie="bench")
        await Host(session).echo()
        spent_s += perf_counter() - began
        count += 1
        await session.close()
    return Sample(count, spent_s)


async def serve_orders() -> None:
    """Serve the cells of Animus."""
    session = await open_session(PLUGIN, PROJECT, cookie="bench")
    host = Host(session)
    for order in orders(await host.cells()):
        report(await host.run(order))
    await session.close()


if __name__ == "__main__":
    asyncio.run(serve_orders())
