"""The environment that a child gets: a short documented list, what was declared, and nothing else.

Called by `process.py` users (plugins, commands, runners); below it lies nothing. Secrets of the operator's shell
stay out of every child that did not declare them (protocol §2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["BASE_NAMES", "COOKIE", "child_environment"]

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
    environment.update(extra or {})
    if cookie is not None:
        environment[COOKIE] = cookie
    return environment
