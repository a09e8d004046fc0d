"""Plugins that send too much, too slowly, or take nothing: the host's memory is bounded and its other work goes on."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

import pytest

from animus_core.errors import PluginFailed
from animus_core.host.broadcast import Lagged, Subscription
from animus_protocol.errors import PeerStuck

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.hostile
COUNT = 100_000


@pytest.mark.parametrize("arguments", [[], ["endless"]], ids=["lines", "one endless line"])
async def test_fifty_megabytes_of_stderr_never_block_the_plugin_and_are_not_kept(
    host: Host, arguments: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "animus")
    flooding = host.plugin("stderr_flood.py", *arguments)
    await flooding.echo(1)
    async with host.neighbour_answers():
        assert await flooding.ask("flood", timeout_s=40) == {}
    tail = (await flooding.supervised.session()).child.stderr_tail
    assert 0 < len(tail) < 500_000
    assert sum(len(record.getMessage()) for record in caplog.records) < 5_000_000, "the log was flooded"


async def test_what_people_print_to_stdout_is_passed_over_counted_and_logged_a_little(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "animus")
    printing = host.plugin("pollution.py")
    for number in range(3):
        await printing.echo(number)
    assert await printing.ask("flood", n=5, timeout_s=30) == {"n": 5}
    await printing.echo(6)
    assert (await printing.supervised.session()).peer.dropped_frames > 10_000
    dropped = [record for record in caplog.records if "dropped input" in record.getMessage()]
    assert 0 < len(dropped) < 100
    assert all("pollution" in record.getMessage() for record in dropped)


@pytest.mark.parametrize("how", ["big", "endless"])
async def test_a_frame_of_64_mib_is_dropped_and_the_next_one_read(host: Host, how: str) -> None:
    host.most_mb = 80  # one frame of 16 MiB may be kept; what comes beyond it is forgotten while it comes
    big = host.plugin("big_frame.py")
    await big.echo(1)
    with big.fails(f"did not answer {how} within 5 s"):
        await big.ask(how, timeout_s=5)
    await big.echo(2)
    assert big.states == ["starting", "ready"]


async def test_a_reply_that_comes_byte_by_byte_is_put_together_and_one_that_is_too_slow_fails(host: Host) -> None:
    slow = host.plugin("slow_drip.py")
    async with host.neighbour_answers():
        assert await slow.ask("drip", n=1, pause_s=0.002, timeout_s=20) == {"n": 1, "pause_s": 0.002}
    with slow.fails("did not answer drip within 0.5 s"):
        await slow.ask("drip", n=2, pause_s=0.02, timeout_s=0.5)
    await slow.echo(3)  # and the late answer is nobody's


async def test_ten_thousand_calls_to_a_plugin_that_never_reads_fail_by_their_deadline_in_bounded_memory(
    host: Host,
) -> None:
    host.most_mb = 120  # 32 MiB of frames may wait, the rest is ten thousand callers
    deaf = host.plugin("deaf.py")
    began = time.monotonic()
    calls = [deaf.ask("echo", text="x" * 4096, n=number, timeout_s=3) for number in range(10_000)]
    async with host.neighbour_answers():
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - began < 25
    assert all(isinstance(outcome, PluginFailed) for outcome in outcomes)
    first_lines = {str(outcome).partition("\n")[0] for outcome in outcomes}
    assert all(text.startswith("plugin deaf1: ") for text in first_lines)
    assert any("did not answer echo within 3 s" in text for text in first_lines)
    assert any("does not read" in text for text in first_lines), "nothing was refused, so everything was kept"


async def test_notifications_to_a_plugin_that_never_reads_are_refused_once_too_much_waits(host: Host) -> None:
    host.most_mb = 80
    deaf = host.plugin("deaf.py")
    session = await deaf.supervised.session()
    params = json.dumps({"text": "x" * 8192}).encode()
    refused = 0
    async with host.neighbour_answers():
        for _ in range(10_000):
            try:
                session.peer.notify_raw("note", params)
            except PeerStuck:
                refused += 1
    assert 0 < refused < 10_000


async def read(subscription: Subscription) -> tuple[list[int], int]:
    """What a subscriber gets until the flood has ended: the numbers of the ticks, and how many it missed."""
    ticks, missed = [], 0
    async for item in subscription:
        if isinstance(item, Lagged):
            missed += item.missed
        else:
            ticks.append(item.params["n"])
        if ticks and ticks[-1] == COUNT - 1:
            break
    return ticks, missed


async def test_of_100_000_notifications_each_subscriber_gets_all_or_is_told_how_many_it_lost(host: Host) -> None:
    flooding = host.plugin("notifies.py")
    session = await flooding.supervised.session()
    with (
        session.subscribe(lossless=True) as whole,
        session.subscribe() as usual,
        session.subscribe(capacity=4) as narrow,
        session.subscribe(capacity=4) as idle,
    ):
        reading = [asyncio.create_task(read(one)) for one in (whole, usual, narrow)]
        sent = asyncio.create_task(flooding.ask("flood", count=COUNT, timeout_s=40))
        async with host.neighbour_answers():
            for number in range(50):
                await flooding.echo(number, timeout_s=10)  # replies come through between them
        assert await sent == {"sent": COUNT}
        for task in reading:
            ticks, missed = await task
            assert len(ticks) + missed == COUNT
            assert ticks == sorted(set(ticks))
        assert reading[0].result() == (list(range(COUNT)), 0)
        ticks, missed = await read(idle)
        assert (ticks, missed) == (list(range(COUNT - 4, COUNT)), COUNT - 4)


async def test_a_subscriber_that_has_left_and_one_that_never_reads_hold_up_nobody(host: Host) -> None:
    flooding = host.plugin("notifies.py")
    session = await flooding.supervised.session()
    gone = session.subscribe(lossless=True)
    with session.subscribe():
        sent = asyncio.create_task(flooding.ask("flood", count=COUNT, timeout_s=40))
        async for _ in gone:
            break
        gone.close()
        assert await sent == {"sent": COUNT}
        await flooding.echo(1)


async def test_100_000_requests_of_a_plugin_that_never_reads_the_refusals_cost_the_host_nothing(host: Host) -> None:
    asking = host.plugin("asks_host.py")
    await asking.echo(1)
    async with host.neighbour_answers(50):
        with asking.fails("did not answer ask within 3 s"):
            await asking.ask("ask", count=COUNT, read=False, timeout_s=3)


async def test_100_000_requests_of_a_plugin_that_reads_are_all_refused(host: Host) -> None:
    asking = host.plugin("asks_host.py")
    async with host.neighbour_answers():
        answer = await asking.ask("ask", count=COUNT, read=True, timeout_s=40)
    assert answer == {"refused": COUNT, "codes": [-32601]}
