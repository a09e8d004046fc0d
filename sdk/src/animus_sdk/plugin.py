"""The base of every plugin: identity, life cycle, and the routes from method names to handlers.

Below it lie the wire models. What a class overrides is what it advertises: nothing is declared twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from animus_sdk.context import Context
from animus_sdk.declarations import EnvRequirement, ProjectBinding
from animus_sdk.functions import Answer, inline
from animus_sdk.lazy_names import LazyModule
from animus_sdk.misspelled import misspelled, wrong_parameters
from animus_sdk.mistakes import (
    is_text,
    missing,
    not_a_tuple,
    wrong_buffer_size,
    wrong_description,
    wrong_forms,
    wrong_threads,
)
from animus_sdk.profile import Offer, Profile
from animus_sdk.typed_methods import TypedMethod, arguments_of, method_of, methods_in, mistakes_in, tool_of

if TYPE_CHECKING:
    from animus_protocol.models import base, lifecycle, manifest
    from animus_sdk.call import Call
    from animus_sdk.handlers import Threads
else:  # what serves a plugin is imported when it is served: `--manifest` needs neither models nor an event loop
    base = LazyModule("animus_protocol.models.base")
    lifecycle = LazyModule("animus_protocol.models.lifecycle")
    manifest = LazyModule("animus_protocol.models.manifest")

__all__ = ["Plugin", "Route", "is_inherited", "overrides"]


class Route(NamedTuple):
    """One method that the plugin answers: its types, and the handler that takes the typed params.

    An `inline` handler returns its answer instead of something to await: nothing else happens in the plugin meanwhile,
    so it suits what takes microseconds, and saves the task that every other request gets. A method without a result
    is a notification that the plugin takes.
    """

    method: base.Method[Any, Any]
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
        from animus_sdk.call import CURRENT

        return Context(CURRENT.get())

    @inline
    def start(self, project: ProjectBinding) -> Answer[None]:
        """Get ready to serve `project`. Raise PluginError, or what fits better, to refuse."""

    @inline
    def stop(self) -> Answer[None]:
        """Give back what `start` took. Runs at most once."""

    @inline
    def health(self) -> Answer[lifecycle.HealthCheckResult]:
        """How this plugin is; `last_error` is shown to operators. A plain one waits for its turn on the threads."""
        return lifecycle.HealthCheckResult(status=lifecycle.HealthStatus.HEALTHY)

    async def end_role(self, threads: Threads) -> None:
        """End what the role itself holds, before `stop`. Role classes implement it."""

    async def run_start(self, threads: Threads, project: ProjectBinding) -> None:
        """`start`, as the session runs it."""
        from animus_sdk.handlers import adapt

        self.project = project
        await adapt(self.start).wait(threads, project)

    async def run_stop(self, threads: Threads) -> None:
        """`end_role` and `stop`, as the session runs them: both, whatever the first one raises."""
        from animus_sdk.handlers import adapt

        try:
            await self.end_role(threads)
        finally:
            await adapt(self.stop).wait(threads)

    async def run_health(self, threads: Threads) -> lifecycle.HealthCheckResult:
        """`health`, as the session runs it."""
        from animus_sdk.handlers import adapt
        from animus_sdk.results import place_of, returns

        check = returns(place_of(type(self), "health"), lifecycle.HealthCheckResult)
        health: lifecycle.HealthCheckResult = check(await adapt(self.health).wait(threads))
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
            *wrong_description(cls),
            *wrong_buffer_size(cls),
            *wrong_threads(cls),
            *_wrong_env(cls),
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
    def offer(cls) -> Offer:
        """What the kind serves; role classes derive it from what is overridden."""
        return Offer()

    @classmethod
    def profile(cls) -> Profile:
        """All that `--manifest` and `initialize` tell of the class, but for the descriptions of its tools."""
        own = cls.own_methods()
        return Profile(
            name=cls.name,
            version=cls.version,
            plugin_kind=cls.plugin_kind,
            description=cls.description,
            offer=cls.offer(),
            own=[typed.name for typed in own],
            has_tools=any(typed.is_tool for typed in own),
            env=cls.env,
            notification_buffer_size=cls.notification_buffer_size,
        )

    @classmethod
    def capabilities(cls) -> lifecycle.PluginCapabilities:
        """What `initialize` tells the host: the kind's part, and the author's own methods and tools."""
        own = cls.own_methods()
        fields = cls.offer().capabilities([typed.name for typed in own])
        tools = [tool_of(typed) for typed in own if typed.is_tool]
        return lifecycle.PluginCapabilities.model_validate({**fields, "mcp_tools": tools})

    @classmethod
    def info(cls) -> lifecycle.PluginInfo:
        """`initialize.plugin_info`."""
        return cls.profile().info()

    @classmethod
    def manifest(cls) -> manifest.PluginManifest:
        """What `--manifest` prints (protocol §2). No tool is described here, because that takes its time."""
        return cls.profile().manifest()


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


def is_inherited(cls: type[Plugin], name: str) -> bool:
    """Whether `cls` has its class method `name` from Plugin itself."""
    return getattr(cls, name).__func__ is getattr(Plugin, name).__func__


def _wrong_env(cls: type[Plugin]) -> Sequence[str]:
    if wrong := not_a_tuple(cls, "env", EnvRequirement, 'EnvRequirement(name="API_KEY")'):
        return wrong
    return [
        f"{cls.__name__}.env has {one!r}: name and description are texts, required and sensitive True or False"
        for one in cls.env
        if not (one.is_sound and is_text(one.name) and is_text(one.description or ""))
    ]


def _own_route(plugin: Plugin, typed: TypedMethod) -> Route:
    from animus_sdk.handlers import adapt
    from animus_sdk.result_hints import returns_as_hinted
    from animus_sdk.results import place_of

    handler, method = adapt(getattr(plugin, typed.attribute)), method_of(typed)
    # The check draws a generator, too: where the function runs, and not where its answer is written.
    check = returns_as_hinted(place_of(type(plugin), typed.attribute), typed.function)
    return Route(method, handler.answer(arguments_of(method), lambda value, _: check(value)), inline=handler.inline)
