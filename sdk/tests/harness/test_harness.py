"""The host in memory: what it sees, what it hands out, and what it does not let pass."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from animus_protocol.errors import CallTimeout, MethodNotFound, RpcError
from animus_protocol.models.base import Empty
from animus_protocol.models.lifecycle import HEALTH_CHECK, HealthStatus, ProjectBinding
from animus_sdk import InvalidParams, Plugin, method
from animus_sdk.testing import BlockingHarness, Frame, Harness, LeftBehind


class Parrot(Plugin):
    name = "parrot"
    version = "1"

    async def start(self, project: ProjectBinding) -> None:
        if os.environ.get("PARROT_MOOD") == "bad":
            raise InvalidParams("PARROT_MOOD is bad: expected good")

    @method("say")
    async def say(self, words: list[str]) -> int:
        for word in words:
            await self.ctx.progress(word)
        return len(words)

    @method("plain")
    def plain(self) -> str:
        return "done"

    @method("watch")
    async def watch(self) -> None:
        self.watching = asyncio.create_task(asyncio.Event().wait())

    async def stop(self) -> None:
        if hasattr(self, "watching"):
            self.watching.cancel()

    @method("hang")
    async def hang(self) -> None:
        await asyncio.Event().wait()


class Littering(Plugin):
    """Does not clean up behind itself."""

    name = "littering"
    version = "1"
    tasks: ClassVar[list[asyncio.Task[Any]]] = []

    @method("task")
    async def task(self) -> None:
        self.tasks.append(asyncio.create_task(asyncio.Event().wait()))

    @method("thread")
    def thread(self, seconds: float) -> None:
        self.barrier = threading.Event()
        self.barrier.wait(seconds)


async def test_a_host_asks_and_hears_over_the_real_wire(tmp_path: Path) -> None:
    async with Harness(Parrot, project_root=tmp_path) as host:
        assert isinstance(host.plugin, Parrot)
        assert host.plugin.project_root == tmp_path
        assert host.manifest.name == "parrot"
        assert host.capabilities.methods == ["hang", "plain", "say", "watch"]
        assert (await host.call(HEALTH_CHECK, Empty())).status is HealthStatus.HEALTHY
        assert await host.request("say", {"words": ["a", "b", "c"]}) == 3
        assert (await host.next_notification("$/progress"))["value"] == "a"
        assert [one["value"] for one in await host.notifications("$/progress")] == ["b", "c"]
        with pytest.raises(MethodNotFound):
            await host.request("sing")
        with pytest.raises(CallTimeout):
            await host.request("hang", timeout_s=0.05)
        with pytest.raises(TimeoutError, match=r"no \$/progress within 0.05 s"):
            await host.next_notification("$/progress", timeout_s=0.05)
        await host.notify("unknown/notification")
        assert await host.request("$/ping") == {}
        with pytest.raises(LookupError):
            host.request_id("never/asked")


async def test_every_frame_is_kept_both_ways_in_its_order(tmp_path: Path) -> None:
    async with Harness(Parrot, project_root=tmp_path) as host:
        assert await host.request("say", {"words": ["a"]}) == 1
        number = host.request_id("say")
        kept = [(frame.direction, frame.message.get("method") or frame.message["id"]) for frame in host.frames]
    assert kept == [
        (">", "initialize"),
        ("<", 1),
        (">", "initialized"),
        (">", "say"),
        ("<", "$/progress"),
        ("<", number),
    ]
    assert [frame.message.get("method") for frame in host.frames[6:]] == ["shutdown", None, "exit"]
    assert host.frames[3] == Frame(">", host.frames[3].text, host.frames[3].at_s)
    times = [frame.at_s for frame in host.frames]
    assert times == sorted(times)
    lines = host.transcript().splitlines()
    assert len(lines) == 9
    assert ' > {"jsonrpc":"2.0","id":2,"method":"say","params":{"words":["a"]}}' in lines[3]
    assert host.transcript(last=2).splitlines()[0] == "… 7 frames before"


async def test_a_failure_inside_carries_the_wire_as_a_note(tmp_path: Path) -> None:
    with pytest.raises(RpcError) as failed:
        async with Harness(Parrot, project_root=tmp_path) as host:
            await host.request("sing")
    assert '"method":"sing"' in "".join(failed.value.__notes__)


async def test_mistakes_in_the_class_and_a_refused_start_are_raised_on_entering(tmp_path: Path) -> None:
    class Nameless(Plugin):
        version = "1"

    with pytest.raises(ValueError, match="Nameless has no name"):
        async with Harness(Nameless, project_root=tmp_path):
            raise AssertionError("never begun")
    with pytest.raises(RpcError, match="PARROT_MOOD is bad: expected good"):
        async with Harness(Parrot, project_root=tmp_path, env={"PARROT_MOOD": "bad"}):
            raise AssertionError("never begun")
    assert "PARROT_MOOD" not in os.environ


async def test_the_environment_is_set_meanwhile_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARROT_MOOD", "quiet")
    async with Harness(Parrot, project_root=tmp_path, env={"PARROT_MOOD": "good", "PARROT_AGE": "7"}):
        assert (os.environ["PARROT_MOOD"], os.environ["PARROT_AGE"]) == ("good", "7")
    assert os.environ["PARROT_MOOD"] == "quiet"
    assert "PARROT_AGE" not in os.environ


async def test_a_task_that_the_plugin_leaves_behind_fails_the_test(tmp_path: Path) -> None:
    with pytest.raises(LeftBehind, match=r"the plugin leaves 1 running:\n<Task pending"):
        async with Harness(Littering, project_root=tmp_path) as host:
            await host.request("task")


async def test_a_thread_that_the_plugin_leaves_behind_fails_the_test(tmp_path: Path) -> None:
    littering = Littering()
    host = await Harness(littering, project_root=tmp_path).__aenter__()
    with pytest.raises(CallTimeout):
        await host.request("thread", {"seconds": 20}, timeout_s=0.05)
    with pytest.raises(LeftBehind, match=r"the plugin leaves 1 running:\n<Thread\(handler_0"):
        await host.__aexit__(None, None, None)
    littering.barrier.set()


async def test_a_session_that_the_test_has_ended_itself_stays_ended(tmp_path: Path) -> None:
    async with Harness(Parrot, project_root=tmp_path) as host:
        assert await host.request("shutdown") == {}
        with pytest.raises(RpcError, match="say after shutdown"):
            await host.request("say", {"words": []})


async def test_two_harnesses_live_side_by_side(tmp_path: Path) -> None:
    async with Harness(Parrot, project_root=tmp_path) as one, Harness(Parrot, project_root=tmp_path) as other:
        assert await asyncio.gather(one.request("say", {"words": ["a"]}), other.request("say", {"words": []})) == [1, 0]
        assert len(await one.notifications("$/progress")) == 1
        assert await other.notifications("$/progress") == []


async def test_a_harness_is_not_blamed_for_what_runs_in_the_one_beside_it(tmp_path: Path) -> None:
    async with Harness(Parrot, project_root=tmp_path) as one, Harness(Parrot, project_root=tmp_path):
        assert await one.request("watch") is None
        assert await one.request("plain") == "done"


async def test_what_one_of_two_harnesses_leaves_behind_is_found_when_both_have_left(tmp_path: Path) -> None:
    with pytest.raises(LeftBehind, match="the plugin leaves 1 running"):
        async with Harness(Parrot, project_root=tmp_path), Harness(Littering, project_root=tmp_path) as other:
            await other.request("task")


async def test_a_plugin_that_does_not_stop_ends_the_test_all_the_same(tmp_path: Path) -> None:
    cancelled: list[bool] = []

    class Endless(Plugin):
        name = "endless"
        version = "1"

        async def stop(self) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

    with pytest.raises(TimeoutError):
        async with Harness(Endless, project_root=tmp_path, stop_timeout_s=0.05) as host:
            await host.request("shutdown", timeout_s=0.05)
    assert cancelled == [True]


def test_blocking_harnesses_with_threads_of_their_own_live_side_by_side(tmp_path: Path) -> None:
    with BlockingHarness(Parrot, project_root=tmp_path) as one, BlockingHarness(Parrot, project_root=tmp_path) as other:
        assert (one.request("plain"), other.request("plain")) == ("done", "done")


def test_a_request_is_found_while_frames_come_in(tmp_path: Path) -> None:
    with BlockingHarness(Parrot, project_root=tmp_path) as host, ThreadPoolExecutor(1) as pool:
        saying = pool.submit(host.request, "say", {"words": ["a"] * 5000})
        while not saying.done():
            with pytest.raises(LookupError):
                host.request_id("never/asked")
        assert saying.result() == 5000


def test_the_blocking_harness_is_the_same_without_await(tmp_path: Path) -> None:
    with BlockingHarness(Parrot, project_root=tmp_path, env={"PARROT_AGE": "7"}) as host:
        assert os.environ["PARROT_AGE"] == "7"
        assert (host.manifest.name, host.capabilities.methods) == ("parrot", ["hang", "plain", "say", "watch"])
        assert isinstance(host.plugin, Parrot)
        assert host.call(HEALTH_CHECK, Empty()).status is HealthStatus.HEALTHY
        assert host.request("say", {"words": ["a", "b"]}) == 2
        assert host.next_notification("$/progress") == {"id": host.request_id("say"), "value": "a"}
        assert len(host.notifications("$/progress")) == 1
        host.notify("unknown/notification")
        with pytest.raises(CallTimeout):
            host.request("hang", timeout_s=0.05)
    assert [frame.message["method"] for frame in host.frames if frame.direction == ">"][-2:] == ["shutdown", "exit"]
    assert '"method":"shutdown"' in host.transcript()
    assert "PARROT_AGE" not in os.environ


def test_the_blocking_harness_lets_nothing_pass_either(tmp_path: Path) -> None:
    with (
        pytest.raises(LeftBehind, match="the plugin leaves 1 running"),
        BlockingHarness(Littering, project_root=tmp_path) as host,
    ):
        host.request("task")
    with (
        pytest.raises(RpcError, match="PARROT_MOOD is bad"),
        BlockingHarness(Parrot, project_root=tmp_path, env={"PARROT_MOOD": "bad"}),
    ):
        raise AssertionError("never begun")
