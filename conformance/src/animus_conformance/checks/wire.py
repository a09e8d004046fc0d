"""Checks of what was observed on every connection of the run; they come last in their level (protocol §1, §3)."""

from __future__ import annotations

from animus_conformance.checks.kind_probe import KindProbe
from animus_conformance.checks.registry import check
from animus_conformance.profiles import PROFILES
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed
from animus_conformance.wire.observer import Observed

_OBSERVED = {
    "wire.stdout-carries-messages-only": "Looks for lines that were no JSON-RPC message.",
    "wire.utf-8": "Looks for lines that were no UTF-8.",
    "wire.no-nan": "Looks for NaN and infinities.",
    "wire.says-jsonrpc-2.0": "Looks for messages without the version.",
    "wire.result-or-error": "Looks for replies without id, with both or with neither.",
    "wire.errors-have-code-and-message": "Looks for error objects of another shape.",
    "wire.answers-only-what-was-asked": "Sends an id that is a text; looks for replies to ids that nobody sent.",
    "wire.answers-once": "Looks for second replies.",
}
_ADVICE = {
    "wire.stdout-carries-messages-only": "; standard output is the wire: write to standard error what people read"
}


def _observed(requirement_id: str, how: str) -> None:
    async def report_violations(processes: Processes, observed: Observed) -> None:
        host = await processes.shared()
        # Most ids here are numbers; one that is a text shows who gives them back as something else.
        if requirement_id == "wire.answers-only-what-was-asked":
            host.send_as("text-id", "$/ping")
            await host.ask("$/ping")
        found = observed.violations.of(requirement_id)
        if found:
            raise Failed("; ".join(map(str, found)) + _ADVICE.get(requirement_id, ""))

    report_violations.__doc__ = how
    check(requirement_id)(report_violations)


for _id, _how in _OBSERVED.items():
    _observed(_id, _how)


@check("wire.strict-lines")
async def strict_lines(processes: Processes, probe: KindProbe, observed: Observed) -> None:
    """Starts a process as a strict host, sends the harmless requests, and looks at how the lines were written."""
    async with processes.started(profile=PROFILES["strict"]) as host:
        for method in ("$/ping", "health/check"):
            await host.ask(method)
        await probe.ask(host)
    found = observed.violations.of("wire.strict-lines")
    if found:
        raise Failed("; ".join(map(str, found)))
