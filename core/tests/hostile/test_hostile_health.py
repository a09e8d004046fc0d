"""Plugins that are not well, say so, or say nothing: degraded while they work, replaced when they hang."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from animus_core.host.plugin_state import Budget, PluginState
from animus_core.host.supervisor import Supervision
from animus_core.launch_options import SessionTimings

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.hostile
OFTEN = Supervision(Budget(first_s=0.05, most_s=0.2), health_interval_s=0.1)
SAYS = {
    "degraded": "it says that it is degraded: the index is stale",
    "unhealthy": "it says that it is unhealthy: the index is stale",
    "refused": "it says that it is degraded: the pulse cannot be taken",
    "nonsense": "it says that it is degraded: ",
}


@pytest.mark.parametrize("how", SAYS)
async def test_a_plugin_that_is_not_well_is_degraded_goes_on_answering_and_recovers(host: Host, how: str) -> None:
    ill = host.plugin("health.py", how, timings=SessionTimings(health_s=0.5), supervision=OFTEN)
    await ill.echo(1)
    degraded = await ill.until(PluginState.DEGRADED)
    assert (degraded.reason or "").startswith(SAYS[how])
    assert (ill.supervised.status().last_error or "").startswith(SAYS[how])
    for number in range(10):
        await ill.echo(number)
    await ill.ask("heal")
    await ill.until(PluginState.READY, 2)
    assert ill.states == ["starting", "ready", "degraded", "ready"]


async def test_a_plugin_that_never_answers_health_checks_is_degraded_and_later_replaced(host: Host) -> None:
    mute = host.plugin("health.py", "never", timings=SessionTimings(health_s=0.5), supervision=OFTEN)
    await mute.echo(1)
    async with host.neighbour_answers(20):
        degraded = await mute.until(PluginState.DEGRADED)
        crashed = await mute.until(PluginState.CRASHED)
    assert "did not answer health/check within" in (degraded.reason or "")
    assert "it hangs: 3 health checks" in (crashed.reason or "")
    await mute.comes_back()
    assert mute.states[:6] == ["starting", "ready", "degraded", "crashed", "backoff", "starting"]


async def test_a_plugin_that_never_answers_health_checks_but_works_is_only_degraded(host: Host) -> None:
    mute = host.plugin("health.py", "never", timings=SessionTimings(health_s=0.5), supervision=OFTEN)
    await mute.echo(1)
    await mute.until(PluginState.DEGRADED)
    loop = asyncio.get_running_loop()
    until = loop.time() + 4  # more than three checks of 0.5 s and the time between them
    number = 0
    while loop.time() < until:
        number += 1
        await mute.echo(number)
    assert mute.states == ["starting", "ready", "degraded"]
