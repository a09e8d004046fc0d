"""Watching subjects: by the backend's own word or by comparing, each change once and only those asked for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from animus_core.errors import PluginFailed, UnclaimedKind
from animus_protocol.errors import RpcError
from animus_protocol.models.subject import SubjectStatus
from watched_backend import BACKEND, NO_WATCH, SERVE, Host, Hosting, MakePlugin, Store


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
