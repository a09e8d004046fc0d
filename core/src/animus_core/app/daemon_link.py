"""A runner's line to the daemon: hello, how far the journal is, orders; dialled again whenever the daemon comes back.

Losing it never stops a run. Below lie sockets and the peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from animus_core.control.sockets import connect
from animus_core.errors import AnimusError
from animus_protocol.dispatcher import Asker, Dispatcher
from animus_protocol.errors import ProtocolError
from animus_protocol.models import runner as wire
from animus_protocol.models.base import Empty
from animus_protocol.peer import Peer

__all__ = ["DaemonLink", "JournalProgress"]

_log = logging.getLogger("animus.runner")
_HELLO_S: Final = 5.0  # a daemon that does not answer by then is dialled again; the run goes on meanwhile
_REDIAL_S: Final = 0.5
"""Far below the 90 s after which a silent runner counts as unresponsive, and next to nothing for the machine."""


class JournalProgress:
    """How far the journal reaches, in bytes: its writer reports each append here, and listeners are called."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._on_advance: list[Callable[[], None]] = []

    def on_advance(self, call: Callable[[], None]) -> None:
        """`call` is called after each append."""
        self._on_advance.append(call)

    def advance(self, offset: int) -> None:
        """The journal has grown to `offset`."""
        self.offset = offset
        for call in self._on_advance:
            call()


class DaemonLink:
    """An async context: inside it the runner is reachable while there is a daemon.

    `on_cancel(reason)` ends the run as cancelled, `on_stop()` leaves it where it is.
    """

    def __init__(
        self,
        socket: Path,
        hello: wire.RunnerHello,
        progress: JournalProgress,
        *,
        on_cancel: Callable[[str], None],
        on_stop: Callable[[], object],
    ) -> None:
        self._on_cancel = on_cancel
        self._on_stop = on_stop
        self._socket = socket
        self._hello = hello
        self._progress = progress
        progress.on_advance(self._say_how_far)
        self._peer: Peer | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._table = Dispatcher()
        self._table.answer(wire.RUNNER_CANCEL, self._cancel)
        self._table.answer(wire.RUNNER_STOP, self._stop)

    async def __aenter__(self) -> DaemonLink:
        self._dialling = asyncio.get_running_loop().create_task(self._dial())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dialling

    def _say_how_far(self) -> None:
        """Without a daemon nobody has to know: the next hello says it."""
        if self._peer is not None:
            hello, offset = self._hello, self._progress.offset
            advanced = wire.RunnerJournalAdvanced(run=hello.run, epoch=hello.epoch, offset=offset)
            self._peer.notify(wire.RUNNER_JOURNAL_ADVANCED, advanced)

    async def _dial(self) -> None:
        while True:
            try:
                peer = await connect(self._socket, self._table, name="daemon")
            except AnimusError as error:
                _log.debug("no daemon: %s", error)
            else:
                await self._stay(peer)
            await asyncio.sleep(_REDIAL_S)  # redialling is periodic: a daemon that comes back sends no event

    async def _stay(self, peer: Peer) -> None:
        try:
            hello = self._hello.model_copy(update={"offset": self._progress.offset})
            await peer.call(wire.RUNNER_HELLO, hello, timeout_s=_HELLO_S)
            # Only after the hello was taken: before it the daemon does not know which run an offset belongs to.
            self._peer = peer
            self._say_how_far()  # what was appended while the hello was on its way
            await asyncio.wait([peer.ended])
        except ProtocolError as error:
            _log.warning("the daemon did not take the hello: %s", error)
        finally:
            self._peer = None
            await peer.aclose()

    async def _cancel(self, order: wire.RunnerCancel, asker: Asker) -> Empty:
        # An order for another run came to the wrong runner: it is acknowledged and not obeyed.
        if order.run == self._hello.run:
            self._on_cancel(order.reason)
        return Empty()

    async def _stop(self, params: Empty, asker: Asker) -> Empty:
        self._on_stop()
        return Empty()
