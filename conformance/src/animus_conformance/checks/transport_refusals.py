"""Checks of starts that cannot or need not succeed: nothing is claimed that is not so (protocol §4)."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_alive, require_served
from animus_conformance.checks.transport_listening import (
    LOOPBACK,
    SHUTDOWN,
    SHUTDOWN_S,
    START,
    Transports,
    address_in,
    free_address,
    info_in,
    is_reachable,
)
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.http import Address, read_address
from animus_conformance.wire.messages import Reply

_BAD_ADDRESSES: Final = ("127.0.0.1:99999", "not an address")


@check("transport.start.taken-address-is-not-claimed", method=START)
async def taken_address_is_not_claimed(processes: Processes, transports: Transports) -> None:
    """Listens itself on a port, asks the plugin to listen there, and looks at the answer and whether it lives."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        with _listener() as sock:
            taken = Address(LOOPBACK, sock.getsockname()[1])
            reply = await transports.start(host, daemon.path, bind_addr=str(taken))
            await require_alive(host, f"after a start on {taken}, which was taken")
            if reply.error is not None:
                return
            claimed = read_address(str(reply.result.get("bound_addr"))) if isinstance(reply.result, dict) else None
            # It may listen elsewhere and say so: only a claim that is not true fails.
            if claimed is None or claimed.port == taken.port or not await is_reachable(claimed):
                raise Failed(f"somebody else listens on {taken}, and {START} for it got {reply}")


@check("transport.start.names-a-taken-address", method=START)
async def names_a_taken_address(processes: Processes, transports: Transports) -> None:
    """Opens it at an address that somebody else listens on, and looks for the category address_in_use."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        with _listener() as sock:
            taken = Address(LOOPBACK, sock.getsockname()[1])
            reply = await transports.given_start(host, daemon, bind_addr=str(taken))
            require_served(START, reply)
        claimed = read_address(str(reply.result.get("bound_addr"))) if isinstance(reply.result, dict) else None
        if claimed is not None and claimed.port == taken.port:
            raise Unproven(f"it claims to listen on {taken}, where somebody else listens")
        if reply.category != "address_in_use":
            raise Failed(f"somebody else listens on {taken}, and {START} for it got {reply}")


@check("transport.start.bad-address", method=START)
async def bad_address(processes: Processes, transports: Transports) -> None:
    """Asks for addresses that there cannot be."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        for bad in _BAD_ADDRESSES:
            reply = await transports.start(host, daemon.path, bind_addr=bad)
            if reply.error is None:
                raise Failed(f"with bind_addr {bad!r}, {START} got {reply}")


@check("transport.start.bad-params", method=START)
async def bad_params(processes: Processes, transports: Transports) -> None:
    """Asks with numbers in place of paths and addresses."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        wrong: tuple[dict[str, Any], ...] = ({"control_socket_path": 7}, {"project_root": [1]}, {"bind_addr": 8080})
        for params in wrong:
            reply = await transports.start(host, daemon.path, **params)
            require_served(START, reply)
            if reply.code != -32602:
                raise Failed(f"with {params}, {START} got {reply}, and not the error -32602")


@check("transport.start.without-a-daemon", method=START)
async def without_a_daemon(processes: Processes, transports: Transports) -> None:
    """Starts it with a control socket that is not there: refused or listening, and alive."""
    await transports.shared_listening()
    async with processes.started() as host:
        reply = await transports.start(host, Path(host.project) / "no-daemon.sock")
        await require_alive(host, "after a start without a daemon")
        if reply.error is None:
            await _require_reach(reply, "without a daemon")


@check("transport.start.twice", method=START)
async def start_twice(transports: Transports) -> None:
    """Starts a transport that listens, for another address: one of the two addresses is served as the answer says."""
    async with transports.listening() as (transport, first):
        reply = await transports.start(transport.host, transport.daemon.path)
        await require_alive(transport.host, "after a second start")
        if reply.error is None:
            await _require_reach(reply, "for the second time")
        elif not await is_reachable(first):
            raise Failed(f"a second start was refused ({reply}), and yet nobody listens on {first} any more")


@check("transport.start.after-shutdown", method=START)
async def start_after_shutdown(transports: Transports) -> None:
    """Starts it, shuts it down, and starts it again: refused or listening, and alive."""
    async with transports.listening() as (transport, _):
        await transport.host.given(SHUTDOWN, within_s=SHUTDOWN_S)
        reply = await transports.start(transport.host, transport.daemon.path)
        await require_alive(transport.host, "after a start that followed a shutdown")
        if reply.error is None:
            await _require_reach(reply, "after a shutdown")


async def _require_reach(reply: Reply, when: str) -> None:
    if not await is_reachable(address_in(info_in(reply))):
        raise Failed(f"started {when} it says {reply}, and nobody listens there")


def _listener() -> socket.socket:
    """A socket that listens on a port of the loopback."""
    sock = socket.socket()
    sock.bind((LOOPBACK, free_address().port))
    sock.listen(1)
    return sock
