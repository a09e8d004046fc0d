"""The regular end of an idle process, shutdown and then exit, as three checks judge it (protocol §2).

`RegularEnd` is a part, below which lie the processes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from animus_conformance.patience import Patience
from animus_conformance.target.conversations import Conversations
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Moment, Reply

__all__ = ["RegularEnd"]

_WHOLE: Final = Moment(0, 0)


class _Seen(NamedTuple):
    """What came of it: the answer to shutdown, and the exit code, or in place of each what kept it from coming."""

    host: Host
    shutdown: Reply | Failed
    exit_code: int | Failed | Unproven


class RegularEnd:
    """One process is brought to its end, when the first check wants to know of it; the others look at the same end.

    Nothing else was asked of that process, so that no check but these three can be the reason for what it does.
    """

    def __init__(self, processes: Processes, conversations: Conversations, patience: Patience) -> None:
        self._processes = processes
        self._conversations = conversations
        self._patience = patience
        self._seen: _Seen | None = None

    async def shutdown(self) -> Reply:
        """The answer to shutdown. Raises Failed when none came, Unproven when the process does not start."""
        seen = await self._end()
        if isinstance(seen.shutdown, Failed):
            raise seen.shutdown
        return seen.shutdown

    async def exit_code(self) -> int:
        """The code after exit. Raises Failed when it still runs, Unproven when it did not get as far as exit."""
        seen = await self._end()
        if not isinstance(seen.exit_code, int):
            raise seen.exit_code
        return seen.exit_code

    async def _end(self) -> _Seen:
        if self._seen is None:
            self._seen = await self._brought_about()
        self._conversations.note(self._seen.host, _WHOLE)  # evidence of each check that judges it
        return self._seen

    async def _brought_about(self) -> _Seen:
        async with self._processes.started() as host:
            shutdown: Reply | Failed
            try:
                shutdown = await host.ask("shutdown", within_s=self._patience.shutdown_s)
            except Failed as failed:
                if not host.ended:
                    return _Seen(host, failed, Unproven(str(failed)))
                shutdown = failed  # it left at shutdown already, which a host survives
            host.tell("exit")
            await host.process.exited(self._patience.exit_s)
            code = host.process.exit_code
            still_runs = Failed(f"{self._patience.exit_s:g} s after exit the process still runs")
            return _Seen(host, shutdown, still_runs if code is None else code)
