"""A subject backend in a real process, with or without a watch of its own, and those who watch its subjects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from animus_core.host.plugin_state import Budget
from animus_core.host.supervisor import Supervision
from animus_core.kinds.fleet import Fleet
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.kinds.subjects.watch import SubjectWatch
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.subject import SubjectChangedEvent, SubjectFilter

MakePlugin = Callable[..., Plugin]
POLL_S = 0.02

BACKEND = """
FOLDER, PAGE, WATCHES = os.getcwd(), 100, True

def note(word):
    with open(os.path.join(FOLDER, "asked"), "a") as file:
        file.write(word + "\\n")

def subjects():
    with open(os.path.join(FOLDER, "store")) as file:
        return json.load(file)

def changed(params):
    send({"jsonrpc": "2.0", "method": "subject/changed", "params": params})

def watched(request):
    reply(request, {"watching": True})

def unwatched(request):
    reply(request, {"ok": True})

def listed(request, params):
    found, start = list(subjects().values()), int(params.get("cursor") or 0)
    following = {"next_cursor": str(start + PAGE)} if start + PAGE < len(found) else {}
    reply(request, {"subjects": found[start:start + PAGE], "fetched_at": "2026-01-01T00:00:00Z", **following})
"""
SERVE = """
for request in receive():
    method, params = request["method"], request["params"]
    if method not in ("tell", "health/check"):
        note(method + " " + str(request["id"]) + " " + json.dumps(params))
    match method.replace("subject/", "task/"):
        case "initialize": reply(request, GREETING)
        case "task/watch": watched(request)
        case "task/unwatch": unwatched(request)
        case "task/list": listed(request, params)
        case "task/get" if params["id"] in subjects(): reply(request, subjects()[params["id"]])
        case "task/get": refuse(request, -32602, "not found")
        case "tell":
            for one in params["events"]: changed(one)
            reply(request, {})
        case "die": os._exit(3)
        case "shutdown":
            reply(request, {})
            break
        case _: refuse(request, -32601)
"""
NO_WATCH = "def watched(request): refuse(request, {code})\n"


class Store:
    """What the backend has; it reads it anew each time it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.subjects: dict[str, dict[str, Any]] = {}
        self._age = 0

    def put(self, subject_id: str, **fields: Any) -> dict[str, Any]:
        """Make or change a subject; what it is now."""
        self._age += 1
        at = f"2026-01-01T00:00:{self._age:02}Z"
        new = {"id": subject_id, "kind": "task", "title": "t", "status": "ready", "created_at": at}
        self.subjects[subject_id] = {**new, **self.subjects.get(subject_id, {}), **fields, "updated_at": at}
        self._write()
        return self.subjects[subject_id]

    def drop(self, *subject_ids: str) -> None:
        for subject_id in subject_ids:
            del self.subjects[subject_id]
        self._write()

    def asked(self, method: str) -> list[list[str]]:
        """The requests of `method`: each its name, its id, and its params."""
        lines = (self.folder / "asked").read_text().splitlines()
        return [line.split(" ", 2) for line in lines if line.startswith(f"{method} ")]

    def _write(self) -> None:
        (self.folder / "new").write_text(json.dumps(self.subjects))
        os.replace(self.folder / "new", self.folder / "store")


class Watcher:
    """One watch under way, and all that it told."""

    def __init__(self, watch: SubjectWatch) -> None:
        self.watch = watch
        self.events: list[SubjectChangedEvent] = []
        self.barrier = asyncio.Event()
        self.barrier.set()
        self._grown = asyncio.Event()
        self.task = asyncio.ensure_future(watch.run(self._take))

    async def _take(self, event: SubjectChangedEvent) -> None:
        self.events.append(event)
        self._grown.set()
        await self.barrier.wait()

    async def opened(self) -> Watcher:
        opened = asyncio.ensure_future(self.watch.opened.wait())
        await asyncio.wait([opened, self.task], return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self.task.done():
            self.task.result()
        return self

    async def until(self, check: Callable[[list[str]], bool]) -> None:
        while not check(self.reported):
            self._grown.clear()
            await self._grown.wait()

    async def tells(self, *expected: str) -> None:
        """Wait for exactly these, and forget them."""
        await self.until(lambda seen: len(seen) >= len(expected))
        assert self.reported == list(expected)
        self.events.clear()

    @property
    def reported(self) -> list[str]:
        return [f"{event.change_kind} {event.id}" for event in self.events]


class Host:
    """A router over one backend, and its watchers."""

    def __init__(self, plugin: Plugin, store: Store) -> None:
        self.store = store
        supervision = Supervision(Budget(first_s=0.01, most_s=0.02))
        self.fleet = Fleet(
            Discovery((plugin,), ()), ProjectBinding(project_root=str(store.folder), repo_scope="scope"), supervision
        )
        self.router = SubjectRouter(self.fleet)
        self.watchers: list[Watcher] = []

    async def watch(self, kind: str = "task", **wanted: Any) -> Watcher:
        watch = SubjectWatch(self.router, kind, SubjectFilter(**wanted), poll_s=POLL_S, turn_s=POLL_S)
        self.watchers.append(Watcher(watch))
        return await self.watchers[-1].opened()

    async def ask(self, method: str, **params: Any) -> Any:
        return await self.fleet.named("plugin").call_raw(method, json.dumps(params).encode(), timeout_s=10)

    async def tell(self, subject: dict[str, Any], change: str, *, request_id: int | str | None = None) -> None:
        """Let the backend tell of a change, by the id of its last watch request."""
        number = int(self.store.asked("task/watch")[-1][1]) if request_id is None else request_id
        await self.ask("tell", events=[{"id": number, "change_kind": change, "subject": subject}])


Hosting = Callable[..., contextlib.AbstractAsyncContextManager[Host]]
