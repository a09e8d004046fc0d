"""Plain functions run on threads: how many at a time, in which order, and what a cancellation does to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from animus_protocol.errors import Cancelled
from animus_sdk import Plugin, inline, method
from animus_sdk.testing import Harness

DEADLINE_S = 10.0


class Desk(Plugin):
    """Counts who is inside, and lets nobody out before `barrier` is set."""

    name = "desk"
    version = "1"

    def __init__(self) -> None:
        self.begun, self.barrier, self.gave_up = threading.Event(), threading.Event(), threading.Event()
        self.inside = self.most = 0
        self.order: list[int] = []

    @method("desk/sit")
    def sit(self, number: int) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(number)
        self.begun.set()
        assert self.barrier.wait(DEADLINE_S)
        self.inside -= 1
        return number

    @method("desk/work")
    def work(self) -> None:
        self.begun.set()
        assert self.barrier.wait(DEADLINE_S)
        if self.ctx.cancelled:
            with pytest.raises(asyncio.CancelledError):
                self.ctx.wait(self.ctx.progress("nobody waits for it"))
            self.gave_up.set()

    @method("desk/steps")
    def steps(self) -> str:
        for step in (0.5, None):
            self.ctx.wait(self.ctx.progress(step))
        return threading.current_thread().name

    @method("desk/on_the_loop")
    @inline
    def on_the_loop(self) -> str:
        with pytest.raises(RuntimeError, match="await the coroutine here"):
            self.ctx.wait(self.ctx.progress(1))
        return threading.current_thread().name


class FourDesks(Desk):
    threads = 4

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(4, timeout=DEADLINE_S)

    @method("desk/meet")
    def meet(self) -> None:
        self.meeting.wait()


async def seen(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, DEADLINE_S)


async def test_no_two_plain_functions_meet_and_pings_are_answered_meanwhile(tmp_path: Path) -> None:
    desk = Desk()
    async with Harness(desk, project_root=tmp_path) as host:
        sitting = [asyncio.create_task(host.request("desk/sit", {"number": number})) for number in range(20)]
        await seen(desk.begun)
        assert await host.request("$/ping") == {}
        assert (await host.request("health/check"))["status"] == "healthy"
        assert desk.order == [0]
        desk.barrier.set()
        assert await asyncio.gather(*sitting) == list(range(20))
    assert desk.most == 1
    assert desk.order == list(range(20))


async def test_four_threads_let_four_functions_meet(tmp_path: Path) -> None:
    async with Harness(FourDesks, project_root=tmp_path) as host:
        await asyncio.gather(*(host.request("desk/meet") for _ in range(8)))


async def test_a_cancelled_request_is_answered_while_its_function_runs_and_the_function_sees_it(tmp_path: Path) -> None:
    desk = Desk()
    async with Harness(desk, project_root=tmp_path) as host:
        running = asyncio.create_task(host.request("desk/work"))
        await seen(desk.begun)
        await host.notify("$/cancelRequest", {"id": host.request_id("desk/work")})
        with pytest.raises(Cancelled):
            await running
        desk.barrier.set()
        await seen(desk.gave_up)
        assert await host.notifications("$/progress") == []


async def test_a_function_that_is_cancelled_before_its_turn_never_runs(tmp_path: Path) -> None:
    desk = Desk()
    async with Harness(desk, project_root=tmp_path) as host:
        first = asyncio.create_task(host.request("desk/sit", {"number": 1}))
        await seen(desk.begun)
        second = asyncio.create_task(host.request("desk/sit", {"number": 2}))
        assert await host.request("$/ping") == {}
        await host.notify("$/cancelRequest", {"id": host.request_id("desk/sit")})
        with pytest.raises(Cancelled):
            await second
        desk.barrier.set()
        assert await first == 1
        assert await host.request("desk/sit", {"number": 3}) == 3
    assert desk.order == [1, 3]


async def test_a_thread_tells_its_progress_before_its_answer(tmp_path: Path) -> None:
    async with Harness(Desk, project_root=tmp_path) as host:
        assert (await host.request("desk/steps")).startswith("handler")
        progress_seen = await host.notifications("$/progress")
        assert [one["value"] for one in progress_seen] == [0.5, None]
        assert {one["id"] for one in progress_seen} == {host.request_id("desk/steps")}


async def test_an_inline_function_runs_on_the_loop_and_may_not_wait_there(tmp_path: Path) -> None:
    async with Harness(Desk, project_root=tmp_path) as host:
        assert await host.request("desk/on_the_loop") == threading.current_thread().name


async def test_what_a_plain_generator_yields_is_drawn_on_a_thread_and_is_the_answer_as_a_list(tmp_path: Path) -> None:
    class Drawing(Plugin):
        name = "drawing"
        version = "1"

        @method("draw")
        def draw(self) -> Iterator[str]:
            yield threading.current_thread().name[:7]
            yield "done"

    async with Harness(Drawing, project_root=tmp_path) as host:
        assert await host.request("draw") == ["handler", "done"]
