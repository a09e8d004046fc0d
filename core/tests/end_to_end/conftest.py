"""What all end-to-end tests share: a project on disk, the real `animus` command, a daemon, its events, plugin scripts.

Everything is a real process with a configuration directory of its own. No fixture waits without a deadline, and none
leaves a process behind: at the end of a test whatever still carries its configuration directory is killed, and the test
fails. A traceback in the output of a command, or in a log, fails the test too.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import control_line
from animus_command import BIN, Animus, Result
from animus_core.store.locks import is_held, read_holder
from animus_core.store.paths import Scope
from animus_core.supply.trust.trust import grant
from process_ends import end_process, leaves, processes_of

if TYPE_CHECKING:
    from conftest import Wheels


EVENT_S = 30.0
DIAL_S = 0.02  # shorter than any step of a daemon that starts

WORKFLOWS = """\
default_workflow_ref: deliver
daemon: { pool_size: 4 }
agents: { default: { tool: mock, model: mock-1 } }
phases: { work: { mode: agent, idempotency: idempotent, directive: "Work on {{subject_id}}." } }
workflows: [{ id: deliver, phases: [work] }]
"""


@dataclass
class Project:
    """A folder with `.animus/`, and builders of what is in it."""

    root: Path
    config_dir: Path

    @property
    def scope(self) -> Scope:
        """Where its state is."""
        return Scope.of(self.root, {"ANIMUS_CONFIG_DIR": str(self.config_dir)})

    @property
    def log(self) -> str:
        """What the daemon has logged."""
        return self.scope.daemon_log.read_text() if self.scope.daemon_log.exists() else ""

    @property
    def processes(self) -> dict[int, str]:
        """All that works for it now, the core's processes and plugins: pids with their command lines."""
        return processes_of(self.config_dir)

    def write(self, name: str, text: str) -> Path:
        """A file, its path relative to the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def workflows(self, text: str = WORKFLOWS) -> Path:
        """`.animus/workflows.yaml`."""
        return self.write(".animus/workflows.yaml", text)

    def task(self, task_id: str, **front: Any) -> Path:
        """A task file; `front` goes into its front matter."""
        front = {"title": f"The work of {task_id}", "status": "ready", **front}
        return self.write(f".animus/tasks/{task_id}.md", f"---\n{yaml.safe_dump(front)}---\nDo it.\n")

    def script(self, *entries: Mapping[str, Any]) -> Path:
        """What the mock provider does: entries `{when: …, steps: […]}`; what fits none of them just advances."""
        scripts = [*entries, {"steps": [{"verdict": "advance"}]}]
        return self.write(".animus/mock.yaml", yaml.safe_dump({"scripts": scripts}))

    def gated(self, barrier: str, *, subject: str = "*", phase: str = "*") -> Path:
        """Let the mock provider wait for the file `gate` in the project; returns that file's path, to be touched."""
        waiting: Sequence[Any] = [{"wait_for": {"file": barrier, "timeout_s": 50}}, {"verdict": "advance"}]
        self.script({"when": {"subject": subject, "phase": phase}, "steps": waiting})
        return self.root / barrier


@dataclass
class Daemon:
    """The project's daemon: started and stopped through the command, killed for real."""

    project: Project
    animus: Animus

    @property
    def pid(self) -> int:
        """Its pid as its lock says. Fails when none runs."""
        assert self.running, "no daemon is running"
        holder = read_holder(self.project.scope.daemon_lock)
        assert holder is not None
        return holder.pid

    @property
    def running(self) -> bool:
        """Whether one holds the lock."""
        lock = self.project.scope.daemon_lock
        return lock.exists() and is_held(lock)

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> Result:
        """`animus daemon start`, which must succeed."""
        started = self.animus("daemon", "start", *args, env=env)
        assert started.code == 0, started.stderr + self.project.log
        return started

    def stop(self, drain_secs: int = 0) -> None:
        """`animus daemon stop`, which must succeed."""
        stopped = self.animus("daemon", "stop", "--drain-secs", str(drain_secs))
        assert stopped.code == 0, stopped.stderr + self.project.log

    def enqueue(self, *tasks: str) -> None:
        """What `animus queue enqueue` does, for tests of what comes after it; the daemon must accept them."""
        for task in tasks:
            answer = control_line.ask(self.project.scope, "queue/enqueue", {"task_id": task})
            assert "result" in answer, answer

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        end_process(self.pid, signal.SIGKILL)


@dataclass
class Events:
    """Follows the daemon's events from the first one on, again after each restart of the daemon."""

    scope: Scope
    seen: list[dict[str, Any]] = field(default_factory=list)
    _arrived: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)
    _line: socket.socket | None = None

    def wait(self, kind: str, /, *, timeout_s: float = EVENT_S, count: int = 1, **payload: Any) -> dict[str, Any]:
        """The `count`-th event of `kind` whose payload has these values, seen already or to come."""
        deadline = time.monotonic() + timeout_s
        while len(found := self.found(kind, **payload)) < count:
            self._read(deadline, f"no {kind} {payload} (x{count})")
        return found[count - 1]

    def wait_any(self, *kinds: str, timeout_s: float = EVENT_S) -> dict[str, Any]:
        """The first event of one of `kinds`, seen already or to come."""
        deadline = time.monotonic() + timeout_s
        while not (found := [event for event in self.seen if event["kind"] in kinds]):
            self._read(deadline, f"none of {kinds}")
        return found[0]

    def found(self, kind: str, /, **payload: Any) -> list[dict[str, Any]]:
        """Those of `kind` that were seen so far."""
        return [event for event in self.seen if event["kind"] == kind and payload.items() <= event["payload"].items()]

    def close(self) -> None:
        """End the connection."""
        if self._line is not None:
            with contextlib.suppress(OSError):  # the daemon has closed it already
                self._line.shutdown(socket.SHUT_RDWR)
            self._line = None

    def _read(self, deadline: float, missing: str) -> None:
        while self._line is None and time.monotonic() < deadline:
            self._follow()
        try:
            event = self._arrived.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            kinds = [f"{event['kind']}({event['payload'].get('subject_id', '')})" for event in self.seen]
            raise AssertionError(f"{missing} within the deadline; seen: {kinds}") from None
        if event is None:  # the daemon left
            self.close()
        else:
            self.seen.append(event)

    def _follow(self) -> None:
        self._line = control_line.dial(self.scope.control_socket)
        if self._line is None:
            threading.Event().wait(DIAL_S)  # no file tells when a daemon listens
            return
        threading.Thread(target=self._pump, args=[self._line], daemon=True).start()

    def _pump(self, line: socket.socket) -> None:
        since = {"since": self.seen[-1]["id"] if self.seen else "0"}
        with line, contextlib.suppress(OSError):  # it was killed, and what it had not read yet makes that an error
            for event in control_line.items(line, "daemon/events", since, "daemon/event"):
                self._arrived.put(event)
        self._arrived.put(None)


@dataclass
class Plugins:
    """Registers scripts as plugins in the operator's registry, `plugins.yaml`."""

    config_dir: Path
    rows: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, source: str) -> Path:
        """Register a Python script under a name; an earlier one of that name is replaced."""
        script = self.config_dir / f"{name}.py"
        script.write_text(source, encoding="utf-8")
        self.command(name, [sys.executable, str(script)])
        return script

    def command(self, name: str, binary: Sequence[str]) -> None:
        """Register any command."""
        self.rows[name] = {"binary": list(binary)}
        (self.config_dir / "plugins.yaml").write_text(yaml.safe_dump({"plugins": self.rows}), encoding="utf-8")


@pytest.fixture
def config_dir() -> Iterator[Path]:
    """A configuration directory with a path short enough for sockets; at the end nothing may still run in it."""
    folder = Path(tempfile.mkdtemp(prefix="an"))
    try:
        yield folder
        left = {pid: line for pid, line in processes_of(folder).items() if not leaves(pid)}
        for pid in left:
            end_process(pid, signal.SIGKILL)
        assert not left, f"processes outlived the test: {left}"
        for log in (*folder.glob("*/daemon/*.log"), *folder.glob("*/runs/*/runner.log")):
            assert "Traceback" not in log.read_text(), f"{log}:\n{log.read_text()}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def project(tmp_path: Path, config_dir: Path) -> Project:
    """A Git repository with one workflow `deliver` of one agent phase `work`, TASK-001 and TASK-002."""
    root = tmp_path / "project"
    subprocess.run(["git", "init", "-q", root], check=True, timeout=10)
    made = Project(root, config_dir)
    grant(config_dir, root, mode="auto")  # what a test writes is trusted; those about trust take it back
    made.workflows()
    made.script()
    for task_id in ("TASK-001", "TASK-002"):
        made.task(task_id)
    return made


@pytest.fixture
def animus(project: Project, config_dir: Path, cache_dir: Path) -> Animus:
    """The command, run in the project with its own configuration directory and without the caller's secrets."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "USER") if name in os.environ}
    env = {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "ANIMUS_CONFIG_DIR": str(config_dir),
        "ANIMUS_CACHE_DIR": str(cache_dir),
        "ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S": "15",
        "PYTHONWARNINGS": "error,ignore::ResourceWarning",  # `daemon start` leaves its child on purpose
    }
    return Animus(project.root, env)


@pytest.fixture
def stopped_daemon(project: Project, animus: Animus) -> Iterator[Daemon]:
    """The project's daemon, which the test starts; stopped at the end."""
    daemon = Daemon(project, animus)
    yield daemon
    # A test that is about stopping does it by the command; here it would take as long as all the rest of many tests.
    if daemon.running and not control_line.stop_daemon(project.scope):
        daemon.stop()


@pytest.fixture
def daemon(stopped_daemon: Daemon) -> Daemon:
    """The project's daemon, started; stopped at the end."""
    stopped_daemon.start()
    return stopped_daemon


@pytest.fixture
def events(project: Project) -> Iterator[Events]:
    """The daemon's events, to wait for instead of sleeping."""
    following = Events(project.scope)
    yield following
    following.close()


@pytest.fixture
def plugins(config_dir: Path) -> Plugins:
    """The operator's registry of plugins, empty: what the environment has installed is found all the same."""
    return Plugins(config_dir)


@pytest.fixture
def offline(animus: Animus, wheels: Wheels) -> Animus:
    """The command, whose pip finds the folder of wheels and nothing else."""
    animus.env |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return animus
