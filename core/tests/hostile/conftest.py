"""One host in this process, a hostile plugin in it, and a good neighbour beside it that must not notice.

A test is a coroutine function with the fixture `host`. While it runs, the neighbour is asked without pause and must
answer each time in time; afterwards the neighbour must still answer, and the host must have back what it had before:
open descriptors, tasks, threads, processes, and memory within a bound. What was measured goes into the report: `run.py`
adds it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from animus_core.errors import PluginFailed
from animus_core.host.plugin_state import Budget, PluginState, StateChange
from animus_core.host.supervised_plugin import SupervisedPlugin
from animus_core.host.supervisor import Supervision
from animus_core.launch_options import LaunchOptions, Limits, SessionTimings
from animus_core.supply.discovery.discover import Candidate, Plugin
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.manifest import PluginManifest

PLUGINS: Final = Path(__file__).parent / "plugins"
NEIGHBOUR_S: Final = 5.0
SETTLE_S: Final = 5.0
MEMORY_MB: Final = 48
QUICK: Final = Budget(first_s=0.05, most_s=0.2)
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Footprint(NamedTuple):
    """What this process holds; `descriptors` as `number -> target`, `processes` are children that are not reaped."""

    descriptors: frozenset[str]
    processes: frozenset[int]
    threads: int
    tasks: int


class Guest:
    """A plugin under supervision: asked in plain JSON, its moves noted."""

    def __init__(self, plugin: Plugin, project: ProjectBinding, supervision: Supervision) -> None:
        self.name = plugin.name
        self.moves: list[StateChange] = []
        self._moved = asyncio.Event()
        self.supervised = SupervisedPlugin(plugin, project, supervision._replace(on_state_change=self._move))

    @property
    def states(self) -> list[str]:
        """Every state that it came to, in order."""
        return [move.state.value for move in self.moves]

    async def ask(self, method: str, *, timeout_s: float = 10.0, **params: Any) -> Any:
        """The result of a call. Raises PluginFailed or RpcError."""
        return await self.supervised.call_raw(method, json.dumps(params).encode(), timeout_s=timeout_s)

    async def echo(self, number: int, *, timeout_s: float = 10.0) -> None:
        """Ask for a number and get that one."""
        assert await self.ask("echo", n=number, timeout_s=timeout_s) == {"n": number}, "somebody else's answer"

    async def until(self, state: PluginState, count: int = 1) -> StateChange:
        """The `count`-th move to `state`, made already or to come."""
        while len(found := [move for move in self.moves if move.state is state]) < count:
            self._moved.clear()
            await self._moved.wait()
        return found[count - 1]

    async def next_move(self, *, unless: Callable[[], bool]) -> None:
        """Wait until its state changes, only for a turn of the loop while `unless` holds."""
        await asyncio.sleep(0)
        while not unless():
            self._moved.clear()
            await self._moved.wait()

    def wake(self) -> None:
        """Let whoever waits for a move look again."""
        self._moved.set()

    async def comes_back(self) -> None:
        """Wait until it answers again after it was started anew."""
        while True:
            try:
                return await self.echo(77)
            except PluginFailed:
                await self.next_move(unless=lambda: self.supervised.state is PluginState.READY)

    @contextlib.contextmanager
    def fails(self, match: str, tail: str | None = None) -> Iterator[pytest.ExceptionInfo[PluginFailed]]:
        """What happens inside fails, and the error names the plugin and, where there is one, shows its stderr."""
        with pytest.raises(PluginFailed, match=match) as raised:
            yield raised
        error = raised.value
        assert error.plugin == self.name
        assert error.message.startswith(f"plugin {self.name}: ")
        assert error.hint
        if tail is not None:
            assert tail in error.hint, error.hint

    def _move(self, move: StateChange) -> None:
        self.moves.append(move)
        self._moved.set()


class Host:
    """The host of one test. `most_mb` is how much memory it may take at any moment on top of what it had."""

    def __init__(self, folder: Path, report: Callable[[str, object], None]) -> None:
        self.project = ProjectBinding(
            project_root=str(folder), repo_scope=f"hostile-{os.getpid()}-{time.monotonic_ns()}"
        )
        self.most_mb = MEMORY_MB
        self.guests: list[Guest] = []
        self._answers = 0
        self._answered = asyncio.Event()
        self._report = report

    def plugin(
        self,
        script: str,
        *arguments: str,
        limits: Limits = Limits(),  # noqa: B008 - a tuple of constants
        timings: SessionTimings = SessionTimings(),  # noqa: B008 - as above
        supervision: Supervision = Supervision(QUICK),  # noqa: B008 - a tuple of constants
        **manifest: Any,
    ) -> Guest:
        """A script of `plugins/` under its own name, not started yet; fields of its manifest by keyword."""
        path = PLUGINS / script
        interpreter = ["/bin/sh"] if path.suffix == ".sh" else [sys.executable, "-E", "-s", "-S"]
        name = f"{path.stem}{len(self.guests) or ''}"
        command = (*interpreter, str(path), *arguments)
        manifest_fields = {
            "name": name,
            "version": "1",
            "plugin_kind": "custom",
            "description": "d",
            "protocol_version": "1.0.0",
        }
        candidate = Candidate(name, command, "registry", LaunchOptions(limits=limits, timings=timings))
        plugin = Plugin(candidate, PluginManifest.model_validate({**manifest_fields, **manifest}))
        return self.guest(plugin, supervision)

    def guest(self, plugin: Plugin, supervision: Supervision = Supervision(QUICK)) -> Guest:  # noqa: B008 - as above
        """A plugin that a test found itself."""
        self.guests.append(Guest(plugin, self.project, supervision))
        return self.guests[-1]

    @contextlib.asynccontextmanager
    async def beside_a_neighbour(self) -> AsyncIterator[None]:
        """Inside, the neighbour is asked without pause; afterwards, look at what is left."""
        neighbour = self.plugin("good.py")
        try:
            await neighbour.echo(0)
            before, memory = footprint(), reset_peak_mb()
            leaving = asyncio.Event()
            chat = asyncio.create_task(self._chat(neighbour, leaving))
            try:
                yield
            finally:
                leaving.set()
                await asyncio.wait([chat])
                grown = peak_mb() - memory
                await asyncio.gather(*(guest.supervised.close() for guest in self.guests if guest is not neighbour))
            chat.result()
            await neighbour.echo(-1)
            assert neighbour.states == ["starting", "ready"], "the neighbour did not live through it"
            await returned_to(before)
        finally:
            await neighbour.supervised.close()
        self._report("memory_mb", round(grown, 1))
        assert grown < self.most_mb, f"the host took {grown:.0f} MiB"

    async def _chat(self, neighbour: Guest, leaving: asyncio.Event) -> None:
        """Ask the neighbour one thing after the other; it takes its time for each, so this does not spin."""
        while not leaving.is_set():
            await neighbour.echo(self._answers, timeout_s=NEIGHBOUR_S)
            self._answers += 1
            self._answered.set()

    def resident_mb(self) -> float:
        """How much memory this process has now, in MiB."""
        return resident_mb()

    @contextlib.asynccontextmanager
    async def neighbour_answers(self, times: int = 3) -> AsyncIterator[None]:
        """Inside, the neighbour was heard at least so often."""
        wanted = self._answers + times
        yield
        while self._answers < wanted:
            self._answered.clear()
            await self._answered.wait()


@pytest.fixture
def _given_back(record_property: Callable[[str, object], None], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What the host must have given back once it has ended."""
    before = footprint()
    yield
    faults = [record.getMessage() for record in caplog.get_records("call") if record.exc_info]
    assert not faults, f"the host met faults of its own: {faults}"
    after = settled(before)
    leaked = after.descriptors - before.descriptors
    record_property("leaked_fds", len(leaked))
    assert not leaked, f"descriptors were left open: {sorted(leaked)}"
    assert not after.processes - before.processes, "processes were left"
    assert after.threads <= before.threads, f"threads were left: {threading.enumerate()}"


@pytest.fixture
async def host(
    _given_back: None, tmp_path: Path, record_property: Callable[[str, object], None]
) -> AsyncIterator[Host]:
    """The host of a test, with its neighbour."""
    made = Host(tmp_path, record_property)
    async with made.beside_a_neighbour():
        yield made


def footprint() -> Footprint:
    """What this process holds now."""
    descriptors = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            descriptors.add(f"{number} -> {os.readlink(f'/proc/self/fd/{number}')}")
    children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    processes = frozenset(int(pid) for pids in children for pid in pids)
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs
        tasks = 0
    threads = sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())  # those are the loop's
    return Footprint(frozenset(descriptors), processes, threads, tasks)


async def returned_to(before: Footprint) -> None:
    """Wait until the host holds no more than before. Fails with what is too much."""
    deadline = time.monotonic() + SETTLE_S
    while not _no_more(after := footprint(), before):
        fds, processes = after.descriptors - before.descriptors, after.processes - before.processes
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert time.monotonic() < deadline, f"left over: {sorted(fds)}, processes {processes}, of the tasks {names}"
        await asyncio.sleep(0.01)  # what was closed is forgotten in a later turn of the loop


def settled(before: Footprint) -> Footprint:
    """The footprint once it is no larger than `before`, or after a while what it is."""
    deadline = time.monotonic() + SETTLE_S
    while not _no_more(after := footprint(), before) and time.monotonic() < deadline:
        time.sleep(0.01)  # threads that have done their work end by themselves and tell nobody
    return after


def _no_more(after: Footprint, before: Footprint) -> bool:
    return (
        len(after.descriptors) <= len(before.descriptors)
        and after.processes <= before.processes
        and after.threads <= before.threads
        and after.tasks <= before.tasks
    )


def resident_mb() -> float:
    """How much memory this process has now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20


def reset_peak_mb() -> float:
    """Begin to measure the peak anew; what this process has now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_mb()


def peak_mb() -> float:
    """The most memory that this process has had since then, in MiB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
