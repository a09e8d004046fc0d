"""The MCP SDK: its client calls a typed tool of its server over stdio."""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter
from typing import Any, Final

from mcp import Client, StdioServerParameters, stdio_client

from contenders.cells import Order, Sample, orders, repeat_async, repeat_concurrently, report, same
from contenders.payload import fields

SERVER: Final = StdioServerParameters(command=sys.executable, args=["-m", "contenders.mcp_child"])


async def echo(client: Client) -> Any:
    """One round trip."""
    return (await client.call_tool("echo", fields())).structured_content


async def run(client: Client, order: Order) -> Sample:
    """One cell."""
    match order.cell:
        case "sequential":
            return await repeat_async(lambda: echo(client), order.seconds)
        case "concurrent":
            return await repeat_concurrently(lambda: echo(client), order.seconds)
        case _:
            return await _spawn(order.seconds)


async def _spawn(seconds: float) -> Sample:
    count, spent_s = 0, 0.0
    while spent_s < seconds:
        began = perf_counter()
        async with Client(stdio_client(SERVER)) as client:
            await echo(client)
            spent_s += perf_counter() - began
            count += 1
    return Sample(count, spent_s)


async def main() -> None:
    """Serve the cells of MCP."""
    async with Client(stdio_client(SERVER)) as client:
        same(fields(), await echo(client))
        for order in orders(("sequential", "concurrent", "spawn")):
            report(await run(client, order))


if __name__ == "__main__":
    asyncio.run(main())
