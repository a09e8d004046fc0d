"""Checks of what a plugin costs beside the reference plugin; one measurement serves all four."""

from __future__ import annotations

from animus_conformance.budget.limits import Ratios
from animus_conformance.budget.measure import measure
from animus_conformance.checks.registry import check
from animus_conformance.plugin_under_test import PluginUnderTest
from animus_conformance.verdict import Failed


@check("budget.start-up")
async def start_up(plugin: PluginUnderTest) -> None:
    """Starts the plugin and the reference by turns, five times each, and takes the median of the ratios."""
    _at_most("start-up", (await _ratios(plugin)).start_up, plugin.budget.start_up)


@check("budget.latency")
async def latency(plugin: PluginUnderTest) -> None:
    """Pings the plugin and the reference 200 times each by turns, and takes the median of the ratios."""
    _at_most("a ping", (await _ratios(plugin)).latency, plugin.budget.latency)


@check("budget.throughput")
async def throughput(plugin: PluginUnderTest) -> None:
    """Keeps 64 pings in flight at the plugin and at the reference by turns, and takes the median of the ratios."""
    ratio = (await _ratios(plugin)).throughput
    due = plugin.budget.throughput
    if ratio < due:
        raise Failed(f"it answers {ratio:.2f} times as many pings a second as the reference; {due:g} are due")


@check("budget.memory")
async def memory(plugin: PluginUnderTest) -> None:
    """Looks at the private memory of both after the pings."""
    _at_most("memory", (await _ratios(plugin)).memory, plugin.budget.memory)


async def _ratios(plugin: PluginUnderTest) -> Ratios:
    if plugin.ratios is None:
        plugin.ratios = await measure(plugin)
    return plugin.ratios


def _at_most(what: str, ratio: float, limit: float) -> None:
    if ratio > limit:
        raise Failed(f"{what} costs {ratio:.1f} times what it costs the reference; {limit:g} are allowed")
