"""Checks of the life cycle that every plugin has, from initialize to exit (protocol §2)."""

from __future__ import annotations

from animus_conformance.checks.kind_probe import KindProbe
from animus_conformance.checks.manifest import require_current_protocol
from animus_conformance.checks.registry import check
from animus_conformance.checks.regular_end import RegularEnd
from animus_conformance.checks.replies import require_type
from animus_conformance.patience import Patience
from animus_conformance.profiles import PROFILES, Profile
from animus_conformance.target.claims import Claims
from animus_conformance.target.launcher import Launcher
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.observer import Observed

# Plugins refuse another major with either of them (protocol §2).
_MAJOR_REFUSALS = (-32600, -32602)


@check("initialize.result-has-its-type")
async def initialize_has_its_type(processes: Processes, observed: Observed) -> None:
    """Initializes a process and holds the result against InitializeResult."""
    try:
        reply = await processes.greeting()
    except Unproven as unproven:
        raise Failed(str(unproven)) from None
    require_type(observed, "initialize", reply)


@check("initialize.agrees-with-the-manifest")
async def initialize_agrees(processes: Processes, claims: Claims) -> None:
    """Compares plugin_info with the manifest."""
    host = await processes.shared()
    if not claims.manifest:
        raise Unproven("there is no manifest to compare with")
    info = host.initialized.get("plugin_info")
    if not isinstance(info, dict):
        raise Unproven("the result has no plugin_info")
    for field in ("name", "version", "plugin_kind"):
        if info.get(field) != claims.manifest.get(field):
            raise Failed(f"{field} is {info.get(field)!r} here and {claims.manifest.get(field)!r} in the manifest")


@check("initialize.names-a-current-protocol")
async def initialize_names_a_current_protocol(processes: Processes) -> None:
    """Looks at the major number of protocol_version in the result."""
    host = await processes.shared()
    require_current_protocol("the result", host.initialized)


@check("initialize.accepts-both-minors")
async def accepts_both_minors(launcher: Launcher, processes: Processes, profile: Profile) -> None:
    """Initializes one process more, as a host of the other minor version than in the rest of the run."""
    await processes.shared()
    other = PROFILES["1.1" if profile.protocol_version.startswith("1.0") else "1.0"]
    async with launcher.spawned(profile=other) as host:
        reply = await host.initialize()
        if reply.error is not None:
            raise Failed(f"a host of protocol {other.protocol_version} was refused: {reply}")


@check("initialize.refuses-another-major")
async def refuses_another_major(launcher: Launcher) -> None:
    """Announces protocol 2.0.0 and looks at the answer."""
    async with launcher.spawned() as host:
        reply = await host.initialize(protocol_version="2.0.0")
        if reply.code not in _MAJOR_REFUSALS:
            raise Failed(f"a host of protocol 2.0.0 got {reply}")


@check("initialize.ignores-unknown-extensions")
async def ignores_unknown_extensions(launcher: Launcher, processes: Processes) -> None:
    """Adds members that nobody has heard of at every place where a newer host may."""
    await processes.shared()
    async with launcher.spawned() as host:
        binding = {**host.project_binding, "x_new": [1]}
        reply = await host.initialize(
            init_extensions={"project_binding": binding, "x_tracing": {"level": 3}},
            capabilities={"streaming": True, "progress": True, "cancellation": True, "x_new": {"deep": None}},
            x_new="new",
        )
        if reply.error is not None:
            raise Failed(f"with unknown members initialize got {reply}")


@check("initialize.without-extensions-answers")
async def without_extensions(launcher: Launcher, processes: Processes) -> None:
    """Initializes without init_extensions: a result or a well-formed error has to come."""
    await processes.shared()
    async with launcher.spawned(profile=PROFILES["no-extensions"]) as host:
        await host.initialize()


@check("initialize.comes-first")
async def initialize_comes_first(launcher: Launcher, processes: Processes, probe: KindProbe) -> None:
    """Sends a request of the kind before initialize, then initializes and pings."""
    await processes.shared()
    async with launcher.spawned() as host:
        await probe.ask(host)
        reply = await host.initialize()
        if reply.error is not None:
            raise Failed(f"after an early {probe.method}, initialize got {reply}")


@check("lifecycle.ping")
async def ping(processes: Processes) -> None:
    """Asks $/ping."""
    host = await processes.shared()
    reply = await host.ask("$/ping")
    if reply.error is not None:
        raise Failed(f"$/ping was refused: {reply}")


@check("lifecycle.health-check")
async def health_check(processes: Processes) -> None:
    """Asks health/check and holds the result against HealthCheckResult."""
    host = await processes.shared()
    reply = await host.ask("health/check")
    if reply.error is not None:
        raise Failed(f"health/check was refused: {reply}")
    await host.typed("health/check")


@check("lifecycle.unknown-method")
async def unknown_method(processes: Processes) -> None:
    """Asks for a method that nobody has."""
    host = await processes.shared()
    reply = await host.ask("conformance/no_such_method", {"x": 1})
    if reply.code != -32601:
        raise Failed(f"an unknown method got {reply}, and not the error -32601")


@check("lifecycle.unknown-notifications")
async def unknown_notifications(processes: Processes, probe: KindProbe) -> None:
    """Sends notifications and a $/ request that nobody knows, then asks the kind's harmless request."""
    await _still_answers(processes, probe, "before")
    host = await processes.shared()
    host.tell("conformance/no_such_notification", {"x": [1, 2]})
    host.tell("$/conformanceNoSuchNotification", {"x": 1})
    host.tell("$/cancelRequest", {"id": 999_999})
    host.send("$/conformanceNoSuchRequest", {"x": 1})
    try:
        await probe.ask(host)
    except Failed as failed:
        raise Failed(f"after unknown notifications {failed}") from None


@check("lifecycle.shutdown-is-answered")
async def shutdown_is_answered(end: RegularEnd) -> None:
    """Asks shutdown of an idle process."""
    reply = await end.shutdown()
    if reply.error is not None:
        raise Failed(f"shutdown was refused: {reply}")


@check("lifecycle.exit-ends-it")
async def exit_ends_it(end: RegularEnd) -> None:
    """Sends shutdown and exit and waits for the end of the process, with standard input still open."""
    code = await end.exit_code()
    if code < 0:
        raise Failed(f"after exit the process was ended by signal {-code}")


@check("lifecycle.exit-code-0")
async def exit_code_0(end: RegularEnd) -> None:
    """Sends shutdown and exit, and looks at the exit code."""
    try:
        code = await end.exit_code()
    except Failed as failed:
        raise Unproven(str(failed)) from None
    if code > 0:
        raise Failed(f"after shutdown and exit the exit code is {code}")


@check("lifecycle.helps-on-a-terminal")
async def helps_on_a_terminal(launcher: Launcher, patience: Patience) -> None:
    """Starts it with a pseudo-terminal as standard input."""
    code, stderr = await launcher.run_on_terminal(patience.start_s / 3)
    if code is None:
        raise Failed("on a terminal it waits for input instead of saying what it is")
    if code != 2 or not stderr.strip():
        raise Failed(f"on a terminal it ended with {code} and said on stderr: {stderr[-200:]!r}")


async def _still_answers(processes: Processes, probe: KindProbe, when: str) -> None:
    host = await processes.shared()
    try:
        await probe.ask(host)
    except Failed as failed:
        raise Unproven(f"{when}: {failed}") from None
