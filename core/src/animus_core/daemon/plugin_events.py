"""Makes an event of each state change of a supervised plugin.

Supervision reports changes from inside its own steps and must never wait for the disk, so they pass through a queue.
Below lie the events, the database and the commit signal.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from animus_core.daemon.commit_signal import CommitSignal
from animus_core.daemon.events import plugin_event, record_event
from animus_core.errors import AnimusError
from animus_core.host.plugin_state import StateChange
from animus_core.store.database import Database

__all__ = ["PluginEvents"]

_log = logging.getLogger("animus.daemon")
_WAITING: Final = 1000
"""How many changes may wait for the disk. There are a few a minute: only a disk that stands still fills this."""


class PluginEvents:
    """A bounded queue of changes on their way into the database; when it is full, a change is only logged."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[StateChange] = asyncio.Queue(_WAITING)

    def moved(self, change: StateChange) -> None:
        """Take a change; never waits."""
        try:
            self._changes.put_nowait(change)
        except asyncio.QueueFull:
            _log.warning(
                "plugin %s became %s, but no event was recorded: too many events are waiting",
                change.plugin,
                change.state,
            )

    async def run(self, database: Database, commit_signal: CommitSignal) -> None:
        """Write them down and publish them, until cancelled."""
        while True:
            change = await self._changes.get()
            try:
                await database.write(partial(record_event, event=plugin_event(change)))
            except AnimusError as error:  # the disk is full, for example: no reason to stop the daemon
                _log.error(
                    "plugin %s became %s, but no event was recorded: %s", change.plugin, change.state, error.message
                )
            else:
                commit_signal.publish()
