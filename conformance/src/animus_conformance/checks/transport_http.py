"""Checks of what a transport serves over HTTP, where it says that it does (protocol §4, §5)."""

from __future__ import annotations

import asyncio
from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.transport_listening import OpenedTransport, Transports
from animus_conformance.checks.transport_reading import Body, HttpBridge, missing_words
from animus_conformance.patience import Patience
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.http import Address, HttpTrouble, Request, fetch

_ITEMS: Final = 30
"""Enough to overtake each other where a transport handles them at the same time."""
_AGAIN_S: Final = 0.1
_COMMON_PATHS: Final = ("/api/v1/subjects", "/api/v1/daemon/status", "/api/subjects", "/subjects", "/status", "/")


@check("transport.http.answers")
async def answers(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Asks for the root."""
    await bridge.require_http()
    _, address = await transports.shared_listening()
    try:
        await fetch(address, Request(address.path), patience.answer_s)
    except HttpTrouble as trouble:
        raise Failed(str(trouble)) from None


@check("transport.http.serves-others-meanwhile")
async def serves_others_meanwhile(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Reads something for which the daemon holds its answer back, and meanwhile asks for the root."""
    await bridge.require_http()
    transport, address = await transports.shared_listening()
    async with bridge.held_read(transport.daemon, address, patience.check_s):
        transport.daemon.let_pass()
        try:
            await fetch(address, Request(address.path), patience.answer_s)
        except HttpTrouble as trouble:
            raise Failed(f"while another request waits for the daemon, {trouble}") from None


@check("transport.bridge.asks-the-daemon")
async def asks_the_daemon(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Asks for the path that the settings name, else for common ones, and looks at what came to the control socket."""
    await bridge.require_http()
    transport, address = await transports.shared_listening()
    is_named = bridge.names_a_read
    for request in [bridge.read_request()] if is_named else [Request(path) for path in _COMMON_PATHS]:
        before = len(transport.daemon.asked)
        try:
            answer = await fetch(address, request, patience.answer_s)
        except HttpTrouble as trouble:
            raise Unproven(str(trouble)) from None
        if len(transport.daemon.asked) > before:
            return
        if is_named:
            raise Failed(f"{request} got {answer}, and nobody has asked the daemon at {transport.daemon.path}")
    bridge.read_request()  # says what to write


@check("transport.bridge.shows-what-the-daemon-says")
async def shows_what_the_daemon_says(transports: Transports, bridge: HttpBridge) -> None:
    """Asks for the path that the settings name, and looks in the answer for each word of the daemon's."""
    await bridge.require_http()
    transport, address = await transports.shared_listening()
    request = bridge.read_request()
    answer, words = await bridge.read_through(transport.daemon, address, request)
    if missing := missing_words(answer, words):
        raise Failed(f"{request}: {missing}")


@check("transport.bridge.without-the-daemon")
async def without_the_daemon(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Reads, stops the daemon, and reads again."""
    await bridge.require_http()
    request = bridge.read_request()
    async with transports.listening() as (transport, address):
        await bridge.read_through(transport.daemon, address, request)
        await transport.daemon.stop()
        try:
            await fetch(address, request, patience.answer_s)
        except HttpTrouble as trouble:
            raise Failed(f"while the daemon is away, {trouble}") from None


@check("transport.bridge.after-a-restart-of-the-daemon")
async def after_a_restart(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Reads, stops the daemon, reads, starts the daemon on the same path, and reads until its words are back."""
    await bridge.require_http()
    request = bridge.read_request()
    async with transports.listening() as (transport, address):
        before, words = await bridge.read_through(transport.daemon, address, request)
        if missing := missing_words(before, words):
            raise Unproven(f"first {request}: {missing}")
        await transport.daemon.stop()
        try:
            answer = await fetch(address, request, patience.answer_s)
            await transport.daemon.start()
            async with asyncio.timeout(patience.event_s):
                while missing_words(answer, words) or not transport.daemon.asked:
                    await asyncio.sleep(_AGAIN_S)  # nothing tells when it has noticed
                    answer = await fetch(address, request, patience.answer_s)
        except HttpTrouble as trouble:
            raise Unproven(f"around a restart of the daemon {trouble}") from None
        except TimeoutError:
            raise Failed(f"the daemon is back for {patience.event_s:g} s, and {request} still gets {answer}") from None


@check("transport.stream.shows-what-happens")
async def shows_what_happens(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Opens the stream that the settings name, makes things happen in the daemon, and looks for them on the stream."""
    await bridge.require_streaming()
    transport, address = await transports.shared_listening()
    await _given_bridge(bridge, transport, address)
    async with bridge.listened_to(address) as body:
        if not await _reaches_the_stream(patience, transport, body):
            raise Failed(f"things happen in the daemon, and {bridge.stream_request()} tells {body.text[-300:]!r}")


@check("transport.stream.leaves-no-gap")
async def leaves_no_gap(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Waits until the stream tells what happens, makes 30 things happen one after the other, and compares."""
    await bridge.require_streaming()
    transport, address = await transports.shared_listening()
    await _given_bridge(bridge, transport, address)
    words = [f"foghorn-{number:03}" for number in range(_ITEMS)]
    try:
        async with bridge.listened_to(address) as body:
            if not await _reaches_the_stream(patience, transport, body):
                raise Unproven("the stream does not tell what happens")
            for word in [*words, "foghorn-end"]:
                transport.daemon.tell(word)
            await body.shows("foghorn-end", patience.event_s)
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


async def _given_bridge(bridge: HttpBridge, transport: OpenedTransport, address: Address) -> None:
    """That reading works at all, where the settings say how: what does not ask the daemon cannot stream either."""
    if bridge.names_a_read:
        await bridge.read_through(transport.daemon, address, bridge.read_request())


async def _reaches_the_stream(patience: Patience, transport: OpenedTransport, body: Body) -> bool:
    """Whether something that happens comes on the stream; it happens again, as a stream may need a moment."""
    await transport.daemon.is_listened_to(patience.event_s)
    for number in range(max(1, round(patience.event_s / patience.silence_s))):
        transport.daemon.tell(f"lantern-{number:03}")
        if await body.shows("lantern-", patience.silence_s):
            return True
    return False
