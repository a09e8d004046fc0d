"""The MCP SDK, the server: one typed tool on stdio."""

from __future__ import annotations

from mcp.server import MCPServer
from pydantic import BaseModel

server = MCPServer("bench")


class Echo(BaseModel):
    """The payload that travels."""

    number: int
    kind: str
    text: str


@server.tool()
async def echo(number: int, kind: str, text: str) -> Echo:
    """Give back what came."""
    return Echo(number=number, kind=kind, text=text)


if __name__ == "__main__":
    server.run()
