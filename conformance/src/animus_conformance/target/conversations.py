"""The conversations that one check has had: what stands beside its verdict as evidence.

Below it lies the host, with its transcript and the plugin's stderr.
"""

from __future__ import annotations

from typing import Final

from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Moment

__all__ = ["Conversations"]

_STDERR_LINES: Final = 20
"""The last ones: a traceback ends with the error."""


class Conversations:
    """The hosts of the check that runs, each from the moment when the check began to use it."""

    def __init__(self) -> None:
        self._used: dict[Host, Moment] = {}

    def begin(self) -> None:
        """A check begins, and has used nothing yet."""
        self._used = {}

    def note(self, host: Host, since: Moment | None = None) -> None:
        """The check uses this host, from now on or from `since`; the first time counts."""
        self._used.setdefault(host, host.now if since is None else since)

    def includes(self, host: Host) -> bool:
        """Whether the check has used this host."""
        return host in self._used

    @property
    def hosts(self) -> list[Host]:
        """What the check has used so far, in order."""
        return [*self._used]

    def evidence(self) -> str:
        """The lines of each conversation since the check began to use it, and the end of what came on stderr."""
        parts = []
        for number, (host, began) in enumerate(self._used.items(), start=1):
            lines = host.transcript.since(began.lines)
            stderr = host.process.stderr_since(began.stderr_bytes).splitlines()[-_STDERR_LINES:]
            parts += [f"process {number} (pid {host.process.pid})", *lines, *(f"stderr   {line}" for line in stderr)]
        return "\n".join(parts)
