"""The status of a project's daemon: what is known of the project, and what a living daemon adds.

Below lie the queue, the trust and the paused state, which can be read without a daemon as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from animus_core.daemon.queue_entry import EntryStatus
from animus_core.services.project import Project
from animus_core.version import VERSION
from animus_protocol.models.control.daemon import DaemonCapabilities, DaemonStatus

__all__ = ["DaemonVitals", "daemon_status"]


class DaemonVitals(NamedTuple):
    """What only the daemon's own process knows; `methods` are the control methods that it answers."""

    pid: int | None = None
    uptime_s: int | None = None
    active_runs: int | None = None
    methods: Iterable[str] = ()


async def daemon_status(project: Project, vitals: DaemonVitals | None) -> DaemonStatus:
    """The result of `daemon/status` (protocol §5); without `vitals` no daemon runs."""
    living = vitals or DaemonVitals()
    counts = await project.queue.counts()
    # In a thread: it reads every file under `.animus/`, and the loop must go on meanwhile.
    trust = await asyncio.to_thread(project.trust.check)
    return DaemonStatus(
        running=vitals is not None,
        pid=living.pid,
        uptime_seconds=living.uptime_s,
        version=None if vitals is None else VERSION,
        project_root=str(project.scope.project_root),
        log_path=str(project.scope.daemon_log),
        capabilities=DaemonCapabilities(methods=sorted(living.methods)),
        paused=project.state.paused,
        active_runs=living.active_runs,
        queued=counts[EntryStatus.PENDING],
        untrusted=None if trust.trusted else trust.reason,
    )
