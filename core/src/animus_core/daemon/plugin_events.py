"""Tells the world what becomes of plugins: each move of a supervised plugin is an event.

Supervision reports moves from inside its own steps and must never wait for the disk, so they pass through a queue here.
Below lie the events, the database and the bus.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from animus_core.daemon.bus import Bus
from animus_core.daemon.events import plugin_event, record_event
from animus_core.errors import AnimusError
from animus_core.host.plugin_state import Move
from animus_core.store.database import Database

__all__ = ["PluginEvents"]

_log = logging.getLogger("animus.daemon")
_WAITING: Final = 1000
"""Moves that wait for the disk. Plugins move a few times a minute; only a disk that stands still fills this."""


class PluginEvents:
    """A bounded queue of moves on their way into the database; what finds no room is in the log alone."""

    def __init__(self) -> None:
        self._moves: asyncio.Queue[Move] = asyncio.Queue(_WAITING)

    def moved(self, move: Move) -> None:
        """Take a move; never waits."""
        try:
            self._moves.put_nowait(move)
        except asyncio.QueueFull:
            _log.warning("plugin %s: that it is %s now is no event: too many wait", move.plugin, move.state)

    async def run(self, database: Database, bus: Bus) -> None:
        """Write them down and publish them, until cancelled."""
        while True:
            move = await self._moves.get()
            try:
                await database.write(partial(record_event, event=plugin_event(move)))
            except AnimusError as error:  # no room on the disk: the plugin's state is no reason to stop
                _log.error("plugin %s: that it is %s now is no event: %s", move.plugin, move.state, error.message)
            else:
                bus.publish()
