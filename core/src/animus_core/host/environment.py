"""The environment that a child gets: a short documented list, what was declared, and nothing else.

Secrets of the operator's shell stay out of every child that did not declare them (protocol §2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from animus_core.launch_options import LaunchOptions
from animus_protocol.models.manifest import PluginManifest

__all__ = [
    "BASE_NAMES",
    "COOKIE",
    "INSTANCE",
    "child_environment",
    "missing_environment",
    "plugin_environment",
    "secrets_in",
]

BASE_NAMES: Final = (
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "TERM",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "TZ",
)
"""What every plugin gets (protocol §2)."""

COOKIE: Final = "ANIMUS_COOKIE"
"""Marks a child and all its descendants, so that what escapes its parent is found at the next start."""

INSTANCE: Final = "ANIMUS_PLUGIN_INSTANCE"
"""Marks one plugin process and all its descendants, so that what left its group is ended with it."""

_SECRET_NAME: Final = re.compile(r"(?i)token|secret|passw|credential|api_?key|private_?key|authorization")
_SHORTEST_SECRET: Final = 4  # hiding every "1" would make a log unreadable and protect nothing

# What a child needs to find the same configuration and Python, and what tests steer it by.
_OURS: Final = ("ANIMUS_CONFIG_DIR", "ANIMUS_CRASH_POINT", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "VIRTUAL_ENV")


def child_environment(
    parent: Mapping[str, str],
    *,
    declared: Iterable[str] = (),
    extra: Mapping[str, str] | None = None,
    cookie: str | None = None,
) -> dict[str, str]:
    """The base names, ours, and the `declared` ones as far as `parent` has them; then `extra`; then the cookie."""
    names = (*BASE_NAMES, *_OURS, *declared)
    environment = {name: parent[name] for name in names if name in parent}
    # In this order: what the operator sets wins over the shell, and nothing can take the cookie away.
    environment.update(extra or {})
    if cookie is not None:
        environment[COOKIE] = cookie
    return environment


def plugin_environment(
    parent: Mapping[str, str], manifest: PluginManifest, options: LaunchOptions, *, cookie: str, instance: str
) -> dict[str, str]:
    """What a plugin gets: the base, what it declares, what the operator's registry passes or sets, and two marks."""
    declared = [requirement.name for requirement in manifest.env_required]
    extra = {**options.env, INSTANCE: instance}
    return child_environment(parent, declared=[*declared, *options.pass_env], extra=extra, cookie=cookie)


def missing_environment(parent: Mapping[str, str], manifest: PluginManifest, options: LaunchOptions) -> list[str]:
    """The required variables that the plugin would not find."""
    required = [requirement.name for requirement in manifest.env_required if requirement.required]
    return [name for name in required if name not in parent and name not in options.env]


def secrets_in(environment: Mapping[str, str], manifest: PluginManifest) -> tuple[str, ...]:
    """The values that no log may show: of variables declared sensitive, and of names that sound like a secret."""
    sensitive = {requirement.name for requirement in manifest.env_required if requirement.sensitive}
    values = {value for name, value in environment.items() if name in sensitive or _SECRET_NAME.search(name)}
    found = values | {line.strip() for value in values for line in value.splitlines()}  # a key file is printed by lines
    return tuple(sorted(value for value in found if len(value) >= _SHORTEST_SECRET))
