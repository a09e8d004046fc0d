"""A web UI that listens and answers nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from animus_sdk import Opening, WebUi, serve


class Gateway(WebUi[Any]):
    name = "animus-web-gateway"
    version = "0.0.1"

    async def open(self, opening: Opening[Any]) -> str:
        host, _, port = (opening.bind_addr or "127.0.0.1:0").rpartition(":")
        self.server = await asyncio.start_server(lambda reader, writer: writer.close(), host, int(port))
        return "{}:{}".format(*self.server.sockets[0].getsockname())

    async def close(self) -> None:
        self.server.close()
        print("closed")


if __name__ == "__main__":
    serve(Gateway)
