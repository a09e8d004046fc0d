"""The main job on real input, seen by a newcomer: six tasks of a real repository, worked off while one watches.

Run by `make demo`, with the Python of the environment that the distributions are installed in; everything happens in a
temporary directory. Exit 0 only when all six tasks are `done` in their files, the facts are in the database, the tests
that failed before pass, and no process is left; whatever falls short is named. Interrupted, it ends with 130 and leaves
nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from animus_core.cli.watch.commands import follow, wait_for_news
from animus_core.cli.watch.live_view import RunRow, RunsView
from animus_core.control.client import Control
from animus_core.errors import AnimusError
from animus_core.store.database import open_readonly
from animus_core.store.paths import Scope
from animus_protocol.models.base import Empty
from animus_protocol.models.control import queue as queue_wire

PROJECT: Final = Path(__file__).with_name("project")
BIN: Final = Path(sys.executable).parent
TIMEOUT_S: Final = 150.0
POLL_S: Final = 0.2
CATCH_UP_S: Final = 10.0
EXPECTED_REWORK: Final = 1


def main() -> int:
    """Prepare, work, verify, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    args = parser.parse_args()
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="animus-demo-"))
    os.environ["ANIMUS_CONFIG_DIR"] = str(place / "home")
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    demo = Demo(place, console)
    began = time.monotonic()
    interrupted = False
    try:
        demo.prepare()
        demo.work()
    except KeyboardInterrupt:
        interrupted = True
    except (Shortfall, AnimusError, subprocess.TimeoutExpired, TimeoutError) as error:
        demo.shortfalls.append(str(error) or type(error).__name__)
    finally:
        demo.end()
    if interrupted:
        shutil.rmtree(place)
        console.print("Interrupted. The daemon has ended, and the demo's folder is removed.")
        return 130
    seconds = round(time.monotonic() - began, 1)
    demo.verify()
    summary = demo.tell(seconds)
    if args.json:
        console.file.write(json.dumps(summary) + "\n")
    return 1 if demo.shortfalls else 0


class Shortfall(Exception):
    """Something that the demo promises did not happen."""


class Demo:
    """One run of the demo in `place`."""

    def __init__(self, place: Path, console: Console) -> None:
        self.root = place / "pocket"
        self.console = console
        self.view = RunsView()
        self.shortfalls: list[str] = []
        self.facts = 0
        self.runs = 0
        self.done = 0
        self.tasks: list[str] = []

    def prepare(self) -> None:
        """A Git repository with a package whose tests fail, six tasks, and a daemon."""
        shutil.copytree(PROJECT, self.root)
        git = ["git", "-c", "user.name=demo", "-c", "user.email=demo@example.invalid"]
        self._call(["git", "init", "-q", "."])
        self._call(["git", "add", "-A"])
        self._call([*git, "commit", "-q", "-m", "A package with six faults"])
        self.tasks = sorted(path.stem for path in (self.root / ".animus" / "tasks").glob("*.md"))
        before = self._pytest()
        self.console.print(
            f"[bold]pocket[/bold]: {len(self.tasks)} tasks, and the tests fail: {before.stdout.splitlines()[-1]}"
        )
        if before.returncode == 0:
            raise Shortfall("the tests pass before the work is done")
        self._call(["animus", "init"])
        self._trust()
        self._call(["animus", "daemon", "start"])

    def _trust(self) -> None:
        """What came with the repository is executed only because its operator says so, and sees what it is."""
        self.console.print("[bold]$ animus trust --yes[/bold]   (until then nothing of this repository is executed)")
        self.console.print(self._call(["animus", "trust", "--yes"]).stdout.rstrip(), style="dim", markup=False)

    def work(self) -> None:
        """Enqueue every task and watch until nothing is left to do."""
        asyncio.run(
            asyncio.wait_for(follow(self._scope, self.view, self._until_done, self.console, since="0"), TIMEOUT_S)
        )

    def end(self) -> None:
        """Stop the daemon, whatever happened."""
        self._call(["animus", "daemon", "stop", "--drain-secs", "30"], check=False)

    def verify(self) -> None:
        """Hold what is on disk against what was promised."""
        for task in self.tasks:
            text = (self.root / ".animus" / "tasks" / f"{task}.md").read_text(encoding="utf-8")
            if "\nstatus: done\n" in text:
                self.done += 1
            else:
                self.shortfalls.append(f"{task} is not done in its file")
        after = self._pytest()
        if after.returncode != 0:
            self.shortfalls.append(f"the tests still fail: {after.stdout.splitlines()[-1]}")
        if self._scope.workflow_db.exists():
            with open_readonly(self._scope.workflow_db) as database:
                self.facts = int(database.read(lambda tx: tx.scalar("fact_count")))
                rows = database.read(lambda tx: tx.all("fact_after", fact_seq=0, limit=1000))
            self.runs = len({row["run_id"] for row in rows})
            completed = {row["subject_id"] for row in rows if row["kind"] == "completed"}
            self.shortfalls += [
                f"no fact says that {task} was completed" for task in self.tasks if task not in completed
            ]
        else:
            self.shortfalls.append("there is no database")
        reworks = sum(row.reworks for row in self.view.rows.values())
        if reworks != EXPECTED_REWORK:
            self.shortfalls.append(f"{reworks} tasks were sent back, not {EXPECTED_REWORK}")
        left = processes_of(os.environ["ANIMUS_CONFIG_DIR"])
        self.shortfalls += [f"process {pid} is left: {command}" for pid, command in left]

    def tell(self, seconds: float) -> dict[str, float]:
        """The table, what fell short, and where to look next."""
        table = Table(title="What happened   (✓ advance, ↩ rework)", box=box.SIMPLE, title_justify="left")
        for name in ("task", "verdicts", "attempts", "seconds"):
            table.add_column(name)
        for task in self.tasks:
            row = self.view.rows.get(task, RunRow(task))
            table.add_row(task, path(row) or row.status, str(row.attempts), duration(row))
        self.console.print(table)
        for shortfall in self.shortfalls:
            self.console.print(f"[red]fell short:[/red] {shortfall}")
        if not self.shortfalls:
            self.console.print(f"[green]All {self.done} tasks are done.[/green] {self.facts} facts, {seconds} s.")
        self.console.print(
            f"Look next at\n  the repository      {self.root}   (git diff)"
            f"\n  its workflow        {self.root / '.animus' / 'workflows' / 'deliver.yaml'}"
            f"\n  what the daemon did {self._scope.daemon_log}"
            f"\n  every run           {self._scope.runs}",
            soft_wrap=True,
        )
        reworks = sum(row.reworks for row in self.view.rows.values())
        return {
            "tasks": len(self.tasks),
            "done": self.done,
            "rework": reworks,
            "runs": self.runs,
            "facts": self.facts,
            "seconds": seconds,
        }

    @property
    def _scope(self) -> Scope:
        return Scope.of(self.root.resolve(), os.environ)

    async def _until_done(self, control: Control, news: asyncio.Event) -> None:
        await asyncio.to_thread(self._call, ["animus", "queue", "enqueue", *self.tasks])
        while True:
            news.clear()
            stats = await control.call(queue_wire.QUEUE_STATS, Empty())
            if stats.done_recent >= len(self.tasks) or not stats.ready + stats.in_flight:
                break
            await wait_for_news(news, POLL_S)
        ended = {"completed", "failed", "blocked", "cancelled"}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CATCH_UP_S  # the last events may still be on their way to the view
        while loop.time() < deadline:
            news.clear()
            if all(self.view.rows.get(task, RunRow(task)).status in ended for task in self.tasks):
                return
            await wait_for_news(news, deadline - loop.time())

    def _call(self, command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise Shortfall(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def _pytest(self) -> subprocess.CompletedProcess[str]:
        return self._call([sys.executable, "-B", "-m", "pytest", "-q", "--no-header", "tests"], check=False)


def path(row: RunRow) -> str:
    """The phases that a task went through, each with the mark of its verdict."""
    marks = {"advance": "✓", "rework": "↩", "skip": "→", "fail": "✗"}
    steps = (verdict.partition(": ") for verdict in row.verdicts)
    return "  ".join(f"{phase} {marks.get(verdict, verdict)}" for phase, _, verdict in steps)


def duration(row: RunRow) -> str:
    """How long a run took, in seconds."""
    if not row.began_at or not row.ended_at:
        return ""
    return f"{(datetime.fromisoformat(row.ended_at) - datetime.fromisoformat(row.began_at)).total_seconds():.1f}"


def processes_of(config_dir: str) -> list[tuple[int, str]]:
    """Processes (not this one) that were started for the demo's own configuration directory."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            mine = process.pid != os.getpid() and process.environ().get("ANIMUS_CONFIG_DIR") == config_dir
        except psutil.Error:
            continue
        if mine and process.status() != psutil.STATUS_ZOMBIE:
            found.append((process.pid, " ".join(process.info["cmdline"] or [])))
    return found


if __name__ == "__main__":
    sys.exit(main())
