"""How the checks of transports get one that listens: a process, a fake daemon behind it, and `transport/start`.

`Transports` is a part, below which lie the processes, the fake daemon and the HTTP client.
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

from animus_conformance import oracle
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.http import Address, read_address
from animus_conformance.wire.messages import Reply

__all__ = [
    "INFO",
    "LOOPBACK",
    "SCHEMA",
    "SHUTDOWN",
    "SHUTDOWN_S",
    "START",
    "OpenedTransport",
    "Transports",
    "address_in",
    "free_address",
    "info_in",
    "is_reachable",
    "is_released",
    "reached",
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
"""Of 12,000 ports: when all of them are taken, something else is wrong with the machine."""
_CHOICE: Final = random.SystemRandom()
_REACH_S: Final = 2.0
_POLLS: Final = 50
_POLL_S: Final = 0.02


@dataclass(frozen=True)
class OpenedTransport:
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


class Transports:
    """Processes of the transport, as checks ask for them, each with a fake daemon behind it.

    One that was told to start is kept for all gentle checks of the run together.
    """

    def __init__(self, processes: Processes, settings: SuiteSettings, conversations: Conversations) -> None:
        self._processes = processes
        self._settings = settings
        self._conversations = conversations
        self._kept: OpenedTransport | None = None
        self._until_close = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[OpenedTransport]:
        """A process of its own with a daemon behind it, after one `transport/start` for a free port of the loopback."""
        async with FakeDaemon.running() as daemon, self._processes.started() as host:
            began = datetime.now(UTC)
            try:
                reply, trouble = await self.start(host, daemon.path), ""
            except Failed as failed:
                reply, trouble = None, str(failed)
            yield OpenedTransport(host, daemon, reply, trouble, began, datetime.now(UTC))

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[OpenedTransport, Address]]:
        """The same, and it can be reached. Raises Unproven."""
        async with self.opened() as transport:
            yield transport, await reached(address_in(transport.info))

    async def shared(self) -> OpenedTransport:
        """Like `opened`, for all gentle checks of the run together; a new one when the process has ended."""
        if self._kept is None or self._kept.host.ended:
            self._kept = await self._until_close.enter_async_context(self.opened())
        self._conversations.note(self._kept.host)
        return self._kept

    async def shared_listening(self) -> tuple[OpenedTransport, Address]:
        """The same, and it can be reached. Raises Unproven."""
        transport = await self.shared()
        return transport, await reached(address_in(transport.info))

    async def start(self, host: Host, control_socket: Path, **ours: Any) -> Reply:
        """`transport/start`, for a free port of the loopback unless `ours` say otherwise; what is None is left out."""
        whole = {
            "control_socket_path": str(control_socket),
            "project_root": str(host.project),
            "bind_addr": str(free_address()),
            **ours,
        }
        params = {name: value for name, value in whole.items() if value is not None}
        return await host.ask(START, self._settings.params_for(START, **params), within_s=host.patience.start_s)

    async def given_start(self, host: Host, daemon: FakeDaemon, **ours: Any) -> Reply:
        """The same where the start is not the point. Raises Unproven when it gets no answer."""
        try:
            return await self.start(host, daemon.path, **ours)
        except Failed as failed:
            raise Unproven(f"first {failed}") from None

    async def close(self) -> None:
        """End what was opened for the rest of the run."""
        await self._until_close.aclose()


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
    for _ in range(_POLLS):
        if not await is_reachable(local) and is_free(local):
            return True
        await asyncio.sleep(_POLL_S)  # nothing tells when a port is given back
    return False
