"""pygls: its JSON-RPC client and server on asyncio, untyped, over stdio."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from pygls.client import JsonRPCClient

from contenders.cells import orders, repeat_async, repeat_concurrently, report, same
from contenders.payload import fields


async def main() -> None:
    """Serve the cells of pygls."""
    client = JsonRPCClient()
    await client.start_io(sys.executable, "-m", "contenders.pygls_child")

    async def echo() -> Any:
        return await client.protocol.send_request_async("bench/echo", fields())

    same(fields(), (await echo())._asdict())
    for order in orders(("sequential", "concurrent")):
        again = repeat_async if order.cell == "sequential" else repeat_concurrently
        report(await again(echo, order.seconds))
    if client.protocol.writer is not None:
        client.protocol.writer.close()
    await client.stop()  # type: ignore[no-untyped-call]  # declared without a return type


if __name__ == "__main__":
    asyncio.run(main())
