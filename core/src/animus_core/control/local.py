"""A project opened in this process: by the daemon for its whole life, by a daemonless command for one operation.

Below lie the database, discovery and the router of subjects.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

from animus_core.host.plugin import binding_of
from animus_core.host.supervisor import Supervision
from animus_core.kinds.fleet import Fleet
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.services.project import Project
from animus_core.store.database import Database
from animus_core.store.paths import Scope, config_dir
from animus_core.supply.discovery.cached_discovery import CachedDiscovery
from animus_core.supply.discovery.discover import Plugin, discover

__all__ = ["open_project"]


@contextlib.asynccontextmanager
async def open_project(
    scope: Scope,
    plugins: CachedDiscovery | None = None,
    supervision: Supervision[Plugin] | None = None,
) -> AsyncIterator[Project]:
    """Database open, plugins found, none of them started yet. The caller holds the daemon's lock.

    `plugins` is for a process that lives long: it takes over what is installed or removed meanwhile.
    """
    found = await (discover(config_dir(os.environ), scope.project_root) if plugins is None else plugins.current())
    fleet = Fleet(found, binding_of(scope), supervision)
    # Before the database is opened: two plugins with one claim refuse the start, and nothing has to be closed then.
    router = SubjectRouter(fleet)
    async with await Database.open(scope.workflow_db) as database:
        try:
            yield Project(scope, database, found, router, None if plugins is None else plugins.current)
        finally:
            await fleet.close()
