"""A notifier and a log storage as a host meets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from animus_protocol.errors import NotSupported, RpcError
from animus_protocol.models.log_storage import SupportsFiltering
from animus_protocol.models.notifier import NotifierFlushResult, NotifierLifecycleEvent, NotifierNotifyResult
from animus_sdk import DaemonEventRecord, LogEntry, LogQuery, LogQueryResult, LogStorageBackend, Notifier, Unavailable
from animus_sdk.testing import Harness

EVENT = {"schema": "animus.daemon-event.v1", "id": "1", "timestamp": "2026-01-01T00:00:00Z", "event_type": "x"}
ENTRY = {"ts": "2026-01-01T00:00:00Z", "level": "info", "source": "daemon", "target": "t", "message": "m"}


class Pager(Notifier):
    name = "pager"
    version = "1"
    connector_kinds = ("page",)

    def notify(self, event: DaemonEventRecord) -> NotifierNotifyResult | int:
        if event.event_type == "refused":
            return NotifierNotifyResult(accepted=False)
        return len(str(event.data))

    async def flush(self, project_root: str | None) -> NotifierFlushResult | None:
        if project_root is None:
            return None
        return NotifierFlushResult(lifecycle_events=[NotifierLifecycleEvent(event_type=project_root, data=None)])


class Journal(LogStorageBackend):
    """In memory; keeps all entries of a batch or none."""

    name = "journal"
    version = "1"
    filters = SupportsFiltering(by_level=True)
    dedups = True
    retention_ms = 1000

    def __init__(self) -> None:
        self.entries: dict[str, LogEntry] = {}
        self.tails: list[asyncio.Queue[LogEntry]] = []

    async def store(self, entries: Sequence[LogEntry]) -> int | None:
        if any(entry.id == "full" for entry in entries):
            raise Unavailable("the disk is full")
        new = [entry for entry in entries if entry.id not in self.entries]
        self.entries |= {entry.id: entry for entry in new}
        for tail in self.tails:
            for entry in new:
                tail.put_nowait(entry)
        return None if len(new) == len(entries) else len(new)

    def query(self, query: LogQuery) -> LogQueryResult:
        return LogQueryResult(entries=[*self.entries.values()][: query.limit])

    async def tail(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        self.tails.append(queue := asyncio.Queue())
        while True:
            entry = await queue.get()
            if entry.id == "broken":
                raise Unavailable("the file is gone")
            yield entry


async def test_a_count_is_answer_enough_for_a_notifier(tmp_path: Path) -> None:
    async with Harness(Pager, project_root=tmp_path) as host:

        async def notify(**fields: Any) -> Any:
            return await host.request("notifier/notify", {"event": {**EVENT, "data": None, **fields}})

        assert await notify(data="abc") == {"accepted": True, "delivered": 3, "lifecycle_events": []}
        assert await notify(event_type="refused") == {"accepted": False, "delivered": 0, "lifecycle_events": []}
        assert await host.request("notifier/flush") == {"lifecycle_events": []}
        flushed = await host.request("notifier/flush", {"project_root": "/p"})
        assert flushed == {"lifecycle_events": [{"event_type": "/p", "data": None}]}
        assert await host.request("notifier/schema") == {"connector_kinds": ["page"], "supports_flush": True}


async def test_a_notifier_that_collects_nothing_has_nothing_to_flush(tmp_path: Path) -> None:
    class Bell(Pager):
        flush = Notifier.flush

    async with Harness(Bell, project_root=tmp_path) as host:
        assert (await host.request("notifier/schema"))["supports_flush"] is False
        assert "notifier/flush" not in host.capabilities.methods
        with pytest.raises(NotSupported):
            await host.request("notifier/flush")


async def test_entries_are_stored_all_or_none_and_told_to_every_tail(tmp_path: Path) -> None:
    async with Harness(Journal, project_root=tmp_path) as host:

        async def store(*ids: str) -> Any:
            return await host.request("log_storage/store", {"entries": [{**ENTRY, "id": name} for name in ids]})

        assert await host.request("log_storage/tail") == {"tailing": True}
        tail = host.request_id("log_storage/tail")
        assert await store("1", "2") == {"stored": 2}
        assert await store("2", "3") == {"stored": 1}
        with pytest.raises(RpcError, match="the disk is full"):
            await store("4", "full")
        events = [await host.next_notification("log_storage/event") for _ in range(3)]
        assert [(one["id"], one["entry"]["id"]) for one in events] == [(tail, "1"), (tail, "2"), (tail, "3")]
        found = await host.request("log_storage/query", {"limit": 2})
        assert found == {"entries": [{**ENTRY, "id": "1"}, {**ENTRY, "id": "2"}]}
        assert await store("broken") == {"stored": 1}
        assert await host.next_notification("log_storage/event") == {
            "id": tail,
            "error": {"code": -32603, "message": "the file is gone", "data": {"category": "unavailable"}},
        }


async def test_the_schema_of_a_log_storage_is_what_the_class_overrides_and_sets(tmp_path: Path) -> None:
    class Drain(LogStorageBackend):
        name = "drain"
        version = "1"

        def store(self, entries: Sequence[LogEntry]) -> None: ...

    no_filters = dict.fromkeys(("by_level", "by_source", "by_target", "by_glob", "by_time_range"), False)
    async with Harness(Journal, project_root=tmp_path) as host:
        assert await host.request("log_storage/schema") == {
            "supports_query": True,
            "supports_tail": True,
            "supports_dedup": True,
            "supports_filtering": {**no_filters, "by_level": True},
            "retention_hint": 1000,
        }
    async with Harness(Drain, project_root=tmp_path) as host:
        schema = await host.request("log_storage/schema")
        assert (schema["supports_query"], schema["supports_tail"]) == (False, False)
        assert host.capabilities.streaming is False
        assert await host.request("log_storage/store", {"entries": [{**ENTRY, "id": "1"}]}) == {"stored": 1}
        for method in ("query", "tail"):
            with pytest.raises(NotSupported):
                await host.request(f"log_storage/{method}")
