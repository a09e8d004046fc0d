"""A notifier, a log storage and a tool in one process; what its tool is asked to do is done to the process itself."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator, Sequence

from animus_sdk import (
    Bundle,
    DaemonEventRecord,
    LogEntry,
    LogQuery,
    LogStorageBackend,
    Notifier,
    method,
    serve,
    tool,
)


class Pager(Notifier):
    connector_kinds = ("page",)

    def notify(self, event: DaemonEventRecord) -> int:
        return 1


class Journal(LogStorageBackend):
    def __init__(self) -> None:
        self.stored: list[LogEntry] = []
        self.more = threading.Event()

    def store(self, entries: Sequence[LogEntry]) -> None:
        self.stored += entries
        self.more.set()

    def tail(self, query: LogQuery) -> Iterator[LogEntry]:
        while True:
            self.more.wait()
            self.more.clear()
            while self.stored:
                yield self.stored.pop(0)


class Office(Bundle):
    name = "animus-office"
    version = "0.0.1"
    parts = (Pager, Journal)

    @tool
    async def leave(self, way: str) -> str:
        """Try to end the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(leave(way))
        return "still here"

    @method("office/block")
    def block(self) -> None:
        print("blocked", file=sys.stderr, flush=True)
        threading.Event().wait()


async def leave(way: str) -> None:
    if way == "exit":
        sys.exit(3)
    raise KeyboardInterrupt


if __name__ == "__main__":
    serve(Office)
