"""pygls, the server: one feature of its JSON-RPC server on stdio."""

from __future__ import annotations

from typing import Any

from pygls.protocol import JsonRPCProtocol, default_converter
from pygls.server import JsonRPCServer

server = JsonRPCServer(JsonRPCProtocol, default_converter)


@server.feature("bench/echo")
async def echo(params: Any) -> dict[str, Any]:
    """Give back what came; pygls makes a named tuple of it."""
    fields: dict[str, Any] = params._asdict()
    return fields


if __name__ == "__main__":
    server.start_io()
