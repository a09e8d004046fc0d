"""Checks of a plugin that has much to do at once, and of ends that come at a bad time (protocol §1, §2)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Final

from animus_conformance.checks.kind_probe import KindProbe
from animus_conformance.checks.registry import check
from animus_conformance.checks.replies import require_alive
from animus_conformance.patience import Patience
from animus_conformance.profiles import PROFILES
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.launcher import Launcher
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed
from animus_conformance.wire.host import Host

_AT_ONCE: Final = 64
"""More than a pool of threads has by default, which in Python is 32 at most."""
_MANY: Final = 200


@check("hostile.many-frames-at-once")
async def many_frames_at_once(processes: Processes, probe: KindProbe) -> None:
    """Writes 200 requests in one piece and waits for all answers."""
    method, params = probe.method, probe.params
    async with processes.started() as host:
        ids = [f"many-{number}" for number in range(_MANY)]
        frames = []
        for number, request_id in enumerate(ids):
            asked = ("$/ping", {}) if number % 2 else (method, params)
            host.expect(request_id, asked[0])
            frames.append(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": asked[0], "params": asked[1]}))
        host.raw("".join(frame + "\n" for frame in frames).encode())
        for request_id in ids:
            await host.reply(request_id)


@check("hostile.concurrent-requests")
async def concurrent_requests(processes: Processes, probe: KindProbe) -> None:
    """Asks 64 things without waiting, of the kind and of the life cycle, and waits for all answers."""
    async with processes.started() as host:
        for request_id in _burst(probe, host):
            await host.reply(request_id)
        await require_alive(host, f"after {_AT_ONCE} requests at once")


@check("hostile.cancel-storm")
async def cancel_storm(processes: Processes, probe: KindProbe) -> None:
    """Asks 64 things and cancels each at once, every fourth twice, with cancellations of unknown ids in between."""
    async with processes.started() as host:
        ids = []
        for number in range(_AT_ONCE):
            request_id = host.send(*_request(probe, number))
            ids.append(request_id)
            host.tell("$/cancelRequest", {"id": request_id})
            if number % 4 == 0:  # a host may cancel what was answered in the meantime, or twice
                host.tell("$/cancelRequest", {"id": request_id})
                host.tell("$/cancelRequest", {"id": 800_000 + number})
        for request_id in ids:
            await host.reply(request_id)
        await require_alive(host, "after the storm")


@check("hostile.slow-reader")
async def slow_reader(processes: Processes, probe: KindProbe, patience: Patience) -> None:
    """Asks 200 things and reads the answers a little at a time."""
    async with processes.started(profile=PROFILES["slow-reader"]) as host:
        ids = [host.send(*_request(probe, number)) for number in range(_MANY)]
        for request_id in ids:
            await host.reply(request_id, patience.answer_s * 3)


@check("hostile.shutdown-under-load")
async def shutdown_under_load(processes: Processes, probe: KindProbe, patience: Patience) -> None:
    """Sends shutdown right behind 64 requests, then exit."""
    async with processes.started() as host:
        _burst(probe, host)
        try:
            await host.ask("shutdown", within_s=patience.shutdown_s)
        except Failed as failed:
            raise Failed(f"with {_AT_ONCE} requests under way, {failed}") from None
        host.tell("exit")
        await _require_end(host, "exit, with requests under way,")


@check("hostile.end-of-input")
async def end_of_input(processes: Processes, patience: Patience) -> None:
    """Closes standard input of an idle process, and sends SIGTERM if that does not end it."""
    async with processes.started() as host:
        host.process.end_input()
        if await host.process.exited(patience.exit_s):
            return
        host.process.signal(signal.SIGTERM)
        await _require_end(host, "the end of its input and SIGTERM")


@check("hostile.sigterm")
async def sigterm(processes: Processes) -> None:
    """Sends SIGTERM to an idle process and waits for its end."""
    async with processes.started() as host:
        host.process.signal(signal.SIGTERM)
        await _require_end(host, "SIGTERM")


@check("hostile.exit-without-shutdown")
async def exit_without_shutdown(processes: Processes) -> None:
    """Sends exit alone to an idle process and waits for its end."""
    async with processes.started() as host:
        host.tell("exit")
        await _require_end(host, "exit")


@check("hostile.cleared-environment")
async def cleared_environment(
    launcher: Launcher, processes: Processes, projects: Projects, settings: SuiteSettings
) -> None:
    """Starts it with PATH, HOME and what the settings give, and nothing else."""
    await processes.shared()
    project = await projects.new()
    whole = projects.environment(project)
    given = {*settings.environment, *settings.pass_names, "HOME", "PATH"}
    short = {"PATH": os.defpath, **{name: value for name, value in whole.items() if name in given}}
    async with launcher.spawned(project=project, environment=short) as host:
        reply = await host.initialize()
        if reply.error is not None:
            raise Failed(f"with PATH and HOME alone, initialize got {reply}")
        await require_alive(host, "with PATH and HOME alone")


@check("hostile.two-at-once")
async def two_at_once(launcher: Launcher, processes: Processes) -> None:
    """Keeps the shared process, starts another for another project, and asks both."""
    first = await processes.shared()
    async with launcher.spawned() as second:
        reply = await second.initialize()
        if reply.error is not None:
            raise Failed(f"beside a process for another project, initialize got {reply}")
        await asyncio.gather(
            require_alive(first, "beside a second process"), require_alive(second, "as the second process")
        )


def _request(probe: KindProbe, number: int) -> tuple[str, dict[str, object]]:
    """The life cycle's and the kind's harmless requests by turns."""
    return [("$/ping", {}), ("health/check", {}), (probe.method, probe.params)][number % 3]


def _burst(probe: KindProbe, host: Host) -> list[int]:
    return [host.send(*_request(probe, number)) for number in range(_AT_ONCE)]


async def _require_end(host: Host, what: str) -> None:
    """Raises Failed when the process still runs a while after `what`."""
    if not await host.process.exited(host.patience.exit_s):
        raise Failed(f"{host.patience.exit_s:g} s after {what} the process still runs")
