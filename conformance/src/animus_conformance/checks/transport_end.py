"""Checks of how a transport ends: by `transport/shutdown`, and with its process (protocol §2, §4)."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator
from typing import Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import given_reply, require_alive
from animus_conformance.checks.transport_listening import (
    SHUTDOWN,
    SHUTDOWN_S,
    Transports,
    is_released,
)
from animus_conformance.checks.transport_reading import HttpBridge
from animus_conformance.patience import Patience
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.http import Address, HttpTrouble

_REACH_S: Final = 2.0
_END_OF_INPUT_S: Final = 5.0
"""What the requirement gives a transport: it may have connections to end first."""


@check("transport.shutdown.result-has-its-type", method=SHUTDOWN)
async def shutdown_has_its_type(transports: Transports) -> None:
    """Shuts a transport down that listens and that nobody uses."""
    async with transports.listening() as (transport, _):
        await transport.host.typed(SHUTDOWN)


@check("transport.shutdown.releases-the-address", method=SHUTDOWN)
async def shutdown_releases(transports: Transports) -> None:
    """Shuts a transport down, connects to its address, and listens there itself."""
    async with transports.listening() as (transport, address):
        await _given_shutdown(transport.host)
        if not await is_released(address):
            raise Failed(f"{SHUTDOWN} is answered, and {address} is still taken")


@check("transport.shutdown.twice", method=SHUTDOWN)
async def shutdown_twice(transports: Transports) -> None:
    """Shuts a transport down two times."""
    async with transports.listening() as (transport, _):
        await _given_shutdown(transport.host)
        reply = await transport.host.ask(SHUTDOWN, within_s=SHUTDOWN_S)
        if reply.error is not None:
            raise Failed(f"a second {SHUTDOWN} was refused: {reply}")
        await require_alive(transport.host, f"after a second {SHUTDOWN}")


@check("transport.shutdown.before-start", method=SHUTDOWN)
async def shutdown_before_start(processes: Processes) -> None:
    """Shuts down what was never started: an answer, whichever, and a plugin that lives."""
    async with processes.started() as host:
        await host.ask(SHUTDOWN, within_s=SHUTDOWN_S)
        await require_alive(host, f"after a {SHUTDOWN} before any start")


@check("transport.shutdown.with-open-connections", method=SHUTDOWN)
async def shutdown_with_open_connections(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Connects and says nothing, opens a stream and begins a read where the settings say how, and shuts down."""
    async with transports.listening() as (transport, address), contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_idle(address))
        with contextlib.suppress(NotAdvertised, Unproven, Failed):
            await bridge.require_streaming()
            await stack.enter_async_context(bridge.listened_to(address))
        with contextlib.suppress(NotAdvertised, Unproven):
            await bridge.require_http()
            await stack.enter_async_context(bridge.held_read(transport.daemon, address, patience.answer_s + SHUTDOWN_S))
        try:
            await transport.host.ask(SHUTDOWN, within_s=SHUTDOWN_S)
        except Failed as failed:
            raise Failed(f"with connections open, {failed}") from None


@check("transport.shutdown.finishes-what-is-under-way", method=SHUTDOWN)
async def shutdown_finishes(transports: Transports, bridge: HttpBridge, patience: Patience) -> None:
    """Begins a read, holds the daemon's answer back until transport/shutdown has come, and looks at the read's end."""
    await bridge.require_http()
    async with transports.listening() as (transport, address):
        async with bridge.held_read(transport.daemon, address, patience.answer_s + SHUTDOWN_S) as reading:
            shutdown = transport.host.send(SHUTDOWN)
            with contextlib.suppress(Failed):  # it may answer nothing else before it is done
                await transport.host.reply(transport.host.send("$/ping"), patience.silence_s)
            transport.daemon.release()
            try:
                await transport.host.reply(shutdown, SHUTDOWN_S)
            except Failed as failed:
                raise Unproven(str(failed)) from None
            try:
                answer = await reading
            except HttpTrouble as trouble:
                raise Failed(f"it was under way when {SHUTDOWN} came: {trouble}") from None
        if answer.status >= 500:
            raise Failed(f"{bridge.read_request()} was under way when {SHUTDOWN} came, and got {answer}")


@check("transport.end.exit")
async def ends_by_exit(transports: Transports, patience: Patience) -> None:
    """Ends a process with shutdown and exit while the transport listens and somebody is connected."""
    async with transports.listening() as (transport, address), _idle(address):
        with contextlib.suppress(Failed):  # whether shutdown is answered is checked elsewhere
            await transport.host.ask("shutdown", within_s=patience.shutdown_s)
        transport.host.tell("exit")
        await _gone(transport.host, address, "exit", patience.exit_s)


@check("transport.end.end-of-input")
async def ends_with_its_input(transports: Transports) -> None:
    """Closes standard input while the transport listens and somebody is connected."""
    async with transports.listening() as (transport, address), _idle(address):
        transport.host.process.end_input()
        await _gone(transport.host, address, "the end of its input", _END_OF_INPUT_S)


@check("transport.end.sigterm")
async def ends_by_sigterm(transports: Transports, patience: Patience) -> None:
    """Sends SIGTERM while the transport listens and somebody is connected."""
    async with transports.listening() as (transport, address), _idle(address):
        transport.host.process.signal(signal.SIGTERM)
        await _gone(transport.host, address, "SIGTERM", patience.exit_s)


async def _given_shutdown(host: Host) -> None:
    await given_reply(host, host.send(SHUTDOWN), SHUTDOWN, SHUTDOWN_S)


@contextlib.asynccontextmanager
async def _idle(address: Address) -> AsyncIterator[None]:
    """A connection on which nothing is said. Raises Unproven."""
    try:
        _, writer = await address.connect(_REACH_S)
    except OSError as error:
        raise Unproven(f"nobody listens on {address} any more: {error}") from None
    try:
        yield
    finally:
        writer.transport.abort()


async def _gone(host: Host, address: Address, what: str, within_s: float) -> None:
    if not await host.process.exited(within_s):
        raise Failed(f"{within_s:g} s after {what} the process still runs, and listened on {address}")
    if not await is_released(address):
        raise Failed(f"after {what} the process has ended, and {address} is still taken")
