"""Advertising against behaviour: every method of the kind is asked, announced or not (protocol §2)."""

from __future__ import annotations

import json

from animus_conformance.checks.registry import check
from animus_conformance.harmless import harmless_params
from animus_conformance.kinds import Kind
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.messages import REFUSALS


@check("audit.advertised-methods-answer")
async def advertised_methods_answer(processes: Processes, claims: Claims, kind: Kind) -> None:
    """Asks each advertised method of the kind with params that do no harm; says how to fix the manifest."""
    served = await _served(processes, claims, kind)
    broken = [name for name in kind.methods if name in claims.advertised and not served[name]]
    if broken:
        names = [claims.method(name) for name in broken]
        raise Failed(f"advertised and refused: {', '.join(names)}; {_patch(claims, [], names)}")


@check("audit.served-methods-are-advertised")
async def served_methods_are_advertised(processes: Processes, claims: Claims, kind: Kind) -> None:
    """Asks each method of the kind that is not advertised; says how to fix the manifest."""
    served = await _served(processes, claims, kind)
    hidden = [name for name in kind.methods if name not in claims.advertised and served[name]]
    if hidden:
        names = [claims.method(name) for name in hidden]
        raise Failed(f"served and not advertised: {', '.join(names)}; {_patch(claims, names, [])}")


async def _served(processes: Processes, claims: Claims, kind: Kind) -> dict[str, bool]:
    """Whether each method of the kind is anything but refused."""
    host = await processes.rough()  # a plugin may do something all the same, or end of it
    served = {}
    for name in kind.methods:
        try:
            reply = await host.ask(claims.method(name), harmless_params(name))
        except Failed as failed:
            raise Unproven(str(failed)) from None
        served[name] = reply.code not in REFUSALS
    return served


def _patch(claims: Claims, add: list[str], remove: list[str]) -> str:
    """A JSON merge patch for the manifest."""
    now = [capability for capability in claims.manifest.get("capabilities") or [] if isinstance(capability, str)]
    capabilities = [*(capability for capability in now if capability not in remove), *add]
    return f"a patch for the manifest: {json.dumps({'capabilities': capabilities})}"
