"""Several kinds in one plugin: what it advertises, in which order its parts live, and what cannot be put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from animus_protocol.errors import MethodNotFound, NotSupported, RpcError
from animus_sdk import (
    AgentContext,
    AgentRunRequest,
    Bundle,
    DaemonEventRecord,
    EnvRequirement,
    HealthCheckResult,
    HealthStatus,
    Notifier,
    Plugin,
    ProjectBinding,
    Provider,
    Subject,
    SubjectBackend,
    SubjectChangedEvent,
    SubjectFilter,
    Trigger,
    TriggerBackend,
    TriggerEvent,
    Unavailable,
    tool,
)
from animus_sdk.testing import Harness


class Watched(Plugin):
    """Writes down what happens to it; `wrong` is where it fails."""

    log: ClassVar[list[str]] = []
    wrong: ClassVar[set[str]] = set()

    def start(self, project: ProjectBinding) -> None:
        self.log.append(f"start {type(self).__name__} for {project.project_root}")
        if f"start {type(self).__name__}" in self.wrong:
            raise Unavailable("cannot start")

    def stop(self) -> None:
        self.log.append(f"stop {type(self).__name__}")
        if f"stop {type(self).__name__}" in self.wrong:
            raise RuntimeError("cannot stop")


class Tickets(Watched, SubjectBackend):
    subject_kinds = ("ticket",)
    env = (EnvRequirement(name="TOKEN"), EnvRequirement(name="URL"))

    def list(self, filter: SubjectFilter) -> Iterator[Subject]:  # noqa: A002 - the protocol's word
        yield from ()

    @tool
    def where(self) -> str:
        """Where this part works."""
        return f"{self.project_root} {self.ctx.request_id}"


class Clock(Watched, TriggerBackend[Any]):
    trigger_kinds = ("clock",)

    def watch(self, triggers: Sequence[Trigger[Any]], cursor: Any) -> Iterator[TriggerEvent]:
        yield TriggerEvent(event_id="1")


class Pager(Watched, Notifier):
    connector_kinds = ("page",)
    env = (EnvRequirement(name="TOKEN", sensitive=True),)

    def notify(self, event: DaemonEventRecord) -> int:
        return 1

    def health(self) -> HealthCheckResult:
        return HealthCheckResult(status=HealthStatus.DEGRADED, last_error="nobody answers")


class Office(Bundle):
    name = "office"
    version = "1"
    parts = (Tickets, Clock, Pager)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    Watched.log.clear()
    Watched.wrong.clear()
    yield
    Watched.wrong.clear()


async def test_a_bundle_is_all_of_its_parts(tmp_path: Path) -> None:
    async with Harness(Office, project_root=tmp_path) as host:
        manifest = host.manifest
        assert (manifest.plugin_kind, manifest.plugin_kinds) == (
            "subject_backend",
            ["subject_backend", "trigger_backend", "notifier"],
        )
        assert [(one.name, one.sensitive) for one in manifest.env_required] == [("TOKEN", True), ("URL", False)]
        assert {"ticket/list", "where", "trigger/watch", "notifier/notify", "subject_kind:ticket"} <= set(
            manifest.capabilities
        )
        assert manifest.capabilities.count("health/check") == 1
        assert manifest.supports_mcp is True
        assert [one.name for one in host.capabilities.mcp_tools] == ["where"]
        assert host.capabilities.streaming is True
        assert (await host.request("ticket/list"))["subjects"] == []
        assert (await host.request("where")) == f"{tmp_path} {host.request_id('where')}"
        assert await host.request("trigger/watch") == {"watching": True}
        assert (await host.next_notification("trigger/event"))["event_id"] == "1"
        with pytest.raises(NotSupported):
            await host.request("ticket/delete", {"id": "1"})
        with pytest.raises(MethodNotFound):
            await host.request("agent/run")


async def test_the_health_of_a_bundle_is_that_of_its_worst_part(tmp_path: Path) -> None:
    async with Harness(Office, project_root=tmp_path) as host:
        health = await host.request("health/check")
    assert (health["status"], health["last_error"]) == ("degraded", "nobody answers")


async def test_parts_start_in_their_order_and_stop_in_reverse_whatever_one_raises(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Watched.wrong.add("stop Clock")
    async with Harness(Office, project_root=tmp_path):
        assert Watched.log == [f"start {part} for {tmp_path}" for part in ("Tickets", "Clock", "Pager")]
        Watched.log.clear()
    assert Watched.log == ["stop Pager", "stop Clock", "stop Tickets"]
    assert "RuntimeError: cannot stop" in caplog.text


async def test_a_part_that_cannot_start_stops_those_before_it_and_refuses_the_bundle(tmp_path: Path) -> None:
    Watched.wrong.add("start Clock")
    with pytest.raises(RpcError, match="cannot start"):
        async with Harness(Office, project_root=tmp_path):
            raise AssertionError("never begun")
    assert [line.split(" for ")[0] for line in Watched.log] == [
        "start Tickets",
        "start Clock",
        "stop Clock",
        "stop Tickets",
    ]


async def test_of_two_subject_backends_each_is_reached_by_its_kind_alone(tmp_path: Path) -> None:
    class Letters(Tickets):
        subject_kinds = ("letter",)
        where = None  # type: ignore[assignment]  # the tool of the other part

    class Both(Bundle):
        name = "both"
        version = "1"
        parts = (Tickets, Letters)

    assert Both.mistakes() == []
    async with Harness(Both, project_root=tmp_path) as host:
        for kind in ("ticket", "letter"):
            assert (await host.request(f"{kind}/schema"))["kinds"] == [kind]
        with pytest.raises(NotSupported):
            await host.request("subject/list")


async def test_a_stream_of_either_of_two_subject_backends_can_be_ended(tmp_path: Path) -> None:
    class Watching(SubjectBackend):
        subject_kinds = ("ticket",)

        async def watch(self, filter: SubjectFilter) -> AsyncIterator[SubjectChangedEvent]:  # noqa: A002 - as above
            await asyncio.Event().wait()
            yield  # type: ignore[misc]  # never reached: it only makes this a generator

    class Letters(Watching):
        subject_kinds = ("letter",)

    class Both(Bundle):
        name = "both"
        version = "1"
        parts = (Watching, Letters)

    async with Harness(Both, project_root=tmp_path) as host:
        for kind in ("ticket", "letter"):
            assert await host.request(f"{kind}/watch") == {"watching": True}
            number = host.request_id(f"{kind}/watch")
            assert await host.request("subject/unwatch", {"watch_id": number}) == {"ok": True}


async def test_every_method_that_a_bundle_advertises_is_served(tmp_path: Path) -> None:
    class Issues(Tickets):
        subject_kinds = ("issue.*",)
        where = None  # type: ignore[assignment]  # the tool of the other part

    class Both(Bundle):
        name = "both"
        version = "1"
        parts = (Issues, Tickets)

    assert Both.mistakes() == []
    async with Harness(Both, project_root=tmp_path) as host:
        for method in host.capabilities.methods:
            await host.request(method)
        assert (await host.request("subject/schema"))["kinds"] == ["issue.*"]


async def test_a_part_without_a_name_goes_by_the_bundles(tmp_path: Path) -> None:
    class Scribe(Provider):
        def run(self, request: AgentRunRequest, ctx: AgentContext) -> str:
            return f"{self.name} {self.version}"

    class Desk(Bundle):
        name = "animus-provider-desk"
        version = "2"
        parts = (Tickets, Scribe)

    async with Harness(Desk, project_root=tmp_path) as host:
        result = await host.request("agent/run", {"prompt": "p", "cwd": "/"})
    assert (result["output"], result["backend"]) == ("animus-provider-desk 2", "desk")
    assert not hasattr(Scribe, "name")


def test_the_buffer_that_a_part_asks_for_is_asked_for_by_the_bundle() -> None:
    class Chatty(Pager):
        notification_buffer_size = 500

    class Both(Office):
        parts = (Tickets, Chatty)

    assert Both.manifest().notification_buffer_size == 500
    assert Office.manifest().notification_buffer_size is None


def test_parts_that_serve_the_same_method_are_refused_and_so_are_their_own_mistakes() -> None:
    class Twice(Bundle):
        name = "twice"
        version = "1"
        parts = (Pager, Pager)

    class Unkind(Notifier):
        connector_kinds = "mail"  # type: ignore[assignment]  # this is the mistake

    class Wrong(Bundle):
        name = "wrong"
        version = "1"
        parts = (Tickets, Unkind)

    class Empty(Bundle):
        name = "empty"
        version = "1"

    class Single(Bundle):
        name = "single"
        version = "1"
        parts = Tickets  # type: ignore[assignment]  # the comma is forgotten

    class Own(Bundle):
        name = "own"
        version = "1"
        parts = (Tickets,)

        @tool
        def where(self) -> str:
            """As a part has it."""
            return "here"

    assert Twice.mistakes() == [
        f"Twice: notifier/{verb} is served 2 times, by parts or by the bundle itself: leave one of them"
        for verb in ("notify", "schema")
    ]
    assert Own.mistakes() == ["Own: where is served 2 times, by parts or by the bundle itself: leave one of them"]
    assert Wrong.mistakes() == [
        'Unkind.connector_kinds is one text and has to be a tuple: write connector_kinds = ("mail",) in the class'
    ]
    assert Empty.mistakes() == ["Empty has no parts: write parts = (Tickets, Mails) in the class"]
    assert Single.mistakes() == [
        "Single.parts is no tuple of plugin classes: write parts = (Tickets, Mails) in the class"
    ]
    assert Office.mistakes() == []


async def test_a_bundle_finds_its_parts_by_their_class() -> None:
    office = Office()
    assert isinstance(office.part(Clock), Clock)
    with pytest.raises(LookupError, match="Office has no part Office"):
        office.part(Office)
