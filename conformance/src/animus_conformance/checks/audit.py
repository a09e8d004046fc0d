"""Advertising against behaviour: every method of the kind is asked, announced or not (protocol §2)."""

from __future__ import annotations

import json

from animus_conformance.checks.registry import check
from animus_conformance.harmless import harmless_params
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import REFUSALS


@check("audit.advertised-methods-answer")
async def advertised_methods_answer(plugin: PluginUnderTest) -> None:
    """Asks each advertised method of the kind with params that do no harm; says how to mend the manifest."""
    served = await _served(plugin)
    broken = [name for name in plugin.kind.methods if name in plugin.advertised and not served[name]]
    if broken:
        names = [plugin.method(name) for name in broken]
        raise Failed(f"advertised and refused: {', '.join(names)}; {_patch(plugin, [], names)}")


@check("audit.served-methods-are-advertised")
async def served_methods_are_advertised(plugin: PluginUnderTest) -> None:
    """Asks each method of the kind that is not advertised; says how to mend the manifest."""
    served = await _served(plugin)
    hidden = [name for name in plugin.kind.methods if name not in plugin.advertised and served[name]]
    if hidden:
        names = [plugin.method(name) for name in hidden]
        raise Failed(f"served and not advertised: {', '.join(names)}; {_patch(plugin, names, [])}")


async def _served(plugin: PluginUnderTest) -> dict[str, bool]:
    """Whether each method of the kind is anything but refused."""
    host = await plugin.rough()
    served = {}
    for name in plugin.kind.methods:
        try:
            reply = await host.ask(plugin.method(name), harmless_params(name))
        except Failed as failed:
            raise Unproven(str(failed)) from None
        served[name] = reply.code not in REFUSALS
    return served


def _patch(plugin: PluginUnderTest, add: list[str], remove: list[str]) -> str:
    """A JSON merge patch for the manifest."""
    now = [one for one in plugin.manifest.get("capabilities") or [] if isinstance(one, str)]
    capabilities = [*(one for one in now if one not in remove), *add]
    return f"a patch for the manifest: {json.dumps({'capabilities': capabilities})}"
