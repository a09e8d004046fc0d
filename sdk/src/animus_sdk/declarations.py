"""What a plugin class asks for, and what it is told at its start: plain values, which need no wire model.

Nothing lies below.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EnvRequirement", "ProjectBinding"]


class EnvRequirement(NamedTuple):
    """An environment variable the plugin asks for; only declared ones reach it."""

    name: str
    description: str | None = None
    required: bool = False
    sensitive: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether each field holds what its type says."""
        return all(map(isinstance, self, (str, str | None, bool, bool)))


class ProjectBinding(NamedTuple):
    """The project the plugin works for; `project_root` is an absolute path, `repo_scope` the host's name for it."""

    project_root: str
    repo_scope: str | None = None
