"""Tells the world what becomes of plugins: each move of a supervised plugin is an event.

Made by `app/daemon.py`, which gives `moved` to the supervision and runs `run`; below lie the database and the bus.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from animus_core.daemon.bus import Bus
from animus_core.errors import AnimusError
from animus_core.host.plugin_state import Move
from animus_core.store.clock import utc_now_text
from animus_core.store.database import Database
from animus_core.store.statements import Tx
from animus_protocol.models.base import encode

__all__ = ["PLUGIN_STATE", "PluginEvents"]

_log = logging.getLogger("animus.daemon")
PLUGIN_STATE: Final = "plugin_state"
_WAITING: Final = 1000


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
            payload: dict[str, object] = {
                "plugin": move.plugin,
                "plugin_kind": move.kind,
                "was": move.was,
                "state": move.state,
                "reason": move.reason,
                "pid": move.pid,
            }
            try:
                await database.write(partial(_insert, payload=payload))
            except AnimusError as error:  # no room on the disk: the plugin's state is no reason to stop
                _log.error("plugin %s: that it is %s now is no event: %s", move.plugin, move.state, error.message)
            else:
                bus.publish()


def _insert(tx: Tx, *, payload: dict[str, object]) -> None:
    data = encode({name: value for name, value in payload.items() if value is not None}).decode()
    tx.execute("event_insert", run_id=None, seq=None, kind=PLUGIN_STATE, at=utc_now_text(), data=data)
