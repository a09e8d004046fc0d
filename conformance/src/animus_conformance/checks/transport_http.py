"""Checks of what a transport serves over HTTP, where it says that it does (protocol §4, §5)."""

from __future__ import annotations

import asyncio
from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.transport_listening import Opened, listening, shared_listening
from animus_conformance.checks.transport_reading import (
    Body,
    held_read,
    listened_to,
    missing_words,
    read_request,
    read_through,
    require_http,
    require_streaming,
    stream_request,
)
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.http import Address, HttpTrouble, Request, fetch

_ITEMS: Final = 30
_AGAIN_S: Final = 0.1
_COMMON_PATHS: Final = ("/api/v1/subjects", "/api/v1/daemon/status", "/api/subjects", "/subjects", "/status", "/")


@check("transport.http.answers")
async def answers(plugin: PluginUnderTest) -> None:
    """Asks for the root."""
    await require_http(plugin)
    _, address = await shared_listening(plugin)
    try:
        await fetch(address, Request(address.path), plugin.patience.answer_s)
    except HttpTrouble as trouble:
        raise Failed(str(trouble)) from None


@check("transport.http.serves-others-meanwhile")
async def serves_others_meanwhile(plugin: PluginUnderTest) -> None:
    """Reads something for which the daemon holds its answer back, and meanwhile asks for the root."""
    await require_http(plugin)
    transport, address = await shared_listening(plugin)
    async with held_read(plugin, transport.daemon, address, plugin.patience.check_s):
        transport.daemon.let_pass()
        try:
            await fetch(address, Request(address.path), plugin.patience.answer_s)
        except HttpTrouble as trouble:
            raise Failed(f"while another request waits for the daemon, {trouble}") from None


@check("transport.bridge.asks-the-daemon")
async def asks_the_daemon(plugin: PluginUnderTest) -> None:
    """Asks for the path that the settings name, else for common ones, and looks at what came to the control socket."""
    await require_http(plugin)
    transport, address = await shared_listening(plugin)
    is_named = "transport/start.http" in plugin.settings.params
    for request in [read_request(plugin)] if is_named else [Request(path) for path in _COMMON_PATHS]:
        before = len(transport.daemon.asked)
        try:
            answer = await fetch(address, request, plugin.patience.answer_s)
        except HttpTrouble as trouble:
            raise Unproven(str(trouble)) from None
        if len(transport.daemon.asked) > before:
            return
        if is_named:
            raise Failed(f"{request} got {answer}, and nobody has asked the daemon at {transport.daemon.path}")
    read_request(plugin)  # says what to write


@check("transport.bridge.shows-what-the-daemon-says")
async def shows_what_the_daemon_says(plugin: PluginUnderTest) -> None:
    """Asks for the path that the settings name, and looks in the answer for each word of the daemon's."""
    await require_http(plugin)
    transport, address = await shared_listening(plugin)
    request = read_request(plugin)
    answer, words = await read_through(plugin, transport.daemon, address, request)
    if missing := missing_words(answer, words):
        raise Failed(f"{request}: {missing}")


@check("transport.bridge.without-the-daemon")
async def without_the_daemon(plugin: PluginUnderTest) -> None:
    """Reads, stops the daemon, and reads again."""
    await require_http(plugin)
    request = read_request(plugin)
    async with listening(plugin) as (transport, address):
        await read_through(plugin, transport.daemon, address, request)
        await transport.daemon.stop()
        try:
            await fetch(address, request, plugin.patience.answer_s)
        except HttpTrouble as trouble:
            raise Failed(f"while the daemon is away, {trouble}") from None


@check("transport.bridge.after-a-restart-of-the-daemon")
async def after_a_restart(plugin: PluginUnderTest) -> None:
    """Reads, stops the daemon, reads, starts the daemon on the same path, and reads until its words are back."""
    await require_http(plugin)
    request = read_request(plugin)
    async with listening(plugin) as (transport, address):
        before, words = await read_through(plugin, transport.daemon, address, request)
        if missing := missing_words(before, words):
            raise Unproven(f"first {request}: {missing}")
        await transport.daemon.stop()
        try:
            answer = await fetch(address, request, plugin.patience.answer_s)
            await transport.daemon.start()
            async with asyncio.timeout(plugin.patience.event_s):
                while missing_words(answer, words) or not transport.daemon.asked:
                    await asyncio.sleep(_AGAIN_S)  # nothing tells when it has noticed
                    answer = await fetch(address, request, plugin.patience.answer_s)
        except HttpTrouble as trouble:
            raise Unproven(f"around a restart of the daemon {trouble}") from None
        except TimeoutError:
            raise Failed(
                f"the daemon is back for {plugin.patience.event_s:g} s, and {request} still gets {answer}"
            ) from None


@check("transport.stream.shows-what-happens")
async def shows_what_happens(plugin: PluginUnderTest) -> None:
    """Opens the stream that the settings name, makes things happen in the daemon, and looks for them on the stream."""
    await require_streaming(plugin)
    transport, address = await shared_listening(plugin)
    await _given_bridge(plugin, transport, address)
    async with listened_to(plugin, address) as body:
        if not await _is_told(plugin, transport, body):
            raise Failed(f"things happen in the daemon, and {stream_request(plugin)} tells {body.text[-300:]!r}")


@check("transport.stream.leaves-no-gap")
async def leaves_no_gap(plugin: PluginUnderTest) -> None:
    """Waits until the stream tells what happens, makes 30 things happen one after the other, and compares."""
    await require_streaming(plugin)
    transport, address = await shared_listening(plugin)
    await _given_bridge(plugin, transport, address)
    words = [f"foghorn-{number:03}" for number in range(_ITEMS)]
    try:
        async with listened_to(plugin, address) as body:
            if not await _is_told(plugin, transport, body):
                raise Unproven("the stream does not tell what happens")
            for word in [*words, "foghorn-end"]:
                transport.daemon.tell(word)
            await body.shows("foghorn-end", plugin.patience.event_s)
            text = body.text
    except Failed as failed:
        raise Unproven(str(failed)) from None
    lost = [word for word in words if word not in text]
    if lost:
        raise Failed(f"of {_ITEMS} things that happened, {len(lost)} are not told: {', '.join(lost[:5])}")
    if sorted(words, key=text.index) != words:
        raise Failed("what happened is told in another order")
    if len({text.count(word) for word in words}) > 1:
        raise Failed("some of what happened is told more often than the rest")


async def _given_bridge(plugin: PluginUnderTest, transport: Opened, address: Address) -> None:
    """That reading works at all, where the settings say how: what does not ask the daemon cannot stream either."""
    if "transport/start.http" in plugin.settings.params:
        await read_through(plugin, transport.daemon, address, read_request(plugin))


async def _is_told(plugin: PluginUnderTest, transport: Opened, body: Body) -> bool:
    """Whether something that happens comes on the stream; it happens again, as a stream may need a moment."""
    await transport.daemon.is_listened_to(plugin.patience.event_s)
    for number in range(max(1, round(plugin.patience.event_s / plugin.patience.silence_s))):
        transport.daemon.tell(f"lantern-{number:03}")
        if await body.shows("lantern-", plugin.patience.silence_s):
            return True
    return False
