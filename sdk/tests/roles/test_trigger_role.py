"""A trigger as a host meets it: configuration, the one watch, acknowledgements in order, streams that fail."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from animus_protocol.errors import CallTimeout, NotSupported, RpcError
from animus_sdk import InvalidParams, NotFound, Trigger, TriggerBackend, TriggerEvent
from animus_sdk.testing import Harness


class MailConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    folder: str
    every_s: float = 5.0


class Mail(TriggerBackend[MailConfig]):
    """Tells what the test puts into `events`: an event's id, or an error to raise."""

    name = "mail"
    version = "1"
    trigger_kinds = ("mail",)
    supports_resume = True

    def __init__(self) -> None:
        self.events: asyncio.Queue[str | Exception] = asyncio.Queue()
        self.watched: Sequence[Trigger[MailConfig]] = ()
        self.cursor: Any = None
        self.watches = 0
        self.acked: list[tuple[str, str | None]] = []
        self.barrier = asyncio.Event()
        self.barrier.set()

    async def watch(self, triggers: Sequence[Trigger[MailConfig]], cursor: Any) -> AsyncIterator[TriggerEvent]:
        self.watched, self.cursor = triggers, cursor
        if cursor == "unknown":
            raise InvalidParams("cursor: unknown")
        self.watches += 1
        try:
            while True:
                event = await self.events.get()
                if isinstance(event, Exception):
                    raise event
                yield TriggerEvent(event_id=event, trigger_id=self.ctx.request_id and "inbox", payload={"n": 1})
        finally:
            await asyncio.sleep(0)
            self.watches -= 1

    async def ack(self, event_id: str, status: str | None) -> None:
        if event_id == "odd":
            raise asyncio.CancelledError
        if event_id == "unknown":
            raise NotFound(f"event {event_id}")
        await self.barrier.wait()
        self.acked.append((event_id, status))


def config(*triggers: Any) -> dict[str, Any]:
    return {"config": {"triggers": list(triggers)}}


async def test_triggers_come_with_their_typed_configuration(tmp_path: Path) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        inbox = {"id": "inbox", "workflow_ref": "answer", "config": {"folder": "in"}}
        assert await host.request("trigger/watch", {**config(inbox), "cursor": 7}) == {"watching": True}
        assert (mail.watched, mail.cursor) == ([Trigger("inbox", "answer", MailConfig(folder="in"))], 7)
        mail.events.put_nowait("e1")
        event = await host.next_notification("trigger/event")
        assert event == {"event_id": "e1", "trigger_id": "inbox", "payload": {"n": 1}}
        assert await host.request("trigger/schema") == {
            "kinds": ["mail"],
            "supports_resume": True,
            "supports_dedup": False,
            "supports_ack": True,
        }


class Quoted(Mail, TriggerBackend["MailConfig"]):
    """Names the type of its configuration as a name of this module."""


class Whole(Mail, TriggerBackend["animus_sdk.http.HttpConfig"]):
    """Names it by its whole path, which nothing here has imported."""


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [(Quoted, {"folder": "in"}, "folder='in' every_s=5.0"), (Whole, {"token_env": "T"}, "token_env='T'")],
)
async def test_a_configuration_in_quotes_is_looked_up_when_the_first_one_comes(
    kind: type[Mail], given: dict[str, str], read: str, tmp_path: Path
) -> None:
    mail = kind()
    async with Harness(mail, project_root=tmp_path) as host:
        await host.request("trigger/watch", config({"id": "inbox", "config": given}))
        assert read in str(mail.watched[0].config)


@pytest.mark.parametrize("absent", [{}, {"config": None}, {"config": {}}, {"config": {"triggers": None}}])
async def test_a_project_without_triggers_may_be_watched(tmp_path: Path, absent: Any) -> None:
    async with Harness(Mail, project_root=tmp_path) as host:
        assert await host.request("trigger/watch", absent) == {"watching": True}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (config({"id": "in", "config": {"every_s": 1}}), "config.triggers[0] (in): folder: Field required"),
        (config({"id": "in", "config": {"folder": "f", "evry": 1}}), "config.triggers[0] (in): evry: Extra inputs"),
        (config({"id": "a", "config": {"folder": "f"}}, {"id": "b"}), "config.triggers[1] (b): folder: Field required"),
        (config({"config": {}}), "config.triggers[0].id: expected a text"),
        (config("in"), "config.triggers[0].id: expected a text"),
        ({"config": []}, "config: expected {"),
        ({"config": {"triggers": {}}}, "config: expected {"),
    ],
)
async def test_mistakes_in_the_configuration_are_refused_with_their_place(
    tmp_path: Path, params: Any, said: str
) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        with pytest.raises(InvalidParams) as refused:
            await host.request("trigger/watch", params)
        assert refused.value.message.startswith(said)
        assert refused.value.category == "invalid_request"
        assert mail.watches == 0


async def test_an_error_before_the_first_wait_is_the_error_of_the_watch(tmp_path: Path) -> None:
    async with Harness(Mail, project_root=tmp_path) as host:
        with pytest.raises(InvalidParams, match="cursor: unknown"):
            await host.request("trigger/watch", {"cursor": "unknown"})
        assert await host.request("trigger/watch") == {"watching": True}


async def test_only_one_of_two_watches_at_once_is_opened(tmp_path: Path) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        both = [asyncio.create_task(host.request("trigger/watch")) for _ in range(2)]
        first, second = await asyncio.gather(*both, return_exceptions=True)
        assert first == {"watching": True}
        assert isinstance(second, RpcError)
        assert (second.code, second.category) == (-32600, "conflict")
        assert mail.watches == 1


async def test_a_cancelled_watch_makes_room_for_the_next_one_in_the_same_breath(tmp_path: Path) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        for _ in range(5):
            assert await host.request("trigger/watch") == {"watching": True}
            assert mail.watches == 1
            await host.notify("$/cancelRequest", {"id": host.request_id("trigger/watch")})


@pytest.mark.parametrize(
    ("error", "error_sent"),
    [
        (NotFound("folder in"), {"code": -32602, "message": "not found: folder in", "data": {"category": "not_found"}}),
        (RuntimeError("secret"), {"code": -32603, "message": "internal error"}),
    ],
)
async def test_a_stream_that_fails_says_so_and_may_be_opened_again(
    tmp_path: Path, error: Exception, error_sent: Any
) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        await host.request("trigger/watch")
        for event in ("e1", error):
            mail.events.put_nowait(event)
        assert (await host.next_notification("trigger/event"))["event_id"] == "e1"
        assert await host.next_notification("trigger/event") == {"error": error_sent}
        assert await host.request("trigger/watch") == {"watching": True}


async def test_acks_are_taken_as_requests_and_as_notifications(tmp_path: Path) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        answer = await host.request("trigger/ack", {"event_id": "e1", "status": "started"})
        assert answer == {"event_id": "e1", "acked": True}
        with pytest.raises(RpcError, match="event unknown"):
            await host.request("trigger/ack", {"event_id": "unknown"})
        for event in ("unknown", "odd", "e2"):  # nobody is told of the first two, and they cost nothing
            await host.notify("trigger/ack", {"event_id": event})
        await host.notify("trigger/ack", {"no": "event"})
        await host.notify("trigger/ack", {"event_id": "e3", "status": "done"})
    assert mail.acked == [("e1", "started"), ("e2", None), ("e3", "done")]


async def test_acks_keep_their_order_and_a_flood_of_them_makes_the_host_wait(tmp_path: Path) -> None:
    mail = Mail()
    big = "x" * 20_000
    async with Harness(mail, project_root=tmp_path) as host:
        mail.barrier.clear()
        for number in range(200):
            await host.notify("trigger/ack", {"event_id": str(number), "status": big})
        assert await host.request("$/ping") == {}
        for number in range(200, 600):
            await host.notify("trigger/ack", {"event_id": str(number), "status": big})
        with pytest.raises(CallTimeout):
            await host.request("$/ping", timeout_s=0.3)
        mail.barrier.set()
        assert await host.request("$/ping") == {}
    assert [event_id for event_id, _ in mail.acked] == [str(number) for number in range(600)]


async def test_acks_that_came_before_the_shutdown_are_heard(tmp_path: Path) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        mail.barrier.clear()
        for number in range(10):
            await host.notify("trigger/ack", {"event_id": str(number)})
        asyncio.get_running_loop().call_later(0.05, mail.barrier.set)
        assert await host.request("shutdown") == {}
        assert len(mail.acked) == 10


async def test_a_hearer_that_hangs_does_not_keep_the_plugin_from_hearing_exit(tmp_path: Path) -> None:
    mail = Mail()
    async with Harness(mail, project_root=tmp_path) as host:
        mail.barrier.clear()
        for number in range(400):
            await host.notify("trigger/ack", {"event_id": str(number)})
        assert await host.request("shutdown") == {}
        assert await host.request("$/ping") == {}
    assert mail.acked == []


async def test_a_plain_generator_may_watch_on_a_thread_of_its_own(tmp_path: Path) -> None:
    class Clock(TriggerBackend[Any]):
        name = "clock"
        version = "1"
        trigger_kinds = ("clock",)
        closed = 0

        def watch(self, triggers: Sequence[Trigger[Any]], cursor: Any) -> Iterator[TriggerEvent]:
            try:
                for number in range(3):
                    yield TriggerEvent(event_id=f"{self.ctx.request_id}-{number}")
                while not self.ctx.cancelled:
                    pass
            finally:
                type(self).closed += 1

    async with Harness(Clock, project_root=tmp_path) as host:
        await host.request("trigger/watch")
        number = host.request_id("trigger/watch")
        seen_events = [await host.next_notification("trigger/event") for _ in range(3)]
        assert seen_events == [{"event_id": f"{number}-{n}"} for n in range(3)]
        await host.notify("$/cancelRequest", {"id": number})
        assert await host.request("$/ping") == {}
        with pytest.raises(NotSupported):
            await host.request("trigger/ack", {"event_id": "1"})
        assert "trigger/ack" not in host.capabilities.methods
    assert Clock.closed == 1


class Queue(TriggerBackend[Any]):
    """Watches on a thread; two of its generators never run at once, so no event goes to one that nobody hears."""

    name = "queue"
    version = "1"
    trigger_kinds = ("queue",)

    def __init__(self) -> None:
        self.events: queue.Queue[str] = queue.Queue()
        self.log: list[str] = []

    def watch(self, triggers: Sequence[Trigger[Any]], cursor: Any) -> Iterator[TriggerEvent]:
        self.log.append("begun")
        try:
            while not self.ctx.cancelled:
                with contextlib.suppress(queue.Empty):
                    yield TriggerEvent(event_id=self.events.get(timeout=0.02))
        finally:
            self.log.append("ended")

    async def stop(self) -> None:
        self.log.append("stopped")


async def test_a_plain_watch_has_ended_before_the_next_one_begins(tmp_path: Path) -> None:
    trigger = Queue()
    async with Harness(trigger, project_root=tmp_path) as host:
        for number in range(5):
            assert await host.request("trigger/watch") == {"watching": True}
            trigger.events.put(str(number))
            assert (await host.next_notification("trigger/event"))["event_id"] == str(number)
            await host.notify("$/cancelRequest", {"id": host.request_id("trigger/watch")})
    assert trigger.log == [*["begun", "ended"] * 5, "stopped"]


async def test_a_plain_watch_has_ended_before_the_plugin_is_stopped(tmp_path: Path) -> None:
    trigger = Queue()
    async with Harness(trigger, project_root=tmp_path) as host:
        assert await host.request("trigger/watch") == {"watching": True}
    assert trigger.log == ["begun", "ended", "stopped"]
