"""A provider has the states and the budget of every other plugin, over all processes of its sessions."""

from __future__ import annotations

import pytest

from animus_core.errors import PluginFailed
from animus_core.host.plugin_state import Budget, StateChange
from animus_core.host.supervisor import Supervision, Supervisor
from animus_core.kinds.providers import Providers
from animus_core.supply.discovery.discover import Candidate, Plugin
from animus_protocol.models.manifest import PluginManifest

MANIFEST = PluginManifest(
    name="animus-provider-p", version="1", plugin_kind="provider", description="d", protocol_version="1.0.0"
)
PLUGIN = Plugin(Candidate("animus-provider-p", ("/nowhere",), "registry"), MANIFEST)
QUICK = Budget(attempts=3, first_s=0.01, most_s=0.02)


def provider() -> tuple[Supervisor[Plugin], list[str]]:
    moves: list[str] = []

    def moved(move: StateChange) -> None:
        moves.append(move.state.value)

    return Providers(Supervision(QUICK, moved)).of(PLUGIN), moves


class Process:
    """As much of a session as the supervision looks at."""

    class child:
        pid = 7

    in_flight = 1


async def test_sessions_side_by_side_are_one_ready_provider_that_stops_with_the_last() -> None:
    one, moves = provider()
    for name in ("a", "b"):
        await one.admit(name)
        one.ready(name, Process())  # type: ignore[arg-type]  # a stand-in
    assert one.status().in_flight == 2
    one.done("a", worked=True)
    assert moves == ["starting", "ready"]
    one.done("b", worked=True)
    assert moves == ["starting", "ready", "stopped"]


async def test_a_death_costs_an_attempt_and_no_neighbour_and_a_finished_session_begins_the_count_anew() -> None:
    one, moves = provider()
    for name in ("a", "b"):
        await one.admit(name)
        one.ready(name, Process())  # type: ignore[arg-type]  # a stand-in
    one.crashed("a", "it ended (exit code 1)")
    assert moves == ["starting", "ready", "crashed", "backoff"]
    assert (one.status().failures, one.status().in_flight) == (1, 1)
    one.done("b", worked=True)
    assert one.status().failures == 0
    await one.admit("c")  # waits for the backoff
    one.ready("c", Process())  # type: ignore[arg-type]  # a stand-in
    assert moves[-2:] == ["starting", "ready"]


async def test_after_its_budget_a_provider_is_refused_with_the_way_back_and_an_operator_opens_it() -> None:
    one, moves = provider()
    for name in ("a", "b", "c"):
        await one.admit(name)
        one.crashed(name, "it ended (exit code 1)")
    assert moves[-1] == "disabled"
    with pytest.raises(PluginFailed, match="disabled after 3 failures: it ended") as raised:
        await one.admit("d")
    assert "animus plugin restart animus-provider-p" in (raised.value.hint or "")
    one.reset()
    await one.admit("d")
    one.ready("d", Process())  # type: ignore[arg-type]  # a stand-in
    assert moves[-3:] == ["stopped", "starting", "ready"]


async def test_an_operator_may_reset_the_count_while_a_neighbour_still_works() -> None:
    one, moves = provider()
    await one.admit("long")
    one.ready("long", Process())  # type: ignore[arg-type]  # a stand-in
    for name in ("a", "b", "c"):
        await one.admit(name)
        one.crashed(name, "died")
    assert moves[-1] == "disabled"
    one.reset()
    assert moves[-1] == "ready"
    one.crashed("long", "died")
    assert moves[-1] == "backoff"


async def test_what_a_health_check_says_is_seen_and_passes() -> None:
    one, moves = provider()
    await one.admit("a")
    one.ready("a", Process())  # type: ignore[arg-type]  # a stand-in
    one.report_health("low on ink")
    assert (moves[-1], one.status().last_error) == ("degraded", "low on ink")
    one.report_health(None)
    assert moves[-1] == "ready"
