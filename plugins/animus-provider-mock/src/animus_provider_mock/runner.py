"""A run from its request to what the result says: find the script, choose the entry, take the steps.

Below it lie `script.py`, `match.py`, `record.py` and `steps.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from animus_provider_mock.match import Facts, choose
from animus_provider_mock.model import Case, Step
from animus_provider_mock.record import GatheredResult, Progress, Store, default_state_dir
from animus_provider_mock.script import SCRIPT_VARIABLE, load_script
from animus_provider_mock.steps import Performer, Stage, Stream
from animus_sdk import InvalidParams, NotFound

__all__ = ["STATE_VARIABLE", "Errand", "Runner"]

STATE_VARIABLE: Final = "ANIMUS_MOCK_STATE_DIR"


@dataclass(frozen=True)
class Errand:
    """What a request asks for, free of the wire."""

    session_id: str
    facts: Facts
    cwd: Path
    env: Mapping[str, str]


class Part(NamedTuple):
    """A list of steps and its name, by which `once` blocks are told apart."""

    name: str
    steps: tuple[Step, ...]


class Runner:
    """Follows the script of one project. `garbage` writes a raw line on the wire."""

    def __init__(self, project_root: Path, env: Mapping[str, str], garbage: Callable[[str], Awaitable[None]]) -> None:
        project_root = project_root.absolute()
        self._root = project_root
        self._script_name = env.get(SCRIPT_VARIABLE) or None
        state = env.get(STATE_VARIABLE)
        self._store = Store(project_root / state if state else default_state_dir(project_root))
        self._garbage = garbage

    async def run(self, errand: Errand, stream: Stream) -> GatheredResult:
        """A new run. A session id that was used before keeps its `once` blocks, and nothing else.

        Raises InvalidParams (script), Unavailable, RpcError; cancellation passes through.
        """
        case = self._case(errand.facts)
        before = self._store.load(errand.session_id)
        progress = Progress(errand.session_id, asdict(errand.facts), once=before.once if before else [])
        self._store.save(progress)
        return await self._perform(_first_part(case), errand, stream, progress)

    async def resume(self, errand: Errand, stream: Stream) -> GatheredResult:
        """Go on with a session, in whatever process. Raises NotFound, and what `run` raises."""
        progress = self._store.load(errand.session_id)
        if progress is None:
            raise NotFound(f"session {errand.session_id}")
        first = Facts(**progress.facts)
        case = self._case(first)
        part = _first_part(case) if case.resume is None else Part(f"{case.number}.resume", case.resume)
        progress.resume(from_the_start=case.resume is not None)  # the list of `resume` is another one
        # a host may name the session alone: what the request leaves out is as it was
        given = {key: value for key, value in asdict(errand.facts).items() if value not in (None, "")}
        errand = replace(errand, facts=replace(first, **given))
        return await self._perform(part, errand, stream, progress)

    async def _perform(self, part: Part, errand: Errand, stream: Stream, progress: Progress) -> GatheredResult:
        facts = errand.facts
        values = {
            "subject": facts.subject or "",
            "phase": facts.phase or "",
            "attempt": "" if facts.attempt is None else str(facts.attempt),
            "session_id": errand.session_id,
            "prompt": facts.prompt,
            "model": facts.model,
        }
        stage = Stage(errand.cwd, errand.env, values, self._garbage)
        await Performer(stage, stream, progress, self._store).perform(part.steps, part.name)
        return progress.record

    def _case(self, facts: Facts) -> Case:
        script = load_script(self._root, self._script_name)
        case = choose(script, facts)
        if case is None:
            raise InvalidParams(
                f"{script.path}: none of its {len(script.cases)} scripts is for {facts.shown()} — add one that is,"
                " or a last one without `when`"
            )
        return case


def _first_part(case: Case) -> Part:
    return Part(f"{case.number}.steps", case.steps)
