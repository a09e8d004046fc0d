"""How a plugin's process is run: variables that it gets, what it may use at most, how long it is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["LaunchOptions", "Limits", "SessionTimings"]


class Limits(NamedTuple):
    """What a plugin's process may use at most; None is no limit. Memory in MiB, processor time in seconds."""

    memory_mb: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None


class SessionTimings(NamedTuple):
    """How long the host waits for a plugin's process, in seconds; no operator has asked for others yet.

    For the answer to a health check and to `shutdown`, for its exit after that, after SIGTERM, for one that has hung
    up and may be on its way out by itself, and for what was written to it before its input is closed.
    """

    health_s: float = 2.0
    shutdown_s: float = 2.0
    exit_s: float = 2.0
    term_s: float = 2.0
    leaving_s: float = 0.3
    flush_s: float = 2.0


class LaunchOptions(NamedTuple):
    """The variables that a plugin gets, names that it gets from our environment, its limits, its deadlines."""

    env: Mapping[str, str] = MappingProxyType({})
    pass_env: tuple[str, ...] = ()
    limits: Limits = Limits()
    timings: SessionTimings = SessionTimings()
