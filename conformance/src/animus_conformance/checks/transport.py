"""Checks of how a transport says what it is and begins to listen (protocol §4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_served, require_type
from animus_conformance.checks.transport_listening import (
    LOOPBACK,
    SCHEMA,
    SHUTDOWN,
    START,
    address_in,
    free_address,
    given_start,
    info_in,
    is_reachable,
    reached,
    shared_opened,
)
from animus_conformance.control.fake_daemon import FakeDaemon
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.http import Address, read_address
from animus_conformance.wire.listeners import listening_hosts

_PLAUSIBLE: Final = timedelta(seconds=60)


@check("transport.schema.result-has-its-type", method=SCHEMA)
async def schema_has_its_type(plugin: PluginUnderTest) -> None:
    """Asks for the schema before and after transport/start and holds both against TransportSchema."""
    before = await plugin.shared()
    await before.typed(SCHEMA)
    after = await shared_opened(plugin)
    await after.host.typed(SCHEMA)


@check("transport.schema.default-port", method=SCHEMA)
async def default_port(plugin: PluginUnderTest) -> None:
    """Starts it without bind_addr and compares the port with default_port."""
    async with FakeDaemon.running() as daemon, plugin.started() as host:
        told = (await host.given(SCHEMA)).get("default_port")
        if not told:
            raise NotAdvertised("the schema names no default_port")
        address = await _own_address(plugin, host, daemon)
        if address.port != told:
            raise Failed(f"the schema says default_port {told}, and without bind_addr it listens on {address}")


@check("transport.start.is-advertised")
async def start_is_advertised(plugin: PluginUnderTest) -> None:
    """Looks for transport/start and transport/shutdown among the methods of manifest and initialize."""
    await plugin.shared()
    missing = [name for name in (START, SHUTDOWN) if name not in plugin.advertised]
    if missing:
        raise Failed(f"neither manifest nor initialize names {' and '.join(missing)}")


@check("transport.start.result-has-its-type", method=START)
async def start_has_its_type(plugin: PluginUnderTest) -> None:
    """Starts it on a free port of the loopback and holds the result against TransportInfo."""
    transport = await shared_opened(plugin)
    if transport.reply is None:
        raise Failed(transport.trouble)
    require_served(START, transport.reply)
    if transport.reply.error is not None:
        raise Failed(f"{START} for a free port of {LOOPBACK} was refused: {transport.reply}")
    require_type(plugin, START, transport.reply)


@check("transport.start.listens", method=START)
async def start_listens(plugin: PluginUnderTest) -> None:
    """Reads bound_addr and connects to it, as soon as transport/start is answered."""
    transport = await shared_opened(plugin)
    told = transport.info["bound_addr"]
    address = read_address(told)
    if address is None:
        raise Failed(f"bound_addr {told!r} is neither host:port nor a URL")
    if not await is_reachable(address):
        raise Failed(f"transport/start is answered, and nobody listens on bound_addr {told}")


@check("transport.start.started-at", method=START)
async def started_at(plugin: PluginUnderTest) -> None:
    """Compares started_at with the time around the request."""
    transport = await shared_opened(plugin)
    told = transport.info["started_at"]
    at = datetime.fromisoformat(told.upper().replace(":60", ":59"))
    if not transport.began - _PLAUSIBLE <= at <= transport.ended + _PLAUSIBLE:
        raise Failed(f"it was started between {transport.began} and {transport.ended}, and says {told}")


@check("transport.start.binds-what-was-asked", method=START)
async def binds_what_was_asked(plugin: PluginUnderTest) -> None:
    """Asks for one free port of the loopback and looks where it listens."""
    asked = free_address()
    async with FakeDaemon.running() as daemon, plugin.started() as host:
        told = await reached(address_in(info_in(await given_start(plugin, host, daemon, bind_addr=str(asked)))))
        if told.port != asked.port or not await is_reachable(asked):
            raise Failed(f"it was asked to listen on {asked}, and listens on {told}")


@check("transport.start.port-0", method=START)
async def port_0(plugin: PluginUnderTest) -> None:
    """Asks for port 0 and looks for a real port in bound_addr."""
    async with FakeDaemon.running() as daemon, plugin.started() as host:
        reply = await given_start(plugin, host, daemon, bind_addr=f"{LOOPBACK}:0")
        require_served(START, reply)
        if reply.error is not None:
            raise Failed(f"with bind_addr {LOOPBACK}:0, {START} was refused: {reply}")
        address = address_in(info_in(reply))
        if address.port == 0:
            raise Failed(f"with bind_addr {LOOPBACK}:0 it says bound_addr {address}, which nobody can connect to")
        await reached(address)


@check("transport.start.without-bind-addr", method=START)
async def without_bind_addr(plugin: PluginUnderTest) -> None:
    """Starts one process without bind_addr and one with null."""
    async with FakeDaemon.running() as daemon:
        for params in ({}, {"bind_addr": None}):
            async with plugin.started() as host:
                await _own_start(plugin, host, daemon, params, Failed)


@check("transport.start.loopback-by-default", method=START)
async def loopback_by_default(plugin: PluginUnderTest) -> None:
    """Starts it without bind_addr and looks, in the system's table of sockets where it has one, who can reach it."""
    async with FakeDaemon.running() as daemon, plugin.started() as host:
        address = await _own_address(plugin, host, daemon)
        hosts = listening_hosts(address.port)
        if hosts is None:
            if not _is_loopback(address.host):
                raise Failed(f"without bind_addr it listens on {address}, where other machines reach it")
            raise Unproven("this system does not tell on which addresses a port listens")
        foreign = sorted(one for one in hosts if not _is_loopback(one))
        if foreign:
            raise Failed(f"without bind_addr it listens on {', '.join(foreign)}, where other machines reach it")
        if not hosts:
            raise Unproven(f"the system knows of nobody who listens on port {address.port}")


async def _own_start(
    plugin: PluginUnderTest, host: Host, daemon: FakeDaemon, params: dict[str, Any], trouble: type[Failed | Unproven]
) -> Address:
    """A start without an address, with `params`; raises `trouble` when it is refused, Unproven for a taken port."""
    whole = {"control_socket_path": str(daemon.path), "project_root": str(host.project), **params}
    own = plugin.params(START, **whole)
    if "bind_addr" not in params:
        own.pop("bind_addr", None)
    try:
        reply = await host.ask(START, own, within_s=plugin.patience.start_s)
    except Failed as failed:
        raise trouble(str(failed)) from None
    require_served(START, reply)
    if reply.category == "address_in_use":
        raise Unproven(f"somebody else has the address that it takes by itself: {reply}")
    if reply.error is not None:
        asked = "with bind_addr null" if "bind_addr" in params else "without bind_addr"
        raise trouble(f"{asked}, {START} was refused: {reply}")
    return await reached(address_in(info_in(reply)))


async def _own_address(plugin: PluginUnderTest, host: Host, daemon: FakeDaemon) -> Address:
    return await _own_start(plugin, host, daemon, {}, Unproven)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
