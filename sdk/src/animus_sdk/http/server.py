"""uvicorn as a guest in the plugin's event loop: it touches no signals, prints nothing, and ends when it is told.

Below lies uvicorn. What it logs goes to the plugin's log on stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HttpServer", "ServerTimings"]

_BACKLOG: Final = 128
_MAX_CONNECTIONS: Final = 128
_MAX_HEADER_BYTES: Final = 16 * 1024


class ServerTimings(NamedTuple):
    """How long the server waits, in seconds.

    For the header of a request and for the rest of a body that nobody reads, for the next request of a connection, for
    a client that takes something of an answer; at the end for requests under way, for what is cancelled then, and for
    all of that together.
    """

    headers_s: float = 10.0
    idle_s: int = 30
    taken_s: float = 30.0
    drain_s: int = 3
    last_s: float = 0.5
    # A host waits 5 s for `transport/shutdown` (protocol §4); the waits above are parts of this one.
    stop_s: float = 4.8


class HttpServer:
    """Serves one application at one address. The socket listens from the beginning; `serve` begins to answer."""

    def __init__(
        self,
        host: str,
        port: int,
        timings: ServerTimings = ServerTimings(),  # noqa: B008 - a tuple of constants
    ) -> None:
        """Listen. Raises OSError."""
        self._timings = timings
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Connections inherit it. asyncio would set it only on sockets that name their protocol, and without it the body
        # of an answer waits 40 ms for the acknowledgement of its header.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it really listens, as `host:port`."""
        host, port = self._sock.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def serve(self, app: ASGIApp) -> None:
        """Answer requests with `app` from now on."""
        config = _Config(
            app,
            http=_TimedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # No proxy is known to stand before it, so these headers are whatever a client claims.
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            timeout_keep_alive=self._timings.idle_s,
            timeout_graceful_shutdown=self._timings.drain_s,
        )
        config.timings = self._timings
        self._server = _Guest(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve([self._sock]))

    async def close(self) -> None:
        """Take no more, let requests under way finish (3 s at most), release the address."""
        if self._task is not None:
            self._server.should_exit = True
            async with asyncio.timeout(self._timings.stop_s):
                await self._task
        self._sock.close()


class _Config(uvicorn.Config):
    """What uvicorn hands to its server and to each connection."""

    timings: ServerTimings


class _Guest(uvicorn.Server):
    config: _Config

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the plugin's."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down like uvicorn, and also end connections whose client reads nothing, which uvicorn leaves open."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=self.config.timings.last_s)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _TimedProtocol(H11Protocol):
    """A connection that is closed when the client is too slow.

    The header of a request has to come within 10 s, and so has the rest of a body that nobody waits for after the
    answer; of an answer the client has to take something every 30 s.
    """

    config: _Config
    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # `pause_writing` tells then of all that the client does not take
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()
        self._expect_nothing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_less()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._expect_nothing()

    def _expect_less(self) -> None:
        """The client has 30 s to take something, and after that again, until it has taken all."""
        left_bytes = self.transport.get_write_buffer_size()

        def check_progress() -> None:
            if self.transport.get_write_buffer_size() < left_bytes:
                self._expect_less()
            else:
                self.transport.abort()

        self._stuck = self.loop.call_later(self.config.timings.taken_s, check_progress)

    def _expect_nothing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE and self.conn.our_state is not h11.DONE:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(self.config.timings.headers_s, self.transport.close)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
