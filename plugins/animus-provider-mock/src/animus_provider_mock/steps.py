"""Takes the steps of a script: streams, edits, runs, waits, fails, and notes what became of each.

Below it lie `edits.py`, `programs.py`, `failures.py` and `record.py`. After each step the session is stored, so that
another process can go on behind it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from animus_provider_mock import model
from animus_provider_mock.edits import EditRefused, apply_edit
from animus_provider_mock.failures import fail
from animus_provider_mock.match import fill
from animus_provider_mock.nodes import ScriptError
from animus_provider_mock.programs import run_program
from animus_provider_mock.record import Progress, Store
from animus_sdk import Unavailable

__all__ = ["Performer", "Stage", "Stream"]

_POLL_S: Final = 0.02
_T = TypeVar("_T")


class Stream(Protocol):
    """Where a run reports what it does: the SDK's `Context`, or a recorder in tests."""

    async def output(self, text: str, *, final: bool = False) -> None:
        """A piece of the answer."""

    async def thinking(self, text: str) -> None:
        """A thought."""

    async def tool_call(self, name: str, arguments: Any, server: str | None = None) -> None:
        """A tool is called."""

    async def tool_result(self, name: str, output: Any, *, success: bool = True) -> None:
        """A tool has answered."""

    async def error(self, message: str, *, recoverable: bool) -> None:
        """Something went wrong."""


@dataclass(frozen=True)
class Stage:
    """Where a run takes place: its directory, its programs' environment, what `{{name}}` stands for, the raw wire."""

    cwd: Path
    env: Mapping[str, str]
    values: Mapping[str, str]
    garbage: Callable[[str], Awaitable[None]]


class Performer:
    """Takes the steps of one session, one after the other."""

    def __init__(self, stage: Stage, stream: Stream, progress: Progress, store: Store) -> None:
        self._stage = stage
        self._stream = stream
        self._progress = progress
        self._record = progress.record
        self._store = store
        self._deaf = False

    async def perform(self, steps: Sequence[model.Step], prefix: str) -> None:
        """Take all steps behind `progress.completed`; `prefix` names the list, to tell `once` blocks apart.

        Raises ScriptError (a step that cannot be taken), Unavailable (a wait that was in vain), RpcError (`fail`).
        """
        done = self._progress.completed
        # A resumed session has taken that step in another process.
        self._deaf = any(isinstance(step, model.IgnoreCancel) for step in steps[:done])
        for number, step in enumerate(steps[done:], start=done):
            goes_on = await self._take(step, f"{prefix}[{number}]")
            self._progress.complete(number + 1)
            if not goes_on:
                break
            self._store.save(self._progress)
        self._progress.finish()
        self._store.save(self._progress)

    async def _take(self, step: model.Step, place: str) -> bool:
        """Take one step; False when the run ends behind it."""
        match step:
            case model.IgnoreCancel():
                self._deaf = True
            case model.Once(steps=inner):
                return await self._once(inner, place)
            case model.Fail(how="exit_code", number=exit_code):
                self._record.end_with(exit_code)
                return False
            case _:
                work = self._act(step)
                await (_uncancelled(work) if self._deaf else work)
        return True

    async def _once(self, steps: Sequence[model.Step], place: str) -> bool:
        # Before its steps: a process that dies in the middle of them must not take them again.
        if not self._progress.start_once(place):
            return True
        self._store.save(self._progress)
        for step in steps:
            if not await self._take(step, place):
                return False
            self._store.save(self._progress)
        return True

    async def _act(self, step: model.Step) -> None:
        match step:
            case model.Say():
                await self._say(step)
            case model.Think(text=text):
                self._record.thinking.append(self._fill(text))
                await self._stream.thinking(self._fill(text))
            case model.Tool():
                name = self._fill(step.name)
                await self._call(name, self._fill(step.arguments), step.server)
                await self._answer(name, self._fill(step.result), step.success)
            case model.Edit():
                await self._edit(step)
            case model.Run():
                await self._run(step)
            case model.Delay(delay_s=delay_s):
                await asyncio.sleep(delay_s)
            case model.WaitFor():
                await self._wait_for(step)
            case model.ErrorNote(message=message, recoverable=recoverable):
                self._record.errors.append(self._fill(message))
                await self._stream.error(self._fill(message), recoverable=recoverable)
            case model.Fail():
                await fail(step, self._fill(step.message), self._fill(step.data), self._stage.garbage)
            case _:
                self._note(step)

    def _note(self, step: model.Step) -> None:
        """The steps that only change the result."""
        match step:
            case model.GiveVerdict(value=value):
                self._record.decide(self._fill(value))
            case model.Usage(counts=counts):
                self._record.count_tokens(counts)
            case model.Metadata(value=value):
                self._record.metadata.append(self._fill(value))

    async def _say(self, step: model.Say) -> None:
        text = self._fill(step.text)
        size = step.chunk or max(len(text), 1)
        for start in range(0, len(text), size):
            if start and step.every_s:
                await asyncio.sleep(step.every_s)
            await self._stream.output(text[start : start + size])
        self._record.say(text)

    async def _edit(self, step: model.Edit) -> None:
        path = self._fill(step.path)
        change: dict[str, Any] = {"path": path}
        if step.replace is not None:
            change |= {"replace": self._fill(step.replace[0]), "with": self._fill(step.replace[1])}
        elif step.delete:
            change["delete"] = True
        elif step.append is not None:
            change["append"] = self._fill(step.append)
        else:
            change["content"] = self._fill(step.content)
        replace = (change["replace"], change["with"]) if step.replace is not None else None
        filled = model.Edit(step.at, path, replace, change.get("content"), change.get("append"), delete=step.delete)
        await self._call("edit_file", change)
        try:
            output = apply_edit(filled, self._stage.cwd)
        except EditRefused as refused:
            await self._answer("edit_file", str(refused), success=False)
            raise ScriptError(step.at, f"edit {refused}", "correct the step, or the file it expects") from refused
        await self._answer("edit_file", output)

    async def _run(self, step: model.Run) -> None:
        command = tuple(self._fill(word) for word in step.command)
        await self._call("run_program", {"command": list(command)})
        env = {**os.environ, **self._stage.env}
        try:
            output, exit_code = await run_program(command, self._stage.cwd, env, step.timeout_s)
        except (OSError, ValueError) as error:
            await self._answer("run_program", str(error), success=False)
            raise ScriptError(step.at, f"run {command[0]}: {error}", "check the program and the run's cwd") from error
        if exit_code is None:
            output += f"\n(killed after {step.timeout_s:g} s)"
        await self._answer("run_program", output, success=exit_code == 0)

    async def _wait_for(self, step: model.WaitFor) -> None:
        path = self._stage.cwd / self._fill(step.file)
        try:
            async with asyncio.timeout(step.timeout_s):
                while not path.exists():  # noqa: ASYNC110 - another process makes the file: there is nothing to await
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise Unavailable(
                f"{step.at}: wait_for: no file {path} after {step.timeout_s:g} s — create it, or raise timeout_s"
            ) from None

    async def _call(self, name: str, arguments: Any, server: str | None = None) -> None:
        entry = {"name": name, "arguments": arguments}
        self._record.tool_calls.append(entry if server is None else {**entry, "server": server})
        await self._stream.tool_call(name, arguments, server)

    async def _answer(self, name: str, output: Any, success: bool = True) -> None:
        self._record.tool_results.append({"name": name, "output": output, "success": success})
        await self._stream.tool_result(name, output, success=success)

    def _fill(self, value: Any) -> Any:
        return fill(value, self._stage.values)


async def _uncancelled(work: Awaitable[_T]) -> _T:
    """`work` to its end, whoever cancels the caller meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    return task.result()
