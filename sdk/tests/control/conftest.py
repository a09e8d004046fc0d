"""A daemon's control socket of raw lines; it shares no code with the SDK, so that a common mistake shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[["Connection", dict[str, Any]], Awaitable[None]]


class Connection:
    """One client; what it said, in order."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.received: list[str] = []
        self.gone = asyncio.Event()

    async def send(self, **message: Any) -> None:
        self._writer.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self._writer.drain()

    async def reply(self, request: dict[str, Any], result: Any) -> None:
        await self.send(id=request["id"], result=result)

    async def refuse(self, request: dict[str, Any], code: int, message: str, **data: Any) -> None:
        await self.send(id=request["id"], error={"code": code, "message": message, "data": data})

    async def item(self, request: dict[str, Any], data: Any) -> None:
        await self.send(method="daemon/event", params={"id": request["id"], "data": data})

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):  # the client was the first to leave
            await self._writer.wait_closed()


class RawDaemon:
    """Answers with the functions in `answers`, each in a task of its own; keeps every connection it ever had."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        self.connections: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RawDaemon:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self.connections:
            await connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(connection.gone.wait() for connection in self.connections))
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        self.connections.append(connection)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                connection.received.append(message["method"])
                if "id" in message:
                    task = asyncio.create_task(self.answers[message["method"]](connection, message))
                    self._tasks.add(task)
        except ConnectionError:
            pass
        finally:
            connection.gone.set()
            writer.close()


@pytest.fixture
def daemon(tmp_path: Path) -> RawDaemon:
    """Not started: `async with daemon:` is its life, and it may have several."""
    return RawDaemon(tmp_path / "control.sock")
