"""Animus, the child: a plugin as an author would write it, on `serve()`."""

from __future__ import annotations

from collections.abc import Sequence

from animus_protocol.models.base import Empty
from animus_sdk import Plugin, serve
from animus_sdk.call import Call
from animus_sdk.plugin import Route
from contenders import animus_wire as wire
from contenders.payload import KIND, TEXT


class Bench(Plugin):
    """Echoes, one handler that is awaited and one that is not, and a source of notifications."""

    name = "animus-bench"
    version = "1.0.0"
    description = "The child of the benchmark."

    def routes(self) -> Sequence[Route]:
        """The methods of `animus_wire`."""
        return (
            Route(wire.ECHO, self.echo),
            Route(wire.ECHO_INLINE, self.echo_inline, inline=True),
            Route(wire.EMIT, self.emit),
        )

    async def echo(self, params: wire.Echo, call: Call) -> wire.Echo:
        """Give back what came."""
        return params

    def echo_inline(self, params: wire.Echo, call: Call) -> wire.Echo:
        """`echo` without a coroutine."""
        return params

    async def emit(self, params: wire.Emit, call: Call) -> Empty:
        """Send notifications, each a model of its own."""
        for number in range(params.amount):
            await call.notify(wire.NOTE, wire.Echo(number=number, kind=KIND, text=TEXT))
        return Empty()


if __name__ == "__main__":
    serve(Bench)
