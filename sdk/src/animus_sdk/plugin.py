"""The base of every plugin: identity, life cycle, and the routes from method names to handlers.

Below it lie the wire models. What a class overrides is what it advertises: nothing is declared twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from animus_protocol.models.base import Method
from animus_protocol.models.lifecycle import (
    HealthCheckResult,
    HealthStatus,
    PluginCapabilities,
    PluginInfo,
    ProjectBinding,
)
from animus_protocol.models.manifest import EnvRequirement, PluginManifest
from animus_protocol.version import PROTOCOL_VERSION
from animus_sdk.call import CURRENT, Call
from animus_sdk.context import Context
from animus_sdk.handlers import Answer, Threads, adapt, inline
from animus_sdk.misspelled import misspelled, wrong_parameters
from animus_sdk.mistakes import missing, not_a_tuple, wrong_forms, wrong_threads
from animus_sdk.result_hints import returns_as_hinted
from animus_sdk.results import place_of, returns
from animus_sdk.typed_methods import TypedMethod, arguments_of, method_of, methods_in, mistakes_in, tool_of

__all__ = ["Plugin", "Route", "overrides"]


class Route(NamedTuple):
    """One method that the plugin answers: its types, and the handler that takes the typed params.

    An `inline` handler returns its answer instead of something to await: nothing else happens in the plugin meanwhile,
    so it suits what takes microseconds, and saves the task that every other request gets. A method without a result
    is a notification that the plugin takes.
    """

    method: Method[Any, Any]
    handler: Callable[[Any, Call], Awaitable[object] | object]
    inline: bool = False


class Plugin:
    """What all kinds share. Set the class variables; override what you need, as `async def` or as plain `def`.

    `start` runs inside `initialize`, with the project that the host works for: open files and import heavy modules
    there, so that `--manifest` stays quick. `stop` runs at the end, also after a failed start. Plain functions run on
    a thread, `threads` of them at a time: with one, no two of them ever meet and nothing needs a lock (a plain
    generator that streams has a thread of its own).
    """

    plugin_kind: ClassVar[str] = "custom"
    overridable: ClassVar[tuple[str, ...]] = ("start", "stop", "health")
    """The methods that authors override; a role class names its own. What looks like one of them is a mistake."""
    called_elsewhere: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Names that other systems have for one of them."""
    name: ClassVar[str]
    """By which the plugin is installed, found and named in workflows."""
    version: ClassVar[str]
    description: ClassVar[str] = ""
    """One sentence, for people who choose plugins."""
    env: ClassVar[tuple[EnvRequirement, ...]] = ()
    """The environment variables that it needs; only these reach it."""
    # One: a plugin that reads a file, changes it and writes it back loses nothing without a lock (ADR 0010).
    threads: ClassVar[int] = 1
    """How many plain functions may run at once."""
    notification_buffer_size: ClassVar[int | None] = None
    """How many notifications a host is to keep for a listener that is slow; None leaves it to the host."""
    project: ProjectBinding
    """The project that the host works for; known from `start` on."""

    @property
    def project_root(self) -> Path:
        """The folder of the project."""
        return Path(self.project.project_root)

    @property
    def ctx(self) -> Context:
        """The request that the running handler answers. Raises LookupError outside a handler."""
        # From a context variable: as a parameter it would stand in every signature of every role (ADR 0010).
        return Context(CURRENT.get())

    @inline
    def start(self, project: ProjectBinding) -> Answer[None]:
        """Get ready to serve `project`. Raise PluginError, or what fits better, to refuse."""

    @inline
    def stop(self) -> Answer[None]:
        """Give back what `start` took. Runs at most once."""

    @inline
    def health(self) -> Answer[HealthCheckResult]:
        """How this plugin is; `last_error` is shown to operators. A plain one waits for its turn on the threads."""
        return HealthCheckResult(status=HealthStatus.HEALTHY)

    async def end_role(self, threads: Threads) -> None:
        """End what the role itself holds, before `stop`. Role classes implement it."""

    async def run_start(self, threads: Threads, project: ProjectBinding) -> None:
        """`start`, as the session runs it."""
        self.project = project
        await adapt(self.start).wait(threads, project)

    async def run_stop(self, threads: Threads) -> None:
        """`end_role` and `stop`, as the session runs them: both, whatever the first one raises."""
        try:
            await self.end_role(threads)
        finally:
            await adapt(self.stop).wait(threads)

    async def run_health(self, threads: Threads) -> HealthCheckResult:
        """`health`, as the session runs it."""
        check = returns(place_of(type(self), "health"), HealthCheckResult)
        health: HealthCheckResult = check(await adapt(self.health).wait(threads))
        return health

    def routes(self) -> Sequence[Route]:
        """The methods of the kind that this object answers or takes. Role classes implement it."""
        return ()

    def own_routes(self) -> Sequence[Route]:
        """The author's own methods and tools: functions marked with `method` or `tool`."""
        return [_own_route(self, typed) for typed in methods_in(type(self))]

    def find(self, method: str) -> Route | None:
        """The route of a method that cannot be listed in `routes`, such as the verbs of a kind claimed as `issue.*`."""
        return None

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """What an author forgot or misspelled in the class itself, each as a sentence that says what to write."""
        return [
            *missing(cls, "name", "version"),
            *wrong_threads(cls),
            *not_a_tuple(cls, "env", EnvRequirement, 'EnvRequirement(name="API_KEY")'),
            *wrong_forms(cls, answering=("start", "stop", "health")),
            *mistakes_in(cls, cls.known_methods()),
            *_overriding(cls),
        ]

    @classmethod
    def own_methods(cls) -> Sequence[TypedMethod]:
        """The author's own methods and tools, as they are marked in the class."""
        return methods_in(cls)

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """Methods that belong to this kind: asked for one that is not served, the answer is `-32001`."""
        return frozenset()

    @classmethod
    def kind_capabilities(cls) -> PluginCapabilities:
        """What the kind tells the host; role classes derive it from what is overridden."""
        # The SDK itself answers `$/cancelRequest`, whatever the author writes.
        return PluginCapabilities(cancellation=True)

    @classmethod
    def capabilities(cls) -> PluginCapabilities:
        """What `initialize` tells the host: the kind's part, and the author's own methods and tools."""
        of_kind, own = cls.kind_capabilities(), cls.own_methods()
        if not own:
            return of_kind
        tools = [tool_of(typed) for typed in own if typed.is_tool]
        return of_kind.model_copy(
            update={
                "methods": [*of_kind.methods, *(typed.name for typed in own)],
                "mcp_tools": [*of_kind.mcp_tools, *tools],
            }
        )

    @classmethod
    def info(cls) -> PluginInfo:
        """`initialize.plugin_info`."""
        return PluginInfo(
            name=cls.name, version=cls.version, plugin_kind=cls.plugin_kind, description=cls.description or None
        )

    @classmethod
    def manifest(cls) -> PluginManifest:
        """What `--manifest` prints (protocol §2). No tool is described here, because that takes its time."""
        of_kind, own = cls.kind_capabilities(), cls.own_methods()
        return PluginManifest(
            name=cls.name,
            version=cls.version,
            plugin_kind=cls.plugin_kind,
            description=cls.description,
            protocol_version=PROTOCOL_VERSION,
            capabilities=[
                *of_kind.methods,
                *(typed.name for typed in own),
                *(f"subject_kind:{kind}" for kind in of_kind.subject_kinds),
            ],
            env_required=list(cls.env),
            notification_buffer_size=cls.notification_buffer_size,
            supports_mcp=True if any(typed.is_tool for typed in own) else None,
        )


def _overriding(cls: type[Plugin]) -> Sequence[str]:
    role = next(base for base in cls.__mro__ if issubclass(base, Plugin) and "overridable" in vars(base))
    words = tuple(dict.fromkeys((*role.overridable, *Plugin.overridable)))
    own = [typed.attribute for typed in methods_in(cls)]
    return [
        *misspelled(cls, role, words, also=role.called_elsewhere, marked=own),
        *wrong_parameters(cls, role, words),
    ]


def overrides(cls: type[Plugin], base: type[Plugin], name: str) -> bool:
    """Whether `cls` brings its own `name` instead of the one of `base`."""
    return getattr(cls, name) is not getattr(base, name)


def _own_route(plugin: Plugin, typed: TypedMethod) -> Route:
    handler, method = adapt(getattr(plugin, typed.attribute)), method_of(typed)
    # The check draws a generator, too: where the function runs, and not where its answer is written.
    check = returns_as_hinted(place_of(type(plugin), typed.attribute), typed.function)
    return Route(method, handler.answer(arguments_of(method), lambda value, _: check(value)), inline=handler.inline)
