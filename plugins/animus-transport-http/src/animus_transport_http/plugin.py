"""The plugin process: the SDK's bridge from HTTP to the daemon, as a transport.

Started by a host as `animus-transport-http`; below lies `animus_sdk.http`, whose server is imported only when there is
something to open, so that `--manifest` answers quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animus_sdk import TransportBackend, http, serve

if TYPE_CHECKING:
    from animus_sdk import Opening

__all__ = ["HttpTransport", "main"]


class HttpTransport(TransportBackend["http.HttpConfig"]):
    """The control protocol as a REST API with server-sent events."""

    name = "animus-transport-http"
    version = "0.1.0"
    description = "Animus over HTTP: a REST API, server-sent events, and their OpenAPI description."
    supports_streaming = True

    async def open(self, opening: Opening[http.HttpConfig]) -> str:
        """Listen and bridge."""
        # Kept before it opens: `close` comes also after an `open` that was cancelled in the middle.
        self._bridge: http.HttpBridge = http.HttpBridge(self.version)
        return await self._bridge.open(opening)

    async def close(self) -> None:
        """Finish what is under way and release the address."""
        await self._bridge.close()


def main() -> None:
    """The console script."""
    serve(HttpTransport)
