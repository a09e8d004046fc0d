"""One plugin under supervision: started, watched, started again, given up, and let in again by an operator."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_core.errors import Internal, InvalidInput, PluginFailed
from animus_core.host.plugin_state import Budget, PluginState, StateChange, check_state_change
from animus_core.host.supervised_plugin import SupervisedPlugin
from animus_core.host.supervisor import Supervision
from animus_core.launch_options import SessionTimings
from animus_core.supply.discovery.discover import Plugin
from animus_protocol.errors import RpcError
from animus_protocol.models.base import Empty, Method
from animus_protocol.models.common import Acknowledged
from animus_protocol.models.lifecycle import ProjectBinding

MakePlugin = Callable[..., Plugin]
ASK = Method("ask", Empty, Acknowledged, "these tests")
PID = Method("pid", Empty, dict[str, int], "these tests")
GOOD = """
for request in receive():
    match request["method"]:
        case "initialize": reply(request, GREETING)
        case "pid": reply(request, {"pid": os.getpid()})
        case "refuse": refuse(request)
        case "die":
            print("my last words", file=sys.stderr, flush=True)
            os._exit(3)
        case "shutdown":
            reply(request, {})
            break
        case _: reply(request, {})
"""


@pytest.fixture
def project(tmp_path: Path) -> ProjectBinding:
    return ProjectBinding(project_root=str(tmp_path), repo_scope="scope")


def method(name: str) -> Method[Empty, Acknowledged]:
    return ASK.named(name)


QUICK = Budget(first_s=0.01, most_s=0.02)


class Moves:
    """Collects moves, and waits for a state."""

    def __init__(self) -> None:
        self.seen: list[StateChange] = []
        self._moved = asyncio.Event()

    def __call__(self, move: StateChange) -> None:
        self.seen.append(move)
        self._moved.set()

    @property
    def states(self) -> list[str]:
        return [move.state.value for move in self.seen]

    async def until(self, state: PluginState) -> StateChange:
        while not (found := [move for move in self.seen if move.state is state]):
            self._moved.clear()
            await self._moved.wait()
        return found[-1]


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (6, 32), (7, 60), (50, 60), (10_000, 60)]
)
def test_the_wait_before_a_restart_doubles_up_to_a_minute(failures: int, wait_s: float) -> None:
    assert Budget().wait_s(failures) == wait_s


def test_a_move_that_is_not_in_the_table_is_refused() -> None:
    check_state_change("p", PluginState.BACKOFF, PluginState.STARTING)
    with pytest.raises(Internal, match="disabled cannot become ready"):
        check_state_change("p", PluginState.DISABLED, PluginState.READY)


async def test_a_refusal_is_the_plugins_own_and_costs_nothing(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    supervised = SupervisedPlugin(make_plugin(GOOD), project)
    for _ in range(Budget().attempts + 1):
        with pytest.raises(RpcError, match="no"):
            await supervised.call(method("refuse"), Empty(), timeout_s=10)
    status = supervised.status()
    assert (status.state, status.failures, status.failures_total) == (PluginState.READY, 0, 0)
    await supervised.close()
    assert supervised.state is PluginState.STOPPED


async def test_a_plugin_that_never_comes_up_is_tried_five_times_disabled_and_let_in_again_by_a_restart(
    make_plugin: MakePlugin, project: ProjectBinding, tmp_path: Path
) -> None:
    broken = f"""
starts = open({str(tmp_path / "starts")!r}, "a"); starts.write("x"); starts.close()
if not os.path.exists({str(tmp_path / "fixed")!r}): sys.exit("no tracker here")
"""

    moves = Moves()
    supervised = SupervisedPlugin(make_plugin(broken + GOOD, "broken"), project, Supervision(QUICK, moves))
    with pytest.raises(PluginFailed, match=r"plugin broken: it ended \(exit code 1\) during initialize"):
        await supervised.call(ASK, Empty(), timeout_s=10)
    last = await moves.until(PluginState.DISABLED)
    assert "exit code 1" in (last.reason or "")
    assert (tmp_path / "starts").read_text() == "x" * 5
    assert moves.states == ["starting", "crashed", "backoff"] * 4 + ["starting", "crashed", "disabled"]
    with pytest.raises(PluginFailed, match="plugin broken: disabled after 5 failures") as raised:
        await supervised.call(ASK, Empty(), timeout_s=10)
    assert "It wrote to stderr:\n  | no tracker here\n" in (raised.value.hint or "")
    assert "animus plugin restart broken" in (raised.value.hint or "")
    why = "it ended (exit code 1) during initialize; its last line on stderr: no tracker here"
    assert supervised.status().last_error == last.reason == why
    (tmp_path / "fixed").touch()
    await supervised.restart()
    assert (supervised.state, supervised.status().failures) == (PluginState.READY, 0)
    await supervised.close()


async def test_a_death_is_followed_by_a_wait_and_then_by_a_new_process_of_itself(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    moves = Moves()
    budget = Budget(first_s=0.5)
    supervised = SupervisedPlugin(make_plugin(GOOD), project, Supervision(budget, moves))
    first = await supervised.call(PID, Empty(), timeout_s=10)
    with pytest.raises(PluginFailed, match="exit code 3"):
        await supervised.call(method("die"), Empty(), timeout_s=10)
    await moves.until(PluginState.BACKOFF)
    with pytest.raises(PluginFailed, match="is tried again in"):
        await supervised.call(PID, Empty(), timeout_s=10)
    moves.seen.clear()
    await moves.until(PluginState.READY)  # nobody has to ask
    assert await supervised.call(PID, Empty(), timeout_s=10) != first
    assert (supervised.status().failures, supervised.status().failures_total) == (1, 1)
    await supervised.close()


async def test_a_life_that_was_long_enough_begins_the_count_anew(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    moves = Moves()
    budget = Budget(attempts=2, first_s=0.01, healthy_s=0.0)
    supervised = SupervisedPlugin(make_plugin(GOOD), project, Supervision(budget, moves))
    for _ in range(4):
        with pytest.raises(PluginFailed):
            await supervised.call(method("die"), Empty(), timeout_s=10)
        moves.seen.clear()
        await moves.until(PluginState.READY)
    assert (supervised.status().failures, supervised.status().failures_total) == (1, 4)
    await supervised.close()


async def test_many_callers_share_one_start(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    supervised = SupervisedPlugin(make_plugin(GOOD), project)
    pids = await asyncio.gather(*(supervised.call(PID, Empty(), timeout_s=10) for _ in range(20)))
    assert len({answer["pid"] for answer in pids}) == 1
    await supervised.close()


async def test_a_caller_that_gives_up_does_not_take_the_start_away_from_the_others(
    make_plugin: MakePlugin, project: ProjectBinding
) -> None:
    supervised = SupervisedPlugin(make_plugin(GOOD), project)
    first, second = (asyncio.ensure_future(supervised.call(PID, Empty(), timeout_s=10)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["pid"] > 0
    await supervised.close()


async def test_the_operators_mistake_is_no_death(
    make_plugin: MakePlugin, project: ProjectBinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S", "soon")

    supervised = SupervisedPlugin(make_plugin(GOOD), project)
    with pytest.raises(InvalidInput):
        await supervised.call(ASK, Empty(), timeout_s=5)
    monkeypatch.delenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S")
    await supervised.call(ASK, Empty(), timeout_s=5)
    assert supervised.status().failures == 0
    await supervised.close()


async def test_what_a_plugin_says_of_its_health_is_its_state(make_plugin: MakePlugin, project: ProjectBinding) -> None:
    moody = """
answers = iter([{"status": "degraded", "last_error": "low on ink"}, {"status": "healthy"}])
for request in receive():
    match request["method"]:
        case "initialize": reply(request, GREETING)
        case "health/check": reply(request, next(answers, {"status": "healthy"}))
        case _: reply(request, {})
"""

    moves = Moves()
    supervised = SupervisedPlugin(make_plugin(moody), project, Supervision(QUICK, moves, health_interval_s=0.05))
    await supervised.call(ASK, Empty(), timeout_s=10)
    degraded = await moves.until(PluginState.DEGRADED)
    assert degraded.reason == "it says that it is degraded: low on ink"
    moves.seen.clear()
    await moves.until(PluginState.READY)
    assert supervised.status().failures_total == 0
    await supervised.close()


async def test_a_plugin_that_is_silent_check_after_check_is_ended_and_started_again_but_not_while_it_works(
    make_plugin: MakePlugin, project: ProjectBinding, tmp_path: Path
) -> None:
    os_stop = f"""
for request in receive():
    match request["method"]:
        case "initialize": reply(request, GREETING)
        case "work":
            open({str(tmp_path / "pipe")!r}).read()
            reply(request, {{}})
        case "hang": signal.pause()
        case _: reply(request, {{}})
"""
    os.mkfifo(tmp_path / "pipe")

    moves = Moves()
    plugin = make_plugin(os_stop, timings=SessionTimings(health_s=0.05))
    supervised = SupervisedPlugin(plugin, project, Supervision(QUICK, moves, health_interval_s=0.05))
    working = asyncio.ensure_future(supervised.call(method("work"), Empty(), timeout_s=20))
    await moves.until(PluginState.DEGRADED)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.8):  # many checks go by
            await moves.until(PluginState.CRASHED)
    (tmp_path / "pipe").write_text("done")
    await working
    with pytest.raises(PluginFailed, match="did not answer hang"):
        await supervised.call(method("hang"), Empty(), timeout_s=0.1)
    crashed = await moves.until(PluginState.CRASHED)
    assert "it hangs: 3 health checks" in (crashed.reason or "")
    moves.seen.clear()
    await moves.until(PluginState.READY)
    await supervised.call(ASK, Empty(), timeout_s=10)
    await supervised.close()
