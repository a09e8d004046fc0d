"""A command phase is a real program: judged by its end, bounded in time, tied to its runner, without its secrets."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from animus_core.journal import kinds
from animus_core.journal.kinds import OutcomeKind
from animus_core.runner.command_phase import CommandEffect
from animus_core.store.locks import is_held
from animus_core.store.paths import RunPaths
from animus_core.workflow.definitions import CwdMode, PhaseMode
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase
from animus_core.workflow.run_stages import Intended, Started
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from file_changes import wait_until
from process_ends import wait_gone

Perform = Callable[..., Coroutine[Any, Any, kinds.PhaseOutcome]]
ATTEMPT = Intended(
    Started(kinds.PhaseStarted(phase="test", ordinal=0, attempt=1, cause="first")),
    kinds.PhaseIntent(phase="test", attempt=1, effect="command"),
    epoch=1,
)
# Starts a child and a grandchild in its group, both deaf to SIGTERM, tells their pids and its own, and waits.
FAMILY = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deep = int(sys.argv[2])
if deep:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], str(deep - 1)])
with open(sys.argv[1], "a") as pid_file:
    pid_file.write(f"{os.getpid()}\\n")
while True:
    signal.pause()
"""


def phase_of(*argv: str, timeout_s: int | None = None, **more: Any) -> PlannedPhase:
    spec = PlannedCommand(program=argv[0], args=argv[1:], **more)
    return PlannedPhase(id="test", mode=PhaseMode.COMMAND, timeout_s=timeout_s, command=spec)


def python(code: str, **more: Any) -> PlannedPhase:
    return phase_of(sys.executable, "-c", code, **more)


def effect_of(phase: PlannedPhase, files: RunPaths, title: str = "Fix it") -> CommandEffect:
    subject = SubjectRef(kind="task", id="TASK-1", title=title)
    dispatch = SubjectDispatch(
        subject=subject, workflow_ref="w", trigger_source="test", requested_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    plan = Plan(workflow_ref="w", name="w", phases=(phase,), variables={"colour": "blue"})
    return CommandEffect(plan, dispatch, files.root.name, files.root, files, term_s=0.2)


def no_note(_: kinds.AgentRecord) -> None:
    raise AssertionError("a command says nothing")


@pytest.fixture
def perform(files: RunPaths) -> Perform:
    async def run(phase: PlannedPhase, **more: Any) -> kinds.PhaseOutcome:
        return await effect_of(phase, files, **more).perform(phase, ATTEMPT, no_note)

    return run


def is_gone(pid: int) -> bool:
    """Whether no process `pid` runs any more; a zombie that its parent has not looked at does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def numbers_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


async def numbers(path: Path, count: int) -> list[int]:
    """The numbers in `path` once there are `count`."""
    await asyncio.to_thread(wait_until, lambda: len(numbers_in(path)) >= count, path.parent, 10.0)
    return numbers_in(path)


@pytest.mark.parametrize("code", [0, 1, 42])
async def test_the_exit_code_is_the_outcome(code: int, perform: Perform) -> None:
    outcome = await perform(python(f"print('hello'); raise SystemExit({code})"))
    assert (outcome.result, outcome.exit_code, outcome.text) == (OutcomeKind.FINISHED, code, "hello")


async def test_a_program_that_dies_of_a_signal_has_a_negative_exit_code(perform: Perform) -> None:
    assert (await perform(python("import os; os.kill(os.getpid(), 9)"))).exit_code == -9


async def test_templates_are_filled_in_arguments_and_environment_and_nowhere_else(
    perform: Perform, files: RunPaths
) -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ['ABOUT'])"
    spec: dict[str, Any] = {"env": {"ABOUT": "{{phase}} {{attempt}} of {{run_id}} {{unknown}}"}}
    argv = ["{{subject_id}}", "{{colour}}", "{{ colour }}", "$HOME; rm -rf *"]
    outcome = await perform(phase_of(sys.executable, "-c", code, *argv, **spec))
    arguments = "['TASK-1', 'blue', '{{ colour }}', '$HOME; rm -rf *']"
    assert outcome.text == f"{arguments} test 1 of {files.root.name} {{{{unknown}}}}"


async def test_nothing_of_the_runners_environment_reaches_the_program_but_the_listed_names(
    perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    outcome = await perform(python("import os; print(sorted(os.environ)); print(os.environ['LANG'])"))
    assert "API_TOKEN" not in outcome.text
    assert outcome.text.endswith("C.UTF-8")


@pytest.mark.parametrize("title", ["a\0b", "half a pair \ud800"])
async def test_a_text_that_no_argument_may_hold_fails_the_phase_and_not_the_runner(
    title: str, perform: Perform
) -> None:
    outcome = await perform(phase_of("echo", "{{subject_title}}"), title=title)
    assert (outcome.result, outcome.written) == (OutcomeKind.ERROR, False)
    assert outcome.text.startswith("cannot start 'echo'")


async def test_a_missing_program_says_so(perform: Perform) -> None:
    outcome = await perform(phase_of("no-such-program"))
    assert (outcome.result, outcome.exit_code) == (OutcomeKind.FINISHED, 127)
    assert outcome.text == "cannot start no-such-program: No such file or directory"


async def test_a_missing_working_directory_is_named(perform: Perform, files: RunPaths) -> None:
    outcome = await perform(phase_of("true", cwd_mode=CwdMode.PATH, cwd_path="no/{{colour}}"))
    assert (outcome.result, outcome.written) == (OutcomeKind.ERROR, False)
    assert str(files.root / "no/blue") in outcome.text


async def test_only_the_end_of_the_output_is_kept_in_the_outcome_and_all_of_it_in_the_file(
    perform: Perform, files: RunPaths
) -> None:
    outcome = await perform(python("print('x' * 100_000 + 'the end', end='')", excerpt_max_chars=10))
    assert outcome.text == "xxxthe end"
    assert (files.root / "test.1.log").stat().st_size == 100_007


async def test_a_timeout_ends_the_whole_group_grandchildren_too(
    perform: Perform, tmp_path: Path, files: RunPaths
) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    pid_file = tmp_path / "pids"
    outcome = await perform(phase_of(sys.executable, str(tmp_path / "family.py"), str(pid_file), "2", timeout_s=2))
    assert outcome.result is OutcomeKind.TIMED_OUT
    assert "did not end within 2 s" in outcome.text
    pids = numbers_in(pid_file)
    assert len(pids) == 3
    for pid in pids:
        wait_gone(pid)
    assert not is_held(files.attempt_lock("test", 1))


async def test_cancelling_ends_the_program_and_calling_off_also_what_left_its_group(
    files: RunPaths, tmp_path: Path
) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    pid_file = tmp_path / "pids"
    code = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True).wait()"
    phase = phase_of(sys.executable, "-c", code, sys.executable, str(tmp_path / "family.py"), str(pid_file), "0")

    effect = effect_of(phase, files)
    task = asyncio.ensure_future(effect.perform(phase, ATTEMPT, no_note))
    (escaped,) = await numbers(pid_file, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_gone(escaped)
    await effect.cancel_effect(phase, ATTEMPT)
    assert is_gone(escaped)


RUNNER = """
import asyncio, sys
from pathlib import Path
import importlib.util
spec = importlib.util.spec_from_file_location("helpers", sys.argv[1])
helpers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helpers)
files = helpers.RunPaths(Path(sys.argv[2]))
phase = helpers.phase_of(sys.executable, sys.argv[3], sys.argv[4], "0")
asyncio.run(helpers.effect_of(phase, files).perform(phase, helpers.ATTEMPT, helpers.no_note))
"""


async def test_a_program_dies_with_its_runner_and_the_next_runner_calls_it_lost(
    files: RunPaths, tmp_path: Path
) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    pid_file = tmp_path / "pids"
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, __file__, str(files.root), str(tmp_path / "family.py"), str(pid_file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # it imports this file
    )
    try:
        (pid,) = await numbers(pid_file, 1)
        assert is_held(files.attempt_lock("test", 1))
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait(10)
    wait_gone(pid)
    phase = phase_of("true")
    outcome = await effect_of(phase, files).reconcile(phase, ATTEMPT, no_note)
    assert (outcome.result, outcome.written, outcome.resumable) == (OutcomeKind.LOST, True, False)
