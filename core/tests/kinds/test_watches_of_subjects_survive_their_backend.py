"""Watching subjects goes on through deaths, restarts and failures, and ends where its watcher ends it."""

from __future__ import annotations

import asyncio
import json

import pytest

from animus_core.errors import PluginFailed
from watched_backend import NO_WATCH, POLL_S, Hosting


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
