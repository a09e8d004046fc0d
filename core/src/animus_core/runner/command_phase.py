"""A command phase: a program in its own session, tied to the runner's life, with its output in a file.

The program inherits the attempt's lock: once the kernel has it free, nothing of that attempt runs any more. Below lie
the host's launcher and that lock.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from animus_core.errors import Conflict
from animus_core.host.environment import child_environment
from animus_core.host.process import launcher_command
from animus_core.journal import kinds
from animus_core.journal.kinds import OutcomeKind
from animus_core.runner.exits import AttemptStillAlive
from animus_core.runner.prompt import run_variables
from animus_core.store.locks import HeldLock, acquire_within
from animus_core.store.paths import RunPaths
from animus_core.store.process_cleanup import end_by_cookie
from animus_core.store.process_group import end_group, signal_group
from animus_core.store.regular_files import read_tail
from animus_core.workflow.definitions import CwdMode
from animus_core.workflow.plan import Plan, PlannedCommand, PlannedPhase
from animus_core.workflow.run_stages import Intended
from animus_core.workflow.template import render
from animus_protocol.crash_points import declare, reach
from animus_protocol.models.dispatch import SubjectDispatch

__all__ = ["CommandEffect"]

_DEAD_S: Final = 10.0
"""How long the kernel may take to free the lock of a process group that was killed."""
_TERM_S: Final = 3.0
"""Time to clean up after SIGTERM: a program that needs more is taken for one that ignores the signal."""
_DEFAULT_TIMEOUT_S: Final = 24 * 3600
"""Every wait has an end; a phase that has to run longer than a day says so."""
_EXCERPT_CHARS: Final = 4000
_SPAWNED: Final = declare("runner.command_spawned", "the command of a phase runs")


class CommandEffect:
    """Runs command phases of one run in `root`. A program that is ended has `term_s` between SIGTERM and SIGKILL."""

    def __init__(
        self,
        plan: Plan,
        dispatch: SubjectDispatch,
        run_id: str,
        root: Path,
        files: RunPaths,
        term_s: float = _TERM_S,
    ) -> None:
        self._plan = plan
        self._dispatch = dispatch
        self._run_id = run_id
        self._root = root
        self._files = files
        self._term_s = term_s

    async def perform(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        """Run the program to its end, or to its timeout."""
        number, command = attempt.phase.attempt, phase.command
        if command is None:  # the loader refuses such a phase; a plan may still come from elsewhere
            text = "the plan has no program for this command phase"
            return self._outcome(phase, number, OutcomeKind.ERROR, text, written=False)
        variables = run_variables(self._plan, self._dispatch, self._run_id, attempt.phase)
        held = await self._proved_dead(phase, number)
        output = self._files.root / f"{self._files.session(phase.id).name.removesuffix('.session.json')}.{number}.log"
        began = time.monotonic()
        try:
            process = await self._spawn(command, variables, held, self._cookie(phase, number), output)
        except (OSError, ValueError) as error:  # ValueError: a text of a variable that no argument may hold
            text = f"cannot start {command.program!r}: {error}"
            return self._outcome(phase, number, OutcomeKind.ERROR, text, written=False)
        finally:
            held.close()
        reach(_SPAWNED)
        timed_out = False
        try:
            async with asyncio.timeout(phase.timeout_s or _DEFAULT_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            timed_out = True
        finally:
            await asyncio.shield(_end(process, self._term_s))
        duration_ms = int((time.monotonic() - began) * 1000)
        excerpt = _tail(output, command.excerpt_max_chars)
        if timed_out:
            text = f"{command.program} did not end within {phase.timeout_s} s\n{excerpt}"
            return self._outcome(phase, number, OutcomeKind.TIMED_OUT, text, duration_ms=duration_ms)
        outcome = self._outcome(phase, number, OutcomeKind.FINISHED, excerpt, duration_ms=duration_ms)
        return outcome.model_copy(update={"exit_code": process.returncode})

    async def reconcile(
        self, phase: PlannedPhase, attempt: Intended, note: Callable[[kinds.AgentRecord], None]
    ) -> kinds.PhaseOutcome:
        """End what is left of the program, which dies with its runner. How far it came is unknown."""
        (await self._proved_dead(phase, attempt.intent.attempt)).close()
        text = "its runner died while the command may have been running"
        return self._outcome(phase, attempt.intent.attempt, OutcomeKind.LOST, text)

    async def cancel_effect(self, phase: PlannedPhase, attempt: Intended) -> None:
        """`perform` has ended the program; end also what has left its process group."""
        (await self._proved_dead(phase, attempt.intent.attempt)).close()

    async def _proved_dead(self, phase: PlannedPhase, attempt: int) -> HeldLock:
        """End whatever is left of this attempt, then hold its lock: nothing of it runs, and nothing else can begin."""
        path = self._files.attempt_lock(phase.id, attempt)
        cookie = self._cookie(phase, attempt)
        for _ in range(2):
            await asyncio.to_thread(end_by_cookie, "ANIMUS_COOKIE", cookie, grace_s=self._term_s)
            try:
                return await asyncio.to_thread(acquire_within, path, _DEAD_S)
            except Conflict:
                continue
        raise AttemptStillAlive(f"{path}: an earlier attempt of {phase.id} cannot be ended")

    def _cookie(self, phase: PlannedPhase, attempt: int) -> str:
        return f"command:{self._run_id}:{phase.id}:{attempt}"

    async def _spawn(
        self, command: PlannedCommand, variables: dict[str, str], held: HeldLock, cookie: str, output: Path
    ) -> asyncio.subprocess.Process:
        extra = {name: render(value, variables) for name, value in command.env.items()}
        cwd = self._root / render(command.cwd_path or "", variables) if command.cwd_mode is CwdMode.PATH else self._root
        with output.open("wb") as sink:
            return await asyncio.create_subprocess_exec(
                *launcher_command([render(part, variables) for part in (command.program, *command.args)]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=asyncio.subprocess.STDOUT,
                env=child_environment(os.environ, extra=extra, cookie=cookie),
                cwd=cwd,
                pass_fds=(held.inheritable_fd(),),
                start_new_session=True,
            )

    def _outcome(
        self,
        phase: PlannedPhase,
        attempt: int,
        result: OutcomeKind,
        text: str,
        *,
        written: bool = True,
        duration_ms: int = 0,
    ) -> kinds.PhaseOutcome:
        return kinds.PhaseOutcome(
            phase=phase.id, attempt=attempt, result=result, text=text, written=written, duration_ms=duration_ms
        )


async def _end(process: asyncio.subprocess.Process, term_s: float) -> None:
    """End the program's whole group, also what it left behind."""
    if process.returncode is None:
        await end_group(process.pid, process.wait, term_s)
    signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _tail(path: Path, max_chars: int | None) -> str:
    limit = _EXCERPT_CHARS if max_chars is None else max_chars
    text = read_tail(path, 4 * limit, unreadable="")  # a character has four bytes at most
    return text[-limit:].strip() if limit else ""
