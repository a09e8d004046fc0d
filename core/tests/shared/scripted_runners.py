"""A daemon's runs, with real runner processes that inherit the lock and do what a script says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.launch import RunnerLaunch
from animus_core.daemon.queue import Queue
from animus_core.daemon.registry import RunRegistry
from animus_core.daemon.run_monitor import MAX_CRASHES
from animus_core.journal.kinds import OperatorOrder, Order
from animus_core.store.database import Database
from animus_core.store.locks import HeldLock
from animus_core.store.paths import Scope
from animus_core.workflow.definitions import PhaseMode
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase
from animus_protocol.models.dispatch import SubjectDispatch

Dispatch = Callable[..., SubjectDispatch]
PLAN = Plan(
    workflow_ref="w",
    name="w",
    phases=(PlannedPhase(id="a", mode=PhaseMode.COMMAND, command=PlannedCommand(program="x")),),
)
RESUME = OperatorOrder(order=Order.RESUME)
GO_ON = OperatorOrder(order=Order.RESUME, feedback="go on")
# A runner that takes over the lock and then does, word by word, what the script says.
RUNNER = """
import os, sys
from pathlib import Path
from animus_core.journal.kinds import Kind
from animus_core.journal.writer import JournalWriter
from animus_core.store.locks import from_inherited

folder, epoch, fd, order, words = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]
held = from_inherited(fd, folder / "lock")
held.describe(epoch=epoch)
journal = JournalWriter.open(folder / "journal.jsonl", folder.name, epoch, held=held)
about = {"phase": "a", "attempt": epoch}

def write(kind, **data):
    journal.append(kind, data, sync=True)

for word in words:
    match word.partition(":")[::2]:
        case "begin", _:
            write("runner_started", pid=os.getpid(), starttime="1", boot_id="b", version="0")
            if epoch == 1:
                write("workflow_started", workflow_ref="w", phases=["a"])
        case "progress", _:
            write("phase_started", **about, ordinal=0, cause="first")
        case "order", _:
            write("operator_order", order=order)
        case "complete", _:
            write("workflow_completed")
        case "cancel", _:
            write("workflow_cancelled", reason="enough")
        case "block", _:
            write("workflow_blocked", **about, reason="look", hint="animus workflow resume")
        case "spoil", _:
            with (folder / "journal.jsonl").open("ab") as file:
                file.write(b"{this is no record}\\n")
        case "say", text:
            print(text, flush=True)
        case "wait", path:
            open(path).read()
        case "die", _:
            os.kill(os.getpid(), 9)
        case "exit", code:
            os._exit(int(code))
"""


class Daemon:
    """A daemon's runs, with runners that do what `script` says for each epoch; the last entry is for all later ones."""

    def __init__(self, scope: Scope, database: Database, script: list[str], *, max_crashes: int = MAX_CRASHES) -> None:
        self.scope, self.database, self.script = scope, database, script
        self.commit_signal, self.queue = CommitSignal(), Queue(database)
        self.launches: list[RunnerLaunch] = []
        self.children: list[asyncio.subprocess.Process] = []
        changed = self.commit_signal.publish
        self.runs = RunRegistry(scope, database, self.commit_signal, self._start, changed, max_crashes=max_crashes)

    async def _start(self, launch: RunnerLaunch, held: HeldLock) -> asyncio.subprocess.Process:
        self.launches.append(launch)
        words = self.script[min(launch.epoch, len(self.script)) - 1].split()
        fd = held.inheritable_fd()
        order = launch.order.order if launch.order else "-"
        arguments = [str(self.scope.run_dir(launch.run_id).root), str(launch.epoch), str(fd), order]
        log = await asyncio.to_thread(launch.log.open, "ab")
        with log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", RUNNER, *arguments, *words, pass_fds=[fd], stdout=log, stderr=log
            )
        self.children.append(child)
        return child

    async def begin(self, dispatch: SubjectDispatch, run_id: str = "run-1") -> None:
        entry = (await self.queue.enqueue(dispatch)).entry
        await self.runs.start(entry, PLAN, run_id)

    async def run(self, run_id: str = "run-1") -> dict[str, Any]:
        return await self.database.read(lambda tx: dict(tx.one("run_get", run_id=run_id) or {}))

    async def until(self, ready: Callable[[dict[str, Any]], bool], run_id: str = "run-1") -> dict[str, Any]:
        while True:
            version = self.commit_signal.version
            row = await self.run(run_id)
            if ready(row):
                return row
            await self.commit_signal.wait_newer_than(version)

    async def until_left(self, status: str) -> dict[str, Any]:
        return await self.until(lambda row: row["status"] == status and self.runs.active == 0)

    async def facts(self) -> list[str]:
        rows = await self.database.read(lambda tx: tx.all("fact_after", fact_seq=0, limit=99))
        return [row["kind"] for row in rows]


Using = Callable[[list[str]], AbstractAsyncContextManager[Daemon]]


def open_barrier(path: Path) -> None:
    """Let whoever waits at the other end of the pipe go on."""
    os.close(os.open(path, os.O_WRONLY))
