"""Watching subjects: by the backend's own word or by looking, through deaths, restarts, and slow watchers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from animus_core.errors import PluginFailed, UnclaimedKind
from animus_core.host.plugin_state import Budget
from animus_core.host.supervisor import Supervision
from animus_core.kinds.fleet import Fleet
from animus_core.kinds.subjects.router import SubjectRouter
from animus_core.kinds.subjects.watch import SubjectWatch
from animus_core.supply.discovery.discover import Discovery, Plugin
from animus_protocol.errors import RpcError
from animus_protocol.models.lifecycle import ProjectBinding
from animus_protocol.models.subject import SubjectChangedEvent, SubjectFilter, SubjectStatus

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


@pytest.fixture
def hosting(make_plugin: MakePlugin, tmp_path: Path) -> Hosting:
    """A backend that serves tasks from a store with one of them, A; nothing of it may be left at the end."""

    @contextlib.asynccontextmanager
    async def host(code: str = "", *capabilities: str) -> AsyncIterator[Host]:
        before = asyncio.all_tasks()
        store = Store(tmp_path)
        store.put("A")
        served = ["subject_kind:task", "task/list", "task/get", "task/watch", *capabilities]
        made = Host(make_plugin(BACKEND + code + SERVE, capabilities=served), store)
        try:
            yield made
        finally:
            tasks = [watcher.task for watcher in made.watchers]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await made.router.close()
            assert asyncio.all_tasks() == before

    return host


async def test_a_backend_that_watches_is_asked_to_and_believed(hosting: Hosting) -> None:
    async with hosting() as host:
        watcher = await host.watch()
        await host.tell(host.store.put("B"), "created")
        await host.tell(host.store.put("A", status="done"), "status-changed")
        await host.tell(host.store.put("A"), "attachment-added")
        await host.tell(host.store.subjects["A"], "deleted")
        await watcher.tells("created B", "status-changed A", "attachment-added A", "deleted A")
        assert json.loads(host.store.asked("task/watch")[0][2]) == {"kind": ["task"]}
        assert len(host.store.asked("task/list")) == 1


async def test_what_comes_before_the_reply_counts_and_is_told_once(hosting: Hosting) -> None:
    early = """
def watched(request):
    changed({"id": request["id"], "change_kind": "updated", "subject": {**subjects()["A"], "title": "early"}})
    reply(request, {"watching": True})
"""

    async with hosting(early) as host:
        watcher = await host.watch()
        await watcher.tells("updated A")


async def test_other_kinds_other_watches_and_other_statuses_are_left_out(hosting: Hosting) -> None:
    async with hosting() as host:
        watcher = await host.watch(status=[SubjectStatus.READY])
        await host.tell(host.store.put("B", kind="bug"), "created")
        await host.tell(host.store.put("C", status="done"), "created")
        await host.tell(host.store.put("D"), "created", request_id=987)
        await host.tell(host.store.put("E"), "created", request_id="E")  # some put the subject's id there
        await host.tell(host.store.put("A", status="blocked"), "status-changed")  # it leaves: told once more
        await host.tell(host.store.put("A", title="x"), "updated")
        await host.tell(host.store.put("F"), "created")
        await watcher.tells("created E", "status-changed A", "created F")


async def test_what_cannot_be_read_is_looked_up(hosting: Hosting) -> None:
    async with hosting() as host:
        watcher = await host.watch()
        host.store.put("A", labels=["new"])
        await host.ask("tell", events=[{"id": 1, "change_kind": "improved"}])
        await watcher.tells("updated A")


@pytest.mark.parametrize(
    "code",
    [
        NO_WATCH.format(code=-32001),
        NO_WATCH.format(code=-32601),
        'def watched(request): reply(request, {"watching": False})',
    ],
    ids=["not supported", "unknown", "watching is false"],
)
async def test_without_a_watch_of_its_own_the_subjects_are_compared(code: str, hosting: Hosting) -> None:
    async with hosting("PAGE = 2\n" + code) as host:
        for subject_id in ("B", "C", "D"):
            host.store.put(subject_id)
        watcher = await host.watch()
        host.store.put("E")
        await watcher.tells("created E")
        host.store.put("A", status="done")
        await watcher.tells("status-changed A")
        host.store.put("A", description="more")
        await watcher.tells("updated A")
        host.store.put("X", kind="bug")
        host.store.drop("A", "B")
        await watcher.until(lambda seen: len(seen) == 2)
        assert sorted(watcher.reported) == ["deleted A", "deleted B"]
        assert next(one for one in watcher.events if one.id == "A").subject.description == "more"
        watched = [one[0] for one in host.store.asked("task/watch") + host.store.asked("subject/watch")]
        assert watched in (["task/watch"], ["task/watch", "subject/watch"])


async def test_leaving_the_filter_is_no_deletion(hosting: Hosting) -> None:
    only_ready = """
def listed(request, params):
    found = [one for one in subjects().values() if one["status"] in params["status"]]
    reply(request, {"subjects": found, "fetched_at": "2026-01-01T00:00:00Z"})
"""

    async with hosting(NO_WATCH.format(code=-32001) + only_ready) as host:
        host.store.put("B")
        watcher = await host.watch(status=[SubjectStatus.READY])
        host.store.put("A", status="in-progress")
        await watcher.tells("status-changed A")
        host.store.drop("B")
        await watcher.tells("deleted B")
        host.store.put("A", status="ready")
        await watcher.tells("created A")  # among those that pass, it is new


@pytest.mark.parametrize("code", ["", NO_WATCH.format(code=-32001)], ids=["its own watch", "by looking"])
async def test_what_changes_while_the_backend_is_dead_is_told_when_it_is_back(code: str, hosting: Hosting) -> None:
    last_words = 'if os.path.exists("broken"): sys.exit(1)\n'

    async with hosting(last_words + code) as host:
        for subject_id in ("B", "C"):
            host.store.put(subject_id)
        watcher = await host.watch()
        (host.store.folder / "broken").touch()
        with pytest.raises(PluginFailed, match="exit code 3"):
            await host.ask("die")
        host.store.put("A", status="done")
        host.store.put("D")
        host.store.drop("B")
        (host.store.folder / "broken").unlink()
        await watcher.until(lambda seen: len(seen) == 3)
        await watcher.tells(*sorted(watcher.reported, key=["status-changed A", "created D", "deleted B"].index))
        changed = host.store.put("C", title="after")
        if not code:
            await host.tell(changed, "updated")
        await watcher.tells("updated C")


async def test_each_of_two_watchers_is_told_once_and_ending_one_leaves_the_other(hosting: Hosting) -> None:
    async with hosting() as host:
        first, second = await host.watch(), await host.watch(status=[SubjectStatus.READY])
        one, two = (int(asked[1]) for asked in host.store.asked("task/watch"))
        for request_id in (one, two):
            await host.tell(host.store.subjects["A"] | {"title": "x"}, "updated", request_id=request_id)
        await first.tells("updated A")
        await second.tells("updated A")
        changed = host.store.put("B")
        for _ in range(2):  # a backend that gives the subject's id tells each watch of each change
            await host.tell(changed, "created", request_id="B")
        await host.tell(host.store.put("C"), "created", request_id="C")
        await first.tells("created B", "created C")
        await second.tells("created B", "created C")
        first.task.cancel()
        await asyncio.wait([first.task])
        assert [json.loads(asked[2]) for asked in host.store.asked("subject/unwatch")] == [{"watch_id": str(one)}]
        await host.tell(host.store.put("A"), "updated", request_id=two)
        await second.tells("updated A")
        assert first.reported == []


async def test_a_watch_that_is_given_up_while_it_opens_is_ended_as_well(hosting: Hosting) -> None:
    async with hosting("def watched(request): pass\n") as host:
        opening = asyncio.ensure_future(host.watch())
        await host.ask("tell", events=[])
        while not host.store.asked("task/watch"):
            await host.ask("tell", events=[])
        host.watchers[0].task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        watch_id = host.store.asked("task/watch")[0][1]
        assert [json.loads(asked[2]) for asked in host.store.asked("subject/unwatch")] == [{"watch_id": watch_id}]


async def test_a_backend_that_does_not_know_unwatch_is_told_by_a_cancellation(hosting: Hosting) -> None:
    code = """
def unwatched(request): refuse(request, -32601)

def receive():
    for line in sys.stdin:
        request = json.loads(line)
        if request["method"] == "$/cancelRequest": note("cancelled " + str(request["params"]["id"]) + " ")
        elif "id" in request: yield request
"""

    async with hosting(code) as host:
        watcher = await host.watch()
        watcher.task.cancel()
        await asyncio.wait([watcher.task])
        await host.ask("tell", events=[])
        assert [asked[1] for asked in host.store.asked("cancelled")] == [host.store.asked("task/watch")[0][1]]


async def test_a_slow_watcher_holds_nobody_up_and_is_told_what_it_came_to(hosting: Hosting) -> None:
    async with hosting() as host:
        slow = await host.watch()
        slow.barrier.clear()
        await host.tell(host.store.put("A", title="first"), "updated")
        await slow.until(lambda seen: len(seen) == 1)
        number = host.store.asked("task/watch")[0][1]
        frames = [
            {"id": int(number), "change_kind": "updated", "subject": {**host.store.subjects["A"], "title": str(n)}}
            for n in range(1000)
        ]
        await host.ask("tell", events=frames)  # answered, though nobody takes what comes before the answer
        host.store.put("A", title="999")
        host.store.put("B")
        slow.barrier.set()
        await slow.until(lambda seen: "created B" in seen)
        await host.tell(host.store.put("C"), "created")
        await slow.until(lambda seen: seen[-1] == "created C")
        assert [event.subject.title for event in slow.events if event.id == "A"][-1] == "999"
        assert len(slow.events) < 500


async def test_an_operators_restart_is_survived_and_what_was_ended_is_not_started_again(
    hosting: Hosting, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting() as host:
        watcher = await host.watch()
        supervised = host.fleet.named("plugin")
        host.store.put("A", status="done")
        await supervised.restart()
        await watcher.tells("status-changed A")
        await host.fleet.close()
        host.store.put("A", status="ready")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10 * POLL_S):
                await watcher.tells("status-changed A")
        assert (len(host.store.asked("initialize")), supervised.status().pid) == (2, None)
        host.router.reload()  # what was found again since
        await watcher.tells("status-changed A")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_backend_that_says_its_kinds_in_its_handshake_and_claims_many_of_them_is_watched(
    hosting: Hosting, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    greeting = 'GREETING["capabilities"] = {"subject_kinds": ["bug.*"], "methods": ["subject/list", "subject/watch"]}\n'
    plugin = make_plugin(BACKEND + greeting + SERVE)

    store = Store(tmp_path)
    store.put("A", kind="bug.ui")
    host = Host(plugin, store)
    await host.router.learn()
    watcher = await host.watch("bug.*")
    number = int(store.asked("subject/watch")[0][1])
    await host.tell(store.put("B"), "created", request_id=number)
    await host.tell(store.put("C", kind="bug.db"), "created", request_id=number)
    await watcher.tells("created C")
    watcher.task.cancel()
    await asyncio.wait([watcher.task])
    await host.router.close()


@pytest.mark.parametrize(
    ("code", "kind", "error", "said"),
    [
        ("", "bug", UnclaimedKind, "no plugin serves subjects of kind 'bug'"),
        ("sys.exit(7)", "task", PluginFailed, "exit code 7"),
        ("def listed(request, params): refuse(request, -32603, 'offline')", "task", RpcError, "offline"),
        (
            "def listed(request, params):\n"
            "    reply(request, {'subjects': [], 'fetched_at': '2026-01-01T00:00:00Z', 'next_cursor': 'again'})",
            "task",
            PluginFailed,
            "its pages of task subjects have no end: next_cursor 'again'",
        ),
    ],
    ids=["no such kind", "does not start", "refuses to list", "endless pages"],
)
async def test_a_watch_that_cannot_begin_says_why(
    code: str, kind: str, error: type[Exception], said: str, hosting: Hosting
) -> None:
    async with hosting(f"{code}\n") as host:
        with pytest.raises(error, match=said):
            await host.watch(kind)


async def test_a_backend_that_fails_for_a_while_is_asked_again(
    hosting: Hosting, caplog: pytest.LogCaptureFixture
) -> None:
    at_times = """
usual = listed
def listed(request, params):
    if os.path.exists("offline"): refuse(request, -32603, "the tracker is offline")
    else: usual(request, params)
"""

    async with hosting(NO_WATCH.format(code=-32001) + at_times) as host:
        watcher = await host.watch()
        (host.store.folder / "offline").touch()
        polls = len(host.store.asked("task/list"))
        while len(host.store.asked("task/list")) < polls + 4:
            await asyncio.wait([watcher.task], timeout=POLL_S)
        host.store.put("B")
        (host.store.folder / "offline").unlink()
        await watcher.tells("created B")
    assert sum("the tracker is offline" in record.getMessage() for record in caplog.records) == 1
