"""What an operator says of a plugin's process: variables that it gets, and what it may use at most."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["LaunchOptions", "Limits"]


class Limits(NamedTuple):
    """What a plugin's process may use at most; None is no limit. Memory in MiB, processor time in seconds."""

    memory_mb: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None


class LaunchOptions(NamedTuple):
    """What the operator says of a plugin: variables that it gets, names it gets from our environment, its limits."""

    env: Mapping[str, str] = MappingProxyType({})
    pass_env: tuple[str, ...] = ()
    limits: Limits = Limits()
