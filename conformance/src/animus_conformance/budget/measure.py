"""Measures a plugin and the reference by turns, so that whatever slows the machine down slows both.

`Costs` is a part, below which lie the processes. Each figure is the median of the paired ratios.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from animus_conformance.budget.limits import Ratios
from animus_conformance.patience import Patience
from animus_conformance.profiles import DEFAULT_PROFILE
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.launcher import Launcher
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.observer import Observed

__all__ = ["Costs", "memory_bytes"]

_ROUNDS: Final = 5
"""Enough for a median that one round with a busy machine does not move."""
_PINGS: Final = 200
_IN_FLIGHT: Final = 64
"""The figure that budgets are written for (`pings a second with 64 in flight`)."""
_ECHO: Final = Path(__file__).parent / "echo.py"


class _Figures(NamedTuple):
    start_s: float
    ping_s: float
    pings_a_second: float
    memory_bytes: int


class Costs:
    """The part: measured when the first check asks."""

    def __init__(self, processes: Processes, patience: Patience) -> None:
        self._processes = processes
        self._patience = patience
        self._ratios: Ratios | None = None

    async def ratios(self) -> Ratios:
        """What it costs beside the reference, from five rounds. Raises Unproven when one of the two does not answer."""
        if self._ratios is None:
            self._ratios = await self._measure()
        return self._ratios

    async def _measure(self) -> Ratios:
        projects = Projects(SuiteSettings(), self._patience)
        # Isolated (-I): no variable and no user folder of this machine may slow the reference down.
        command = (sys.executable, "-I", str(_ECHO))
        echo = Launcher(command, projects, DEFAULT_PROFILE, self._patience, Observed(), Conversations())
        pairs: list[tuple[_Figures, _Figures]] = []
        try:
            for _ in range(_ROUNDS):
                pairs.append((await _figures(self._processes.started), await _figures(lambda: _greeted(echo))))
        except Failed as failed:
            raise Unproven(str(failed)) from None
        finally:
            await projects.close()
        return Ratios(*(_median([(theirs[place], ours[place]) for theirs, ours in pairs]) for place in range(4)))


@asynccontextmanager
async def _greeted(launcher: Launcher) -> AsyncIterator[Host]:
    async with launcher.spawned() as host:
        await host.greet()
        yield host


def _median(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(theirs / ours for theirs, ours in pairs)


async def _figures(start: Callable[[], AbstractAsyncContextManager[Host]]) -> _Figures:
    began = time.perf_counter()
    async with start() as host:
        start_s = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(_PINGS):
            await host.ask("$/ping")
        ping_s = (time.perf_counter() - began) / _PINGS
        began = time.perf_counter()
        await asyncio.gather(*(_pings(host, _PINGS // _IN_FLIGHT + 1) for _ in range(_IN_FLIGHT)))
        pings_a_second = (_PINGS // _IN_FLIGHT + 1) * _IN_FLIGHT / (time.perf_counter() - began)
        return _Figures(start_s, ping_s, pings_a_second, memory_bytes(host.process.pid))


async def _pings(host: Host, count: int) -> None:
    for _ in range(count):
        await host.ask("$/ping")


def memory_bytes(session: int) -> int:
    """The private memory of all processes of a session: behind `uv run` the plugin is a child.

    Raises Unproven where the system does not tell.
    """
    folders = [process for process in Path("/proc").glob("[0-9]*") if _session_of(int(process.name)) == session]
    total = sum(_private_bytes(folder) for folder in folders)
    if not total:
        raise Unproven("this system does not tell how much memory a process uses")
    return total


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None  # it has ended in the meantime


def _private_bytes(process: Path) -> int:
    try:
        lines = (process / "status").read_text("utf-8").splitlines()
    except OSError:
        return 0
    # Without the pages of shared libraries, which would count once more for every process.
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
