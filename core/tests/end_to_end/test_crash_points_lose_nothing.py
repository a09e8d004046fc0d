"""Every kind of process is killed at every named crash point while the demo's six tasks are worked off.

The witnesses are outside: the task files as a watcher sees them change, a file that the test phase appends to, and the
log of a subscriber that comes back after each crash.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import control_line
from file_changes import wait_until

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Project
from watchfiles import watch

from animus_core.projectors.subject import MOVES
from animus_core.store.database import open_readonly
from animus_core.store.locks import wait_free

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

DEMO = Path(__file__).parents[2] / "demo" / "project"
TASKS = [f"TASK-00{number}" for number in range(1, 7)]
DEADLINE_S = 120.0

POINTS = [
    *(
        f"daemon/{name}@{nth}"
        for name, nth in [
            ("store.before_commit", 2),
            ("store.committed", 3),
            ("daemon.leased", 2),
            ("daemon.locked", 1),
            ("daemon.spawned", 3),
            ("daemon.ingested", 4),
            ("projector.projected", 2),
        ]
    ),
    *(
        f"runner/{name}@{nth}"
        for name, nth in [
            ("journal.appended", 3),
            ("journal.synced", 5),
            ("runner.started", 1),
            ("runner.intended", 1),
            ("runner.intended", 2),
            ("runner.command_spawned", 1),
            ("runner.performed", 1),
            ("runner.concluded", 2),
            ("runner.decided", 3),
            ("runner.ended", 1),
        ]
    ),
    *(
        f"agent-runner/{name}@{nth}"
        for name, nth in [
            ("journal.appended", 4),
            ("journal.synced", 2),
            ("agent_runner.before_write", 2),
            ("agent_runner.written", 1),
            ("agent_runner.answered", 2),
            ("agent_runner.closed", 3),
        ]
    ),
    "provider/plugin.taken@1",
    "provider/plugin.handled@1",
    "subject_backend/plugin.taken@9",
    "subject_backend/plugin.handled@10",
    "runner/runner.decided@1+daemon/daemon.crash_noted@1",
]
"""Role, point and the arrival that kills; `+` joins points of which each kills once."""


RUN_TESTS = """\
import os, runpy, sys, types

def parametrize(names, rows):
    def mark(test):
        test.rows = rows
        return test
    return mark

sys.modules["pytest"] = types.SimpleNamespace(mark=types.SimpleNamespace(parametrize=parametrize))
sys.path.insert(0, os.getcwd())
ran = 0
for file in os.listdir(sys.argv[1]):
    for name, test in runpy.run_path(os.path.join(sys.argv[1], file)).items():
        if name.startswith("test_"):
            for row in getattr(test, "rows", [()]):
                test(*row)
                ran += 1
sys.exit(ran == 0)
"""
"""Runs the tests of a task as pytest does, whose start takes longer than all the rest of a run."""


class StatusWitness:
    """Sees the statuses that the task files get, in order, from outside: each that lasts longer than a look at them."""

    def __init__(self, folder: Path) -> None:
        self.seen: dict[str, list[str]] = {task: ["ready"] for task in TASKS}
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        self._poll()

    def _run(self) -> None:
        for _ in watch(
            self._folder, debounce=1, step=1, rust_timeout=100, yield_on_timeout=True, stop_event=self._stop
        ):
            self._poll()

    def _poll(self) -> None:
        for task, statuses in self.seen.items():
            text = (self._folder / f"{task}.md").read_text(encoding="utf-8")
            status = text.split("status: ", 1)[1].split()[0]
            if status != statuses[-1]:
                statuses.append(status)


@pytest.fixture
def demo(project: Project, tmp_path: Path) -> Iterator[StatusWitness]:
    """The demo's repository in place of the small one, quicker, its test phase telling the witness file."""
    shutil.rmtree(project.root / ".animus")
    shutil.copytree(DEMO, project.root, dirs_exist_ok=True)
    script = project.root / ".animus" / "mock.yaml"
    script.write_text(script.read_text().replace("every_s: 0.05", "every_s: 0.002"))
    workflow = project.root / ".animus" / "workflows" / "deliver.yaml"
    text = workflow.read_text().replace("pool_size: 3", "pool_size: 6")
    runner = tmp_path / "run_tests.py"
    runner.write_text(RUN_TESTS)
    command = f"echo {{{{subject_id}}}} >> {tmp_path}/effects; exec python -S -B {runner} tests/{{{{subject_id}}}}"
    args = '["-B", "-m", "pytest", "-q", "tests/{{subject_id}}"]'
    assert args in text
    text = text.replace("program: python", "program: sh").replace(args, json.dumps(["-c", command]))
    workflow.write_text(text)
    witness = StatusWitness(project.root / ".animus" / "tasks")
    yield witness
    witness.close()


@pytest.mark.parametrize("point", POINTS)
def test_six_tasks_end_exactly_once_in_done_whichever_process_dies_where(
    point: str,
    demo: StatusWitness,
    project: Project,
    animus: Animus,
    stopped_daemon: Daemon,
    events: Events,
    tmp_path: Path,
) -> None:
    markers = {part: tmp_path / f"crashed-{number}" for number, part in enumerate(point.split("+"))}
    animus.env["ANIMUS_CRASH_POINT"] = ";".join(f"{part}:{marker}" for part, marker in markers.items())
    start_armed(stopped_daemon, animus)
    enqueue_all(animus, stopped_daemon)

    work_off(project, stopped_daemon, animus)

    assert [part for part, marker in markers.items() if not marker.exists()] == [], "nothing arrived there"
    follow_to_the_end(events, project)
    stopped_daemon.stop(drain_secs=20)
    demo.close()
    assert_statuses_went_forward(demo.seen, daemon_died="daemon/" in point)
    assert_effects_are_bounded((tmp_path / "effects").read_text().split("\n"))
    assert_database_tells_each_once(project)
    assert_subscriber_saw_each_event_once(events, project)


def start_armed(daemon: Daemon, animus: Animus) -> None:
    """Start the daemon, which may die while it starts: that is what is tried."""
    for _ in range(3):
        if daemon.running or animus("daemon", "start").code == 0:
            return
    raise AssertionError(daemon.project.log)


def enqueue_all(animus: Animus, daemon: Daemon) -> None:
    """Enqueue every task until each was acknowledged; a daemon that dies meanwhile is started again."""
    for task in TASKS:
        for _ in range(4):
            answer = control_line.ask(daemon.project.scope, "queue/enqueue", {"task_id": task})
            if "result" in answer:
                break
            # Whoever is killed is deaf for a moment before its lock is free, and `running` would still be true.
            assert not answer, answer
            assert wait_free(daemon.project.scope.daemon_lock, DEADLINE_S)
            start_armed(daemon, animus)
        else:
            raise AssertionError(f"{task} was never accepted")


def work_off(project: Project, daemon: Daemon, animus: Animus) -> None:
    """Wait until every task is done in its file, starting the daemon again whenever it is gone."""

    def are_done() -> bool:
        if not daemon.running:
            start_armed(daemon, animus)
        return all(is_done(project, task) for task in TASKS)

    tasks = project.root / ".animus" / "tasks"
    wait_until(are_done, tasks, DEADLINE_S, explain=lambda: state_of(project, animus))


def is_done(project: Project, task: str) -> bool:
    return "\nstatus: done\n" in (project.root / ".animus" / "tasks" / f"{task}.md").read_text()


def state_of(project: Project, animus: Animus) -> str:
    runs = animus.text("workflow", "list").stdout
    return f"not done in time:\n{runs}\n{animus.text('queue', 'list').stdout}\n{project.log[-6000:]}"


def follow_to_the_end(events: Events, project: Project) -> None:
    for task in TASKS:
        events.wait("workflow_completed", subject_id=task)


def assert_statuses_went_forward(seen: dict[str, list[str]], *, daemon_died: bool) -> None:
    """Each task went through its statuses once, in order.

    A run goes on while no daemon lives. The next one moves its task twice within milliseconds, and a reader of the file
    may come too late for the first move. Nothing hides there: `completed` moves a task from in-progress only.
    """
    assert MOVES["completed"] == (frozenset({"in-progress"}), "done")
    ways = [["ready", "in-progress", "done"], *([["ready", "done"]] if daemon_died else [])]
    assert {task: statuses for task, statuses in seen.items() if statuses not in ways} == {}


def assert_effects_are_bounded(lines: list[str]) -> None:
    """Tests ran for each task; one crash repeats at most one of them, and it is idempotent by declaration."""
    counts = Counter(line.split()[0] for line in lines if line)
    expected = {task: 2 if task == "TASK-003" else 1 for task in TASKS}
    extra = {task: counts[task] - expected[task] for task in TASKS}
    assert all(count >= 0 for count in extra.values()), counts
    assert sum(extra.values()) <= 1, counts


def assert_database_tells_each_once(project: Project) -> None:
    with open_readonly(project.scope.workflow_db) as database:
        facts = [dict(row) for row in database.read(lambda tx: tx.all("fact_after", fact_seq=0, limit=1000))]
        runs = [dict(row) for row in database.read(lambda tx: tx.all("run_list", status=None, limit=100, offset=0))]
    assert Counter(run["subject_id"] for run in runs) == dict.fromkeys(TASKS, 1)
    assert {run["status"] for run in runs} == {"completed"}
    assert Counter(fact["subject_id"] for fact in facts if fact["kind"] == "completed") == dict.fromkeys(TASKS, 1)
    assert Counter(fact["subject_id"] for fact in facts if fact["kind"] == "started") == dict.fromkeys(TASKS, 1)


def assert_subscriber_saw_each_event_once(events: Events, project: Project) -> None:
    """What the subscriber saw is a prefix of what is stored: nothing twice, nothing left out, in order of each run."""
    with open_readonly(project.scope.workflow_db) as database:
        stored = [
            str(row["event_id"]) for row in database.read(lambda tx: tx.all("event_after", event_id=0, limit=9999))
        ]
    seen = [event["id"] for event in events.seen]
    assert seen == stored[: len(seen)]
