"""The harmless request that every plugin of its kind answers, spelled as this plugin wants it (protocol §4).

Below it lie the kind and the claims.
"""

from __future__ import annotations

from typing import Any

from animus_conformance.kinds import Kind
from animus_conformance.target.claims import Claims
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Reply

__all__ = ["KindProbe"]


class KindProbe:
    """The part. What it is called may be known only once the plugin was initialized."""

    def __init__(self, kind: Kind, claims: Claims) -> None:
        self._name, self._params = kind.probe
        self._claims = claims

    @property
    def method(self) -> str:
        """The method, by the plugin's own name of it."""
        return self._claims.method(self._name)

    @property
    def params(self) -> dict[str, Any]:
        """Params of one's own to add to."""
        return dict(self._params)

    async def ask(self, host: Host) -> Reply:
        """The answer, whichever it is. Raises Failed when none comes."""
        return await host.ask(self.method, self.params)
