"""Asks a live plugin on a schedule how it is, and tells a busy one from one that hangs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from animus_core.errors import PluginFailed
from animus_core.host.session import PluginSession
from animus_protocol.models.lifecycle import HealthStatus

__all__ = ["health_interval_s", "watch_health"]

_INTERVAL_S: Final = 30.0
_INTERVAL_VARIABLE: Final = "ANIMUS_PLUGIN_HEALTH_INTERVAL_S"
_MISSES: Final = 3
"""One lost answer is a busy machine, three in a row without a single byte are a plugin that hangs."""


def health_interval_s() -> float:
    """Seconds between two checks: the operator's variable, where it is a positive number, else 30."""
    try:
        interval_s = float(os.environ.get(_INTERVAL_VARIABLE, ""))
    except ValueError:
        return _INTERVAL_S
    return interval_s if interval_s > 0 else _INTERVAL_S


async def watch_health(session: PluginSession, interval_s: float, report: Callable[[str | None], None]) -> str:
    """Check until the plugin has ended (`session.alive` is false then) or hangs; why.

    `report` gets, after each check, what is wrong, or None. It hangs when three checks in a row brought not a single
    byte and no call that was made before them may still be answered; who works on a long call is only degraded.
    """
    loop = asyncio.get_running_loop()
    misses, seen_bytes, silent_since = 0, session.peer.received_bytes, loop.time()
    while True:
        await asyncio.wait([session.peer.ended], timeout=interval_s)
        # Asked again on both sides of the check: it may end while it is waited for, and while it is asked.
        if session.alive:
            complaint = await _complaint(session)
        if not session.alive:
            return f"it {await session.how_it_ended()}"
        if session.peer.received_bytes != seen_bytes:
            misses, seen_bytes = 0, session.peer.received_bytes
        else:
            misses += 1
            # From the first miss on: only a call that is older than the silence can explain it.
            silent_since = loop.time() if misses == 1 else silent_since
        busy = session.waiting_since is not None and session.waiting_since <= silent_since
        if misses >= _MISSES and not busy:
            return f"it hangs: {misses} health checks in a row without an answer"
        report(complaint)


async def _complaint(session: PluginSession) -> str | None:
    """What is wrong with it, by its own words or by its silence."""
    try:
        health = await session.health()
    except PluginFailed as error:
        return error.why
    if health.status is HealthStatus.HEALTHY:
        return None
    return f"it says that it is {health.status}: {health.last_error or 'without a reason'}"
