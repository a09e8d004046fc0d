"""Plugins that do not come up, do not stay, or do not go: each is named with its last words, none leaves anything."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

from animus_core.errors import PluginFailed
from animus_core.host.plugin_state import Budget, PluginState
from animus_core.host.supervisor import Supervision
from animus_core.supply.discovery.discover import discover, refreshed

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.hostile
PLUGINS = Path(__file__).parent / "plugins"


async def test_a_silent_plugin_is_given_up_at_the_handshake_deadline(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = host.plugin("silent.sh")
    monkeypatch.setenv("ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S", "1")
    began = time.monotonic()
    with silent.fails(r"did not answer initialize within 1 s", tail="loading the model"):
        await silent.echo(1)
    assert time.monotonic() - began < 10
    assert silent.states[:2] == ["starting", "crashed"]


async def test_a_plugin_that_leaves_at_once_is_disabled_after_five_times_and_says_why(host: Host) -> None:
    exits = host.plugin("exits.sh")
    async with host.neighbour_answers():
        with exits.fails(r"it ended \(exit code 7\) during initialize", tail="no licence found"):
            await exits.echo(1)
        await exits.until(PluginState.DISABLED)
    assert exits.states.count("starting") == 5
    with exits.fails(r"disabled after 5 failures: it ended \(exit code 7\)"):
        await exits.echo(1)


async def test_half_a_reply_fails_its_call_at_once_and_the_next_process_answers(host: Host) -> None:
    half = host.plugin("half_a_reply.py")
    await half.echo(1)
    began = time.monotonic()
    with half.fails(r"it ended \(exit code 0\) during half", tail="the disk is full"):
        await half.ask("half", timeout_s=30)
    assert time.monotonic() - began < 10, "the call waited for the rest of the reply"
    await half.comes_back()


async def test_a_crash_in_the_third_call_fails_those_that_wait_and_nobody_else(host: Host) -> None:
    crashing = host.plugin("third_call.py")
    calls = [asyncio.ensure_future(crashing.ask("wait", call=call)) for call in range(3)]
    async with host.neighbour_answers():
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[0] == {"n": 0}
    for lost in outcomes[1:]:
        assert isinstance(lost, PluginFailed)
        assert re.fullmatch(r"plugin \w+: it was killed by signal 6 \(SIGABRT: .*\) during wait", lost.message)
        assert "assertion failed: 2 == 3" in (lost.hint or "")
    await crashing.comes_back()


@pytest.mark.parametrize("where", ["group", "session", "hidden"])
async def test_a_grandchild_that_holds_the_pipes_does_not_keep_a_dead_plugin_alive(host: Host, where: str) -> None:
    dying = host.plugin("grandchild.py", where)
    await dying.echo(1)
    began = time.monotonic()
    with dying.fails(r"it ended \(exit code 4\) during die", tail="grandchild ") as raised:
        await dying.ask("die", timeout_s=30)
    assert time.monotonic() - began < 5, "the call waited for the grandchild"
    found = re.search(r"grandchild (\d+)", str(raised.value))
    assert found is not None
    grandchild = int(found[1])
    await dying.until(PluginState.BACKOFF)
    await dying.comes_back()
    if where == "hidden":  # without its environment nothing tells whose it was; the plugin is started anew all the same
        os.kill(grandchild, signal.SIGKILL)
    else:
        assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


async def test_a_plugin_that_ignores_every_request_to_end_is_killed_within_bounds(host: Host) -> None:
    immortal = host.plugin("immortal.py")
    await immortal.echo(1)
    session = await immortal.supervised.session()
    began = time.monotonic()
    async with host.neighbour_answers(20):
        await immortal.supervised.close()
    assert session.child.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 2 + 2 + 2 + 3
    assert immortal.states[-1] == "stopped"


async def test_a_plugin_that_closes_its_output_and_lives_on_is_ended_and_started_anew(host: Host) -> None:
    closing = host.plugin("half_closed.py")
    await closing.echo(1)
    first = (await closing.supervised.session()).child
    began = time.monotonic()
    with closing.fails(r"it closed its output during stdout", tail="closing stdout"):
        await closing.ask("stdout", timeout_s=30)
    assert time.monotonic() - began < 10
    await closing.comes_back()
    assert first.returncode is not None


async def test_a_plugin_that_closes_its_input_and_lives_on_is_ended_when_that_is_noticed(host: Host) -> None:
    closing = host.plugin("half_closed.py")
    await closing.echo(1)
    first = (await closing.supervised.session()).child
    with closing.fails("did not answer stdin within 1 s", tail="closing stdin"):
        await closing.ask("stdin", timeout_s=1)
    with closing.fails(r"it closed its (input|output) during echo", tail="closing stdin"):
        await closing.ask("echo", n=2, timeout_s=30)
    await closing.comes_back()
    assert first.returncode is not None


async def test_a_stopped_plugin_fails_calls_by_their_deadline_is_found_to_hang_and_replaced(host: Host) -> None:
    stopped = host.plugin("stops_itself.py", supervision=Supervision(Budget(first_s=0.05), health_interval_s=0.2))
    await stopped.echo(1)
    async with host.neighbour_answers(20):
        with stopped.fails("did not answer stop within 0.5 s"):
            await stopped.ask("stop", timeout_s=0.5)
        crashed = await stopped.until(PluginState.CRASHED)
    assert "it hangs" in (crashed.reason or "")
    await stopped.comes_back()


async def test_a_stopped_plugin_can_be_closed(host: Host) -> None:
    stopped = host.plugin("stops_itself.py")
    with stopped.fails("did not answer stop"):
        await stopped.ask("stop", timeout_s=0.5)
    began = time.monotonic()
    await stopped.supervised.close()
    assert time.monotonic() - began < 2 + 2 + 2 + 3


@pytest.mark.parametrize("version", ["2.0.0", "0.9.0", "banana", ""])
async def test_another_protocol_is_refused_by_name(host: Host, version: str) -> None:
    old = host.plugin("old_protocol.py", version)
    with old.fails(rf"it speaks protocol {version}", tail="compiled long ago"):
        await old.echo(1)


async def test_a_plugin_that_is_not_what_its_manifest_said_is_refused(host: Host) -> None:
    other = host.plugin("two_faced.py")
    with other.fails("introduces itself as provider, and its manifest said custom"):
        await other.echo(1)


async def test_a_manifest_that_changes_between_probe_and_start_is_read_again(host: Host, tmp_path: Path) -> None:
    program = tmp_path / "changing.py"
    source = (PLUGINS / "with_manifest.py").read_text()
    program.write_text(source)
    row = {"binary": [sys.executable, "-I", "-S", str(program)]}
    (tmp_path / "plugins.yaml").write_text(yaml.safe_dump({"plugins": {"changing": row}}))
    plugin = (await discover(tmp_path)).named("changing")
    assert plugin is not None
    assert plugin.manifest.version == "1.0.0"

    program.write_text(source.replace('"version": "1.0.0"', '"version": "1.9.0"').replace('"echo"]', '"echo", "sing"]'))
    changing = host.guest(plugin, Supervision(refresh=lambda found: refreshed(found, tmp_path)))
    await changing.echo(1)
    assert changing.supervised.plugin.manifest.version == "1.9.0"
    assert await changing.supervised.methods() == {"echo", "sing"}

    program.write_text(source.replace('"protocol_version": "1.0.0"', '"protocol_version": "3.0.0"'))
    with changing.fails("it speaks protocol 3.0.0"):
        await changing.supervised.restart()


@pytest.mark.parametrize("kind", ["teapot", "", "a/b", "\U0001f600" * 50], ids=["word", "empty", "path", "emoji"])
async def test_a_kind_that_nobody_knows_is_served_like_any_other(host: Host, kind: str) -> None:
    unknown = host.plugin("any_kind.py", kind, plugin_kind=kind, plugin_kinds=["another", kind])
    await unknown.echo(1)
    assert await unknown.ask("brew/tea", strong=True) == {"strong": True}
    assert unknown.supervised.status().kind == kind
