"""The base of every plugin: identity, life cycle, and the routes from method names to handlers.

Subclassed by the role classes (`subject.py`, `provider.py`), driven by `session.py`; below it lie the wire models.
What a class overrides is what it advertises: nothing is declared twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
from animus_sdk.call import Call

__all__ = ["Plugin", "Route"]


class Route(NamedTuple):
    """One method that the plugin answers: its types, and the handler that takes the typed params.

    An `inline` handler returns its answer instead of something to await: nothing else happens in the plugin meanwhile,
    so it suits what takes microseconds, and saves the task that every other request gets.
    """

    method: Method[Any, Any]
    handler: Callable[[Any, Call], Awaitable[object] | object]
    inline: bool = False


class Plugin:
    """What all kinds share. Set the class variables; override what you need.

    `start` runs inside `initialize`, with the project that the host works for: open files and import heavy modules
    there, so that `--manifest` stays quick. `stop` runs at the end, also after a failed start.
    """

    plugin_kind: ClassVar[str] = "custom"
    name: ClassVar[str]
    version: ClassVar[str]
    description: ClassVar[str] = ""
    env: ClassVar[tuple[EnvRequirement, ...]] = ()

    async def start(self, project: ProjectBinding) -> None:
        """Get ready to serve `project`. Raise PluginError to refuse, with the reason."""

    async def stop(self) -> None:
        """Give back what `start` took. Runs at most once."""

    async def health(self) -> HealthCheckResult:
        """How this plugin is; `last_error` is shown to operators."""
        return HealthCheckResult(status=HealthStatus.HEALTHY)

    def routes(self) -> Sequence[Route]:
        """The methods that this object answers beside the life cycle. Role classes implement it."""
        return ()

    def find(self, method: str) -> Route | None:
        """The route of a method that cannot be listed in `routes`, such as the verbs of a kind claimed as `issue.*`."""
        return None

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """Methods that belong to this kind: asked for one that is not served, the answer is `-32001`."""
        return frozenset()

    @classmethod
    def capabilities(cls) -> PluginCapabilities:
        """What `initialize` tells the host."""
        return PluginCapabilities(cancellation=True)

    @classmethod
    def info(cls) -> PluginInfo:
        """`initialize.plugin_info`."""
        return PluginInfo(
            name=cls.name, version=cls.version, plugin_kind=cls.plugin_kind, description=cls.description or None
        )

    @classmethod
    def manifest(cls) -> PluginManifest:
        """What `--manifest` prints (protocol §2)."""
        told = cls.capabilities()
        return PluginManifest(
            name=cls.name,
            version=cls.version,
            plugin_kind=cls.plugin_kind,
            description=cls.description,
            protocol_version=PROTOCOL_VERSION,
            capabilities=[*told.methods, *(f"subject_kind:{kind}" for kind in told.subject_kinds)],
            env_required=list(cls.env),
        )


def overrides(cls: type[Plugin], base: type[Plugin], name: str) -> bool:
    """Whether `cls` brings its own `name` instead of the one of `base`."""
    return getattr(cls, name) is not getattr(base, name)
