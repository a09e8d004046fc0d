"""What the host must know of a plugin to run it, whoever found it and wherever it came from."""

from __future__ import annotations

from typing import Protocol, TypeVar

from animus_core.launch_options import LaunchOptions
from animus_core.store.paths import Scope
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.manifest import PluginManifest

__all__ = ["AnyPlugin", "LaunchablePlugin", "binding_of"]


# A shape and no class of ours: `host` must not import `supply`, which finds plugins (docs/adr/0011).
class LaunchablePlugin(Protocol):
    """A plugin that may be started: its command line, its manifest, what the operator gives its process."""

    @property
    def name(self) -> str:
        """The name under which the operator knows it."""
        ...

    @property
    def command(self) -> tuple[str, ...]:
        """The program and its arguments."""
        ...

    @property
    def options(self) -> LaunchOptions:
        """Environment and limits of its process."""
        ...

    @property
    def manifest(self) -> PluginManifest:
        """What it says of itself."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every plugin kind that it says to be."""
        ...

    @property
    def subject_kinds(self) -> tuple[str, ...]:
        """The subject kinds that its manifest claims."""
        ...

    @property
    def environment_hint(self) -> str:
        """What the operator does about a variable that it needs and that is not set."""
        ...


AnyPlugin = TypeVar("AnyPlugin", bound=LaunchablePlugin)
"""The type that a supervisor was given, and gives back."""


def binding_of(scope: Scope) -> ProjectBinding:
    """What a plugin learns of the project of `scope`."""
    return ProjectBinding(project_root=str(scope.project_root), repo_scope=scope.root.name)
