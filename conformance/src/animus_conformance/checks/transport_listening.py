"""How the checks of transports get one that listens: a process, a fake daemon behind it, and `transport/start`.

Used by the checks of transports and web UIs; below lie the fake daemon and the HTTP client.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from animus_conformance import oracle
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host, Reply
from animus_conformance.wire.http import Address, read_address

__all__ = [
    "INFO",
    "LOOPBACK",
    "SCHEMA",
    "SHUTDOWN",
    "SHUTDOWN_S",
    "START",
    "Opened",
    "address_in",
    "alive",
    "free_address",
    "given_start",
    "info_in",
    "is_reachable",
    "is_released",
    "listening",
    "opened",
    "reached",
    "shared_listening",
    "shared_opened",
    "start",
]

START: Final = "transport/start"
SHUTDOWN: Final = "transport/shutdown"
SCHEMA: Final = "transport/schema"
INFO: Final = "transport#/$defs/TransportInfo"
LOOPBACK: Final = "127.0.0.1"
SHUTDOWN_S: Final = 5.0
"""How long a host waits for `transport/shutdown` (protocol §4)."""
_PORTS: Final = range(20_000, 32_000)
"""Below the ports that systems give away by themselves, so that nobody else takes one between choice and use."""
_TRIES: Final = 100
_CHOICE: Final = random.SystemRandom()
_REACH_S: Final = 2.0
_LOOKS: Final = 50
_LOOK_S: Final = 0.02


@dataclass(frozen=True)
class Opened:
    """A transport after `transport/start`, whatever that came to: `reply` is None, and `trouble` says why, without one.

    `began` and `ended` are the times around the request.
    """

    host: Host
    daemon: FakeDaemon
    reply: Reply | None
    trouble: str
    began: datetime
    ended: datetime

    @property
    def info(self) -> Mapping[str, Any]:
        """The TransportInfo that came. Raises Unproven when none did."""
        if self.reply is None:
            raise Unproven(self.trouble)
        return info_in(self.reply)


_kept: Final[WeakKeyDictionary[PluginUnderTest, Opened]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def opened(plugin: PluginUnderTest) -> AsyncIterator[Opened]:
    """A process of its own with a daemon behind it, after one `transport/start` for a free port of the loopback."""
    async with FakeDaemon.running() as daemon, plugin.started() as host:
        began = datetime.now(UTC)
        try:
            reply, trouble = await start(plugin, host, daemon.path), ""
        except Failed as failed:
            reply, trouble = None, str(failed)
        yield Opened(host, daemon, reply, trouble, began, datetime.now(UTC))


@contextlib.asynccontextmanager
async def listening(plugin: PluginUnderTest) -> AsyncIterator[tuple[Opened, Address]]:
    """The same, and it can be reached. Raises Unproven."""
    async with opened(plugin) as transport:
        yield transport, await reached(address_in(transport.info))


async def shared_opened(plugin: PluginUnderTest) -> Opened:
    """As `opened`, for all gentle checks of the run together; a new one when the process has ended."""
    transport = _kept.get(plugin)
    if transport is None or transport.host.ended:
        transport = await plugin.until_close.enter_async_context(opened(plugin))
        _kept[plugin] = transport
    plugin.used.setdefault(transport.host, transport.host.now)
    return transport


async def shared_listening(plugin: PluginUnderTest) -> tuple[Opened, Address]:
    """The same, and it can be reached. Raises Unproven."""
    transport = await shared_opened(plugin)
    return transport, await reached(address_in(transport.info))


async def start(plugin: PluginUnderTest, host: Host, control_socket: Path, **ours: Any) -> Reply:
    """`transport/start`, for a free port of the loopback unless `ours` say otherwise; what is None is left out."""
    whole = {
        "control_socket_path": str(control_socket),
        "project_root": str(host.project),
        "bind_addr": str(free_address()),
        **ours,
    }
    params = {name: value for name, value in whole.items() if value is not None}
    return await host.ask(START, plugin.params(START, **params), within_s=plugin.patience.start_s)


async def given_start(plugin: PluginUnderTest, host: Host, daemon: FakeDaemon, **ours: Any) -> Reply:
    """The same where the start is not the point. Raises Unproven when it gets no answer."""
    try:
        return await start(plugin, host, daemon.path, **ours)
    except Failed as failed:
        raise Unproven(f"first {failed}") from None


def info_in(reply: Reply) -> Mapping[str, Any]:
    """The result of a `transport/start` that succeeded. Raises Unproven."""
    if reply.error is not None:
        raise Unproven(f"first {START} was refused: {reply}")
    wrong = oracle.mismatch(INFO, reply.result)
    if wrong is not None:
        raise Unproven(f"first {START} has not the protocol's type ({wrong})")
    info: Mapping[str, Any] = reply.result
    return info


def address_in(info: Mapping[str, Any]) -> Address:
    """`bound_addr` of a TransportInfo. Raises Unproven when that is no address."""
    address = read_address(info["bound_addr"])
    if address is None:
        raise Unproven(f"bound_addr {info['bound_addr']!r} is neither host:port nor a URL")
    return address


async def reached(address: Address) -> Address:
    """The address, where somebody listens. Raises Unproven when nobody does."""
    if not await is_reachable(address):
        raise Unproven(f"nobody listens on {address}")
    return address


async def is_reachable(address: Address) -> bool:
    """Whether a connection succeeds."""
    return await address.is_reachable(_REACH_S)


def free_address() -> Address:
    """A port of the loopback on which nobody listens."""
    for port in _CHOICE.sample(_PORTS, _TRIES):
        address = Address(LOOPBACK, port)
        if is_free(address):
            return address
    raise Unproven(f"{_TRIES} ports of this machine are all taken")


def is_free(address: Address) -> bool:
    """Whether the suite could listen there, if only a moment ago somebody else has."""
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address.host, address.port))
            sock.listen(1)
        except OSError:
            return False
    return True


async def is_released(address: Address) -> bool:
    """Whether nobody listens there any more, and the suite could; within a second, as a server needs a moment."""
    local = Address(LOOPBACK, address.port) if address.is_wildcard or address.host == "localhost" else address
    for _ in range(_LOOKS):
        if not await is_reachable(local) and is_free(local):
            return True
        await asyncio.sleep(_LOOK_S)  # nothing tells when a port is given back
    return False


async def alive(host: Host, when: str) -> None:
    """Ask `$/ping`. Raises Failed when it gets no answer."""
    try:
        await host.ask("$/ping")
    except Failed as failed:
        raise Failed(f"{when}: {failed}") from None
