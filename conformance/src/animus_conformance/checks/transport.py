"""Checks of how a transport says what it is and begins to listen (protocol §4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_result, require_served, require_type
from animus_conformance.checks.transport_listening import (
    LOOPBACK,
    SCHEMA,
    SHUTDOWN,
    START,
    Transports,
    address_in,
    free_address,
    info_in,
    is_reachable,
    reached,
)
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_conformance.patience import Patience
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.http import Address, read_address
from animus_conformance.wire.listeners import listening_hosts
from animus_conformance.wire.observer import Observed

_PLAUSIBLE: Final = timedelta(seconds=60)
"""What is looked for is a time of another day or time zone; clocks may differ a little."""


@check("transport.schema.result-has-its-type", method=SCHEMA)
async def schema_has_its_type(processes: Processes, transports: Transports) -> None:
    """Asks for the schema before and after transport/start and holds both against TransportSchema."""
    before = await processes.shared()
    await before.typed(SCHEMA)
    after = await transports.shared()
    await after.host.typed(SCHEMA)


@check("transport.schema.default-port", method=SCHEMA)
async def default_port(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Starts it without bind_addr and compares the port with default_port."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        default_port = (await host.given(SCHEMA)).get("default_port")
        if not default_port:
            raise NotAdvertised("the schema names no default_port")
        address = await _own_address(settings, patience, host, daemon)
        if address.port != default_port:
            raise Failed(f"the schema says default_port {default_port}, and without bind_addr it listens on {address}")


@check("transport.start.is-advertised")
async def start_is_advertised(processes: Processes, claims: Claims) -> None:
    """Looks for transport/start and transport/shutdown among the methods of manifest and initialize."""
    await processes.shared()
    missing = [name for name in (START, SHUTDOWN) if name not in claims.advertised]
    if missing:
        raise Failed(f"neither manifest nor initialize names {' and '.join(missing)}")


@check("transport.start.result-has-its-type", method=START)
async def start_has_its_type(transports: Transports, observed: Observed) -> None:
    """Starts it on a free port of the loopback and holds the result against TransportInfo."""
    transport = await transports.shared()
    if transport.reply is None:
        raise Failed(transport.trouble)
    require_result(START, transport.reply, f"{START} for a free port of {LOOPBACK}")
    require_type(observed, START, transport.reply)


@check("transport.start.listens", method=START)
async def start_listens(transports: Transports) -> None:
    """Reads bound_addr and connects to it, as soon as transport/start is answered."""
    transport = await transports.shared()
    bound = transport.info["bound_addr"]
    address = read_address(bound)
    if address is None:
        raise Failed(f"bound_addr {bound!r} is neither host:port nor a URL")
    if not await is_reachable(address):
        raise Failed(f"transport/start is answered, and nobody listens on bound_addr {bound}")


@check("transport.start.started-at", method=START)
async def started_at(transports: Transports) -> None:
    """Compares started_at with the time around the request."""
    transport = await transports.shared()
    said = transport.info["started_at"]
    at = oracle.moment(said)
    if not transport.began - _PLAUSIBLE <= at <= transport.ended + _PLAUSIBLE:
        raise Failed(f"it was started between {transport.began} and {transport.ended}, and says {said}")


@check("transport.start.binds-what-was-asked", method=START)
async def binds_what_was_asked(processes: Processes, transports: Transports) -> None:
    """Asks for one free port of the loopback and looks where it listens."""
    asked = free_address()
    async with FakeDaemon.running() as daemon, processes.started() as host:
        bound = await reached(address_in(info_in(await transports.given_start(host, daemon, bind_addr=str(asked)))))
        if bound.port != asked.port or not await is_reachable(asked):
            raise Failed(f"it was asked to listen on {asked}, and listens on {bound}")


@check("transport.start.port-0", method=START)
async def port_0(processes: Processes, transports: Transports) -> None:
    """Asks for port 0 and looks for a real port in bound_addr."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        reply = await transports.given_start(host, daemon, bind_addr=f"{LOOPBACK}:0")
        require_result(START, reply, f"with bind_addr {LOOPBACK}:0, {START}")
        address = address_in(info_in(reply))
        if address.port == 0:
            raise Failed(f"with bind_addr {LOOPBACK}:0 it says bound_addr {address}, which nobody can connect to")
        await reached(address)


@check("transport.start.without-bind-addr", method=START)
async def without_bind_addr(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Starts one process without bind_addr and one with null."""
    async with FakeDaemon.running() as daemon:
        for params in ({}, {"bind_addr": None}):
            async with processes.started() as host:
                await _own_start(settings, patience, host, daemon, params, Failed)


@check("transport.start.loopback-by-default", method=START)
async def loopback_by_default(processes: Processes, settings: SuiteSettings, patience: Patience) -> None:
    """Starts it without bind_addr and looks, in the system's table of sockets where it has one, who can reach it."""
    async with FakeDaemon.running() as daemon, processes.started() as host:
        address = await _own_address(settings, patience, host, daemon)
        hosts = listening_hosts(address.port)
        if hosts is None:
            if not _is_loopback(address.host):
                raise Failed(f"without bind_addr it listens on {address}, where other machines reach it")
            raise Unproven("this system does not tell on which addresses a port listens")
        foreign = sorted(host for host in hosts if not _is_loopback(host))
        if foreign:
            raise Failed(f"without bind_addr it listens on {', '.join(foreign)}, where other machines reach it")
        if not hosts:
            raise Unproven(f"the system knows of nobody who listens on port {address.port}")


async def _own_start(
    settings: SuiteSettings,
    patience: Patience,
    host: Host,
    daemon: FakeDaemon,
    params: dict[str, Any],
    trouble: type[Failed | Unproven],
) -> Address:
    """A start without an address, with `params`; raises `trouble` when it is refused, Unproven for a taken port."""
    whole = {"control_socket_path": str(daemon.path), "project_root": str(host.project), **params}
    own = settings.params_for(START, **whole)
    if "bind_addr" not in params:
        # The settings may name an address for every start; here there is to be none.
        own.pop("bind_addr", None)
    try:
        reply = await host.ask(START, own, within_s=patience.start_s)
    except Failed as failed:
        raise trouble(str(failed)) from None
    require_served(START, reply)
    if reply.category == "address_in_use":
        raise Unproven(f"somebody else has the address that it takes by itself: {reply}")
    if reply.error is not None:
        asked = "with bind_addr null" if "bind_addr" in params else "without bind_addr"
        raise trouble(f"{asked}, {START} was refused: {reply}")
    return await reached(address_in(info_in(reply)))


async def _own_address(settings: SuiteSettings, patience: Patience, host: Host, daemon: FakeDaemon) -> Address:
    return await _own_start(settings, patience, host, daemon, {}, Unproven)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
