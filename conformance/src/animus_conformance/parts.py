"""The parts of one run: what a check, or another part, gets by writing the part's type beside a parameter.

    async def ping(processes: Processes) -> None: ...

Below it lie the plugin that is judged (`target/`) and the settings. `Parts.opened` makes what every run has. Any other
class is a part if its constructor asks for parts alone; it is made when it is first asked for, and once a run. So the
parameters of a check say all that it uses, and what a kind of plugin needs stands beside its checks.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast, runtime_checkable

from animus_conformance.budget.limits import Budget
from animus_conformance.errors import SuiteBroken
from animus_conformance.fuzz.options import FuzzOptions
from animus_conformance.kinds import Kind, kind_of_manifest
from animus_conformance.patience import Patience
from animus_conformance.profiles import DEFAULT_PROFILE, Profile
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.launcher import Launcher
from animus_conformance.target.manifest_probe import ManifestProbe
from animus_conformance.target.processes import Processes
from animus_conformance.target.projects import Projects
from animus_conformance.wire.observer import Observed

__all__ = ["Parts", "RunOptions", "require_parts"]

_Part = TypeVar("_Part")

_EVERY_RUN_HAS: Final[frozenset[type]] = frozenset(
    {
        *(SuiteSettings, Profile, Patience, FuzzOptions, Budget, Kind),
        *(Observed, Conversations, Projects, Launcher, ManifestProbe, Claims, Processes),
    }
)


@dataclass(frozen=True)
class RunOptions:
    """What is judged, and how. Without a `kind` it is judged as what its manifest says."""

    command: Sequence[str]
    kind: Kind | None = None
    settings: SuiteSettings = field(default_factory=SuiteSettings)
    profile: Profile = DEFAULT_PROFILE
    patience: Patience = field(default_factory=Patience)
    fuzzing: FuzzOptions = field(default_factory=FuzzOptions)
    budget: Budget = field(default_factory=Budget)


class Parts:
    """One part of each type that was asked for so far, in the order in which they were made."""

    def __init__(self, made: Mapping[type, object]) -> None:
        self._made = dict(made)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, options: RunOptions) -> AsyncIterator[Parts]:
        """The parts of a run that begins with the plugin's manifest; at the end they are closed.

        Raises Unproven when the plugin cannot be started.
        """
        parts = cls(await _made_for(options))
        try:
            yield parts
        finally:
            await parts._close()

    def part(self, wanted: type[_Part]) -> _Part:
        """The one part of this type. Raises SuiteBroken for a type that is none."""
        if wanted not in self._made:
            require_parts(wanted)
            made = wanted(**self.arguments_of(wanted))
            self._made[wanted] = made  # behind all that it needs, which is closed after it
        return cast(_Part, self._made[wanted])

    def arguments_of(self, function: Callable[..., Any]) -> dict[str, Any]:
        """A part for each parameter of a check, or of a part's constructor."""
        return {name: self.part(wanted) for name, wanted in _parameters(function).items()}

    async def _close(self) -> None:
        """Close what has to be, the newest first. What goes wrong with one part, a signal included, spares no other."""
        async with contextlib.AsyncExitStack() as closing:
            for part in self._made.values():
                if isinstance(part, _Closes):
                    closing.push_async_callback(part.close)


def require_parts(function: Callable[..., Any], *above: object) -> None:
    """Raises SuiteBroken unless every parameter of `function` has the type of a part; `above` are those who need it."""
    if function in above:
        raise SuiteBroken(f"{_name(function)} needs itself before it can be made")
    for name, wanted in _parameters(function).items():
        if wanted in _EVERY_RUN_HAS:
            continue
        # Whatever has a constructor of parts is one itself; values such as texts and numbers never are.
        if wanted is inspect.Parameter.empty or not isinstance(wanted, type) or wanted.__module__ == "builtins":
            raise SuiteBroken(f"{_name(function)}: the parameter {name} asks for {wanted!r}, which is no part of a run")
        require_parts(wanted, *above, function)


@runtime_checkable
class _Closes(Protocol):
    async def close(self) -> None: ...


async def _made_for(options: RunOptions) -> Mapping[type, object]:
    """What every run has. Raises Unproven when the plugin cannot be started."""
    observed, conversations = Observed(), Conversations()
    projects = Projects(options.settings, options.patience)
    try:
        launcher = Launcher(options.command, projects, options.profile, options.patience, observed, conversations)
        probe = await launcher.probe_manifest()
    except BaseException:
        await projects.close()
        raise
    claims = Claims(probe)
    made: dict[type, object] = {
        SuiteSettings: options.settings,
        Profile: options.profile,
        Patience: options.patience,
        FuzzOptions: options.fuzzing,
        Budget: options.budget,
        Kind: options.kind or kind_of_manifest(probe.manifest),
        Observed: observed,
        Conversations: conversations,
        Projects: projects,
        Launcher: launcher,
        ManifestProbe: probe,
        Claims: claims,
        Processes: Processes(launcher, claims, conversations),
    }
    return made


def _parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The types beside the parameters of a function, or of a class's constructor, by name."""
    signature = inspect.signature(function, eval_str=True)
    return {parameter.name: parameter.annotation for parameter in signature.parameters.values()}


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
