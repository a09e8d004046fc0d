"""Checks of a plugin that has much to do at once, and of ends that come at a bad time (protocol §1, §2)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.profiles import PROFILES
from animus_conformance.verdict import Failed
from animus_conformance.wire.host import Host

_AT_ONCE: Final = 64
_MANY: Final = 200


@check("hostile.many-frames-at-once")
async def many_frames_at_once(plugin: PluginUnderTest) -> None:
    """Writes 200 requests in one piece and waits for all answers."""
    method, params = plugin.method(plugin.kind.probe[0]), dict(plugin.kind.probe[1])
    async with plugin.started() as host:
        ids = [f"many-{number}" for number in range(_MANY)]
        frames = []
        for number, one in enumerate(ids):
            asked = ("$/ping", {}) if number % 2 else (method, params)
            host.expect(one, asked[0])
            frames.append(json.dumps({"jsonrpc": "2.0", "id": one, "method": asked[0], "params": asked[1]}))
        host.raw("".join(frame + "\n" for frame in frames).encode())
        for one in ids:
            await host.reply(one)


@check("hostile.concurrent-requests")
async def concurrent_requests(plugin: PluginUnderTest) -> None:
    """Asks 64 things without waiting, of the kind and of the life cycle, and waits for all answers."""
    async with plugin.started() as host:
        for one in _burst(plugin, host):
            await host.reply(one)
        await _alive(host, f"after {_AT_ONCE} requests at once")


@check("hostile.cancel-storm")
async def cancel_storm(plugin: PluginUnderTest) -> None:
    """Asks 64 things and cancels each at once, every fourth twice, with cancellations of unknown ids in between."""
    async with plugin.started() as host:
        ids = []
        for number in range(_AT_ONCE):
            one = host.send(*_request(plugin, number))
            ids.append(one)
            host.tell("$/cancelRequest", {"id": one})
            if number % 4 == 0:
                host.tell("$/cancelRequest", {"id": one})
                host.tell("$/cancelRequest", {"id": 800_000 + number})
        for one in ids:
            await host.reply(one)
        await _alive(host, "after the storm")


@check("hostile.slow-reader")
async def slow_reader(plugin: PluginUnderTest) -> None:
    """Asks 200 things and reads the answers a little at a time."""
    async with plugin.started(profile=PROFILES["slow-reader"]) as host:
        ids = [host.send(*_request(plugin, number)) for number in range(_MANY)]
        for one in ids:
            await host.reply(one, plugin.patience.answer_s * 3)


@check("hostile.shutdown-under-load")
async def shutdown_under_load(plugin: PluginUnderTest) -> None:
    """Sends shutdown right behind 64 requests, then exit."""
    async with plugin.started() as host:
        _burst(plugin, host)
        try:
            await host.ask("shutdown", within_s=plugin.patience.shutdown_s)
        except Failed as failed:
            raise Failed(f"with {_AT_ONCE} requests under way, {failed}") from None
        host.tell("exit")
        await _require_end(host, "exit, with requests under way,")


@check("hostile.end-of-input")
async def end_of_input(plugin: PluginUnderTest) -> None:
    """Closes standard input of an idle process, and sends SIGTERM if that does not end it."""
    async with plugin.started() as host:
        host.process.end_input()
        if await host.process.exited(plugin.patience.exit_s):
            return
        host.process.signal(signal.SIGTERM)
        await _require_end(host, "the end of its input and SIGTERM")


@check("hostile.sigterm")
async def sigterm(plugin: PluginUnderTest) -> None:
    """Sends SIGTERM to an idle process and waits for its end."""
    async with plugin.started() as host:
        host.process.signal(signal.SIGTERM)
        await _require_end(host, "SIGTERM")


@check("hostile.exit-without-shutdown")
async def exit_without_shutdown(plugin: PluginUnderTest) -> None:
    """Sends exit alone to an idle process and waits for its end."""
    async with plugin.started() as host:
        host.tell("exit")
        await _require_end(host, "exit")


@check("hostile.cleared-environment")
async def cleared_environment(plugin: PluginUnderTest) -> None:
    """Starts it with PATH, HOME and what the settings give, and nothing else."""
    await plugin.shared()
    project = await plugin.project()
    whole = plugin.environment(project)
    given = {*plugin.settings.environment, *plugin.settings.pass_names, "HOME", "PATH"}
    short = {"PATH": os.defpath, **{name: value for name, value in whole.items() if name in given}}
    async with plugin.spawned(project=project, environment=short) as host:
        reply = await plugin.initialize(host, project)
        if reply.error is not None:
            raise Failed(f"with PATH and HOME alone, initialize got {reply}")
        await _alive(host, "with PATH and HOME alone")


@check("hostile.two-at-once")
async def two_at_once(plugin: PluginUnderTest) -> None:
    """Keeps the shared process, starts another for another project, and asks both."""
    first = await plugin.shared()
    project = await plugin.project()
    async with plugin.spawned(project=project) as second:
        reply = await plugin.initialize(second, project)
        if reply.error is not None:
            raise Failed(f"beside a process for another project, initialize got {reply}")
        await asyncio.gather(_alive(first, "beside a second process"), _alive(second, "as the second process"))


def _request(plugin: PluginUnderTest, number: int) -> tuple[str, dict[str, object]]:
    """The life cycle's and the kind's harmless requests by turns."""
    method, params = plugin.kind.probe
    return [("$/ping", {}), ("health/check", {}), (plugin.method(method), dict(params))][number % 3]


def _burst(plugin: PluginUnderTest, host: Host) -> list[int]:
    return [host.send(*_request(plugin, number)) for number in range(_AT_ONCE)]


async def _alive(host: Host, when: str) -> None:
    try:
        await host.ask("$/ping")
    except Failed as failed:
        raise Failed(f"{when}: {failed}") from None


async def _require_end(host: Host, what: str) -> None:
    """Raises Failed when the process still runs a while after `what`."""
    if not await host.process.exited(host.patience.exit_s):
        raise Failed(f"{host.patience.exit_s:g} s after {what} the process still runs")
