"""Checks of what a plugin costs beside the reference plugin; one measurement serves all four."""

from __future__ import annotations

from animus_conformance.budget.limits import Budget
from animus_conformance.budget.measure import Costs
from animus_conformance.checks.registry import check
from animus_conformance.verdict import Failed


@check("budget.start-up")
async def start_up(costs: Costs, budget: Budget) -> None:
    """Starts the plugin and the reference by turns, five times each, and takes the median of the ratios."""
    _at_most("start-up", (await costs.ratios()).start_up, budget.start_up)


@check("budget.latency")
async def latency(costs: Costs, budget: Budget) -> None:
    """Pings the plugin and the reference 200 times each by turns, and takes the median of the ratios."""
    _at_most("a ping", (await costs.ratios()).latency, budget.latency)


@check("budget.throughput")
async def throughput(costs: Costs, budget: Budget) -> None:
    """Keeps 64 pings in flight at the plugin and at the reference by turns, and takes the median of the ratios."""
    ratio = (await costs.ratios()).throughput
    due = budget.throughput
    if ratio < due:
        raise Failed(f"it answers {ratio:.2f} times as many pings a second as the reference; {due:g} are due")


@check("budget.memory")
async def memory(costs: Costs, budget: Budget) -> None:
    """Looks at the private memory of both after the pings."""
    _at_most("memory", (await costs.ratios()).memory, budget.memory)


def _at_most(what: str, ratio: float, limit: float) -> None:
    if ratio > limit:
        raise Failed(f"{what} costs {ratio:.1f} times what it costs the reference; {limit:g} are allowed")
