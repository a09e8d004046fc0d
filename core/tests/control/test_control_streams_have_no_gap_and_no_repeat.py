"""Streams of the control socket: without gap or repeat, ended by either side, and at nobody's cost."""

from __future__ import annotations

import asyncio
import json

from animus_core.store.paths import Scope
from control_client import serving

# == streams ==


async def test_a_stream_from_a_cursor_has_no_gap_and_no_repeat_while_others_commit(scope: Scope) -> None:
    async with serving(scope) as served:
        await served.commit(10)

        async def write() -> None:
            for size in (1, 250, 3, 1, 40):
                await served.commit(size)

        async def follow(since: int) -> list[int]:
            client, cursor = await served.client(), str(since)
            while len(client.got) + since < 305:
                await client.ask("daemon/events", json.dumps({"since": cursor}).encode())
                had = len(client.got)
                await client.until(lambda got: len(got) > had)  # noqa: B023 - awaited within the round
                request_id = client.got[-1].params["id"]
                client.peer.notify_raw("$/cancelRequest", json.dumps({"id": request_id}).encode())
                await client.ask("queue/stats")  # behind the cancellation: nothing of that stream comes any more
                cursor = client.got[-1].params["data"]["id"]
            return client.numbers()

        async def stay() -> list[int]:
            client = await served.client()
            await client.ask("daemon/events", b'{"since":"0"}')
            await client.until(lambda got: len(got) >= 305)
            return client.numbers()

        whole, second, rest, _ = await asyncio.gather(stay(), stay(), follow(4), write())
        assert whole == second == list(range(1, 306))
        assert rest == list(range(5, 306))


async def test_without_a_cursor_a_stream_begins_now(scope: Scope) -> None:
    async with serving(scope) as served:
        await served.commit(3)
        client = await served.client()
        assert await client.ask("daemon/events") == {"watching": True}
        await served.commit(2)
        await client.until(lambda got: len(got) == 2)
        assert client.numbers() == [4, 5]
        assert [item.method for item in client.got] == ["daemon/event"] * 2


async def test_workflow_events_are_those_of_the_run_and_the_kinds_that_were_asked_for(scope: Scope) -> None:
    async with serving(scope) as served:
        client, none = await served.client(), await served.client()
        await client.ask("workflow/events", b'{"workflow_id":"run-1","kinds":["tick"]}')
        await none.ask("workflow/events", b'{"kinds":["tock"]}')
        await served.commit(5)
        await client.until(lambda got: len(got) == 3)
        assert client.numbers() == [1, 3, 5]
        assert none.got == []


async def test_nothing_is_told_before_it_is_published(scope: Scope) -> None:
    async with serving(scope) as served:
        client = await served.client()
        await client.ask("daemon/events", b'{"since":"0"}')
        await served.commit(1)
        await client.until(lambda got: len(got) == 1)
        await served.commit(1, publish=False)
        await client.ask("queue/stats")
        assert client.numbers() == [1]
        served.project.commit_signal.publish()
        await client.until(lambda got: len(got) == 2)


async def test_cancelling_a_stream_ends_it_and_the_connection_goes_on(scope: Scope) -> None:
    async with serving(scope) as served:
        client = await served.client()
        await client.ask("daemon/events")
        await served.commit()
        await client.until(lambda got: len(got) == 1)
        request_id = client.got[0].params["id"]
        client.peer.notify_raw("$/cancelRequest", json.dumps({"id": request_id}).encode())
        await client.ask("queue/stats")
        await served.commit()
        await client.ask("queue/stats")
        assert client.numbers() == [1]


def streams() -> int:
    return sum("Streams._stream " in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_closing_the_connection_ends_its_streams(scope: Scope) -> None:
    async with serving(scope) as served:
        client, other = await served.client(), await served.client()
        for one in (client, other):
            await one.ask("daemon/events")
        assert streams() == 2
        await client.peer.aclose()
        await served.commit()
        await other.until(lambda got: len(got) == 1)
        assert streams() == 1


async def test_a_subscriber_that_does_not_read_costs_no_memory_and_holds_nobody_up(scope: Scope) -> None:
    async with serving(scope) as served:
        reader, writer = await asyncio.open_unix_connection(scope.control_socket, limit=4096)
        writer.write(b'{"jsonrpc":"2.0","id":1,"method":"daemon/events","params":{"since":"0"}}\n')
        assert json.loads(await reader.readline())["result"] == {"watching": True}
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a Unix transport can
        for _ in range(8):
            await served.commit(20, size=100_000)
        quick = await served.client()
        await quick.ask("daemon/events", b'{"since":"0"}')
        await quick.until(lambda got: len(got) == 160)
        assert quick.numbers() == list(range(1, 161))
        kept = [peer._pump.kept_bytes for peer in served.listener._peers]
        assert max(kept) < 2 * 1024 * 1024
        writer.transport.abort()
