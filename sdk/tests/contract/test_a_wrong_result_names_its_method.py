"""What a verb gives is held to its type: the host and the author read the same sentence, and nothing wrong is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from animus_protocol.errors import RpcError
from animus_protocol.models.subject import Subject, SubjectFilter
from animus_sdk import (
    AgentContext,
    AgentRunRequest,
    AgentRunResponse,
    ChangeKind,
    LogEntry,
    LogQuery,
    LogQueryResult,
    LogStorageBackend,
    Notifier,
    Opening,
    Provider,
    SubjectBackend,
    SubjectChangedEvent,
    SubjectCreateParams,
    SubjectList,
    SubjectPatch,
    SubjectStatus,
    TransportBackend,
    TriggerBackend,
    inline,
)
from animus_sdk.testing import Harness

NOW = datetime(2026, 1, 5, tzinfo=UTC)
GOOD = Subject(id="T-1", kind="task", title="t", status=SubjectStatus.READY, created_at=NOW, updated_at=NOW)
LABELLED = GOOD.model_copy(update={"labels": ["a"], "custom": {"points": 3}, "priority": 2})
SENT: dict[str, Any] = {}
"""What each of the plugins below gives, by the method's name; a test sets it."""


class Tasks(SubjectBackend):
    """Gives what a test has set, in each form that a function may have."""

    name, version = "tasks", "1"
    subject_kinds = ("task", "issue.*")

    @inline
    def get(self, id: str) -> Any:  # noqa: A002 - the protocol's word
        return SENT["get"]

    def create(self, request: SubjectCreateParams) -> Any:
        return SENT["create"]

    async def update(self, id: str, patch: SubjectPatch) -> Any:  # noqa: A002 - the protocol's word
        return SENT["update"]

    async def status(self, id: str, status: SubjectStatus) -> Any:  # noqa: A002 - the protocol's word
        return SENT["status"]

    def next(self, kind: str | None) -> Any:
        return SENT["next"]

    def list(self, filter: SubjectFilter) -> Any:  # noqa: A002 - the protocol's word
        return SENT["list"]

    def delete(self, id: str) -> Any:  # noqa: A002 - the protocol's word
        return SENT["delete"]

    async def watch(self, filter: SubjectFilter) -> AsyncIterator[Any]:  # noqa: A002 - the protocol's word
        for event in SENT["watch"]:
            yield event


PARAMS: dict[str, dict[str, Any]] = {
    "get": {"id": "T-1"},
    "create": {"kind": "task", "title": "t"},
    "update": {"id": "T-1", "patch": {}},
    "status": {"id": "T-1", "status": "done"},
    "delete": {"id": "T-1"},
}


async def refusal(host: Harness, verb: str, value: Any, caplog: pytest.LogCaptureFixture) -> str:
    """What the host reads when `verb` gives `value`; the log has the same sentence."""
    SENT[verb] = value
    caplog.clear()
    with pytest.raises(RpcError) as caught:
        await host.request(f"task/{verb}", PARAMS.get(verb, {}))
    assert caught.value.code == -32603
    assert caught.value.message in [record.getMessage() for record in caplog.records]
    return caught.value.message


@pytest.mark.parametrize("verb", ["get", "create", "update", "status", "next"])
async def test_whatever_is_no_subject_is_refused(verb: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = "a Subject or None" if verb == "next" else "a Subject"
    wrong = ["ok", {"id": "T-1"}, [GOOD], {1}, float("nan"), SubjectPatch(comment="x")]
    async with Harness(Tasks, project_root=tmp_path) as host:
        for value in wrong if verb == "next" else [None, *wrong]:
            sentence = await refusal(host, verb, value, caplog)
            assert sentence.startswith(f"Tasks.{verb} gave ")
            assert sentence.endswith(f", expected {expected}")
        assert (await refusal(host, verb, "ok", caplog)) == f"Tasks.{verb} gave 'ok', expected {expected}"
        SENT[verb] = GOOD
        assert (await host.request(f"task/{verb}", PARAMS.get(verb, {})))["id"] == "T-1"


async def test_nothing_is_ready_is_a_good_answer_of_next(tmp_path: Path) -> None:
    SENT["next"] = None
    async with Harness(Tasks, project_root=tmp_path) as host:
        assert await host.request("task/next") is None


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"status": "doing"}, "status: Input should be 'ready', 'in-progress'"),
        ({"labels": {"a"}}, "labels is {'a'}, and ['a'] would fit"),
        ({"labels": ["a", 5]}, "labels.1: Input should be a valid string"),
        ({"priority": "3"}, "priority is '3', and 3 would fit"),
        ({"title": None}, "title: Input should be a valid string"),
        ({"custom": {"points": float("nan")}}, "NaN and infinity are no numbers in JSON"),
        ({"status_metadata": [1, {"deep": float("-inf")}]}, "NaN and infinity are no numbers in JSON"),
        ({"custom": {"lock": asyncio.Event}}, "Unable to serialize unknown type"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_subject_that_was_changed_into_something_wrong_is_refused(
    changes: dict[str, Any], detail: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Harness(Tasks, project_root=tmp_path) as host:
        for good in (GOOD, LABELLED):
            SENT["get"] = good  # a good one first: what was found right once must not let the next one pass
            await host.request("task/get", {"id": "T-1"})
            sentence = await refusal(host, "get", good.model_copy(update=changes), caplog)
            assert sentence.startswith("Tasks.get gave Subject(id='T-1'")
            assert f", expected a Subject: {detail}" in sentence
            assert len(sentence) < 400


async def test_the_word_nan_in_a_text_is_a_text(tmp_path: Path) -> None:
    SENT["get"] = GOOD.model_copy(update={"custom": {"said": "NaN, Infinity", "points": 1.5}})
    async with Harness(Tasks, project_root=tmp_path) as host:
        assert (await host.request("task/get", {"id": "T-1"}))["custom"] == {"said": "NaN, Infinity", "points": 1.5}


async def test_what_the_types_allow_is_sent_as_it_is(tmp_path: Path) -> None:
    class Ticket(Subject):
        """An author may have a class of their own."""

        secret: int = 0

    SENT["get"] = Ticket(**{**LABELLED.model_dump(), "status": "done"}, secret=3)
    async with Harness(Tasks, project_root=tmp_path) as host:
        assert (await host.request("task/get", {"id": "T-1"}))["secret"] == 3
        SENT["get"] = GOOD.model_copy(update={"status": "done"})  # a text that is the value of the member
        assert (await host.request("task/get", {"id": "T-1"}))["status"] == "done"


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "gave None, expected subjects (a list, a tuple or a generator of Subject) or a SubjectList"),
        ("ok", "gave 'ok', expected subjects"),
        ({"T-1": GOOD}, "expected subjects"),
        (GOOD, "expected subjects"),
        ([GOOD, {"id": "T-2"}], "gave {'id': 'T-2'}, expected a Subject as each item"),
        ([GOOD, GOOD.model_copy(update={"labels": {"a"}})], "expected a Subject as each item: labels is {'a'}"),
        (SubjectList.model_construct(subjects=[{"id": "T-2"}], fetched_at=NOW), "expected a SubjectList: subjects.0"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_list_holds_subjects_and_nothing_else(
    value: Any, sentence: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Harness(Tasks, project_root=tmp_path) as host:
        message = await refusal(host, "list", value, caplog)
    assert message.startswith("Tasks.list gave ")
    assert sentence in message


async def test_a_wrong_item_of_a_generator_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Harness(Tasks, project_root=tmp_path) as host:
        assert await refusal(host, "list", numbers(), caplog) == "Tasks.list gave 1, expected a Subject as each item"


async def test_delete_says_true_or_false(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Harness(Tasks, project_root=tmp_path) as host:
        for value in (None, "ok", 1):
            assert await refusal(host, "delete", value, caplog) == f"Tasks.delete gave {value!r}, expected a bool"


async def test_a_wrong_change_ends_the_watch_and_the_log_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SENT["watch"] = [{"id": "T-1"}]
    async with Harness(Tasks, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"Tasks\.watch gave \{'id': 'T-1'\}, expected a SubjectChangedEvent"):
            await host.request("task/watch")
    assert "Tasks.watch gave {'id': 'T-1'}" in caplog.text


@pytest.mark.parametrize("verb", ["get", "create", "update", "status", "next"])
async def test_a_subject_of_a_kind_that_is_not_claimed_is_refused(
    verb: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claimed = "expected a subject of the claimed kinds ('task', 'issue.*'), and not"
    async with Harness(Tasks, project_root=tmp_path) as host:
        for kind in ("bug", "issue", "tasks", ""):
            sentence = await refusal(host, verb, GOOD.model_copy(update={"kind": kind}), caplog)
            assert sentence.startswith(f"Tasks.{verb} gave Subject(")
            assert sentence.endswith(f"{claimed} {kind!r}")
        for kind in ("task", "issue.bug", "issue.ui.text"):
            SENT[verb] = GOOD.model_copy(update={"kind": kind})
            assert (await host.request(f"subject/{verb}", PARAMS.get(verb, {})))["kind"] == kind


async def test_a_list_and_a_watch_hold_claimed_kinds_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bug = GOOD.model_copy(update={"kind": "bug"})
    async with Harness(Tasks, project_root=tmp_path) as host:
        for value in ([GOOD, bug], SubjectList(subjects=[GOOD, bug], fetched_at=NOW)):
            assert (await refusal(host, "list", value, caplog)).endswith("('task', 'issue.*'), and not 'bug'")
        SENT["watch"] = [SubjectChangedEvent(id="T-1", change_kind=ChangeKind.UPDATED, subject=bug)]
        with pytest.raises(RpcError, match=r"Tasks\.watch gave Subject.* and not 'bug'"):
            await host.request("task/watch")


async def test_a_provider_gives_text_or_a_response(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Provider):
        name, version = "odd", "1"

        def run(self, request: AgentRunRequest, ctx: AgentContext) -> Any:
            match request.prompt:
                case "number":
                    return 7
                case "pieces":
                    return iter(["good", 7])
                case _:
                    return AgentRunResponse(
                        session_id="s", exit_code=0, output="", duration_ms=1, backend="odd", metadata=[float("nan")]
                    )

    expected = {
        "number": "Odd.run gave 7, expected an AgentRunResponse, a str, None, or a generator of str",
        "pieces": "Odd.run gave 7, expected a str as each piece of the answer",
        "nan": "expected an AgentRunResponse: NaN and infinity are no numbers in JSON",
    }
    async with Harness(Odd, project_root=tmp_path) as host:
        for prompt, sentence in expected.items():
            with pytest.raises(RpcError) as caught:
                await host.request("agent/run", {"prompt": prompt, "cwd": "/"})
            assert caught.value.code == -32603
            assert sentence in caught.value.message
            assert sentence in caplog.text


async def test_a_log_storage_gives_a_count_a_result_and_entries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Log(LogStorageBackend):
        name, version = "log", "1"

        def store(self, entries: Any) -> Any:
            return True

        def query(self, query: LogQuery) -> Any:
            return LogQueryResult.model_construct(entries={"no": "list"})

        async def tail(self, query: LogQuery) -> AsyncIterator[LogEntry]:
            yield "line"  # type: ignore[misc]  # the mistake that is meant

    async with Harness(Log, project_root=tmp_path) as host:
        for method, sentence in {
            "log_storage/store": r"Log\.store gave True, expected an int or None",
            "log_storage/query": r"Log\.query gave LogQueryResult\(.*expected a LogQueryResult: entries",
            "log_storage/tail": r"Log\.tail gave 'line', expected a LogEntry",
        }.items():
            with pytest.raises(RpcError, match=sentence):
                await host.request(method, {"entries": []})


async def test_a_notifier_and_a_trigger_are_held_to_their_types_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Bell(Notifier):
        name, version = "bell", "1"
        connector_kinds = ("bell",)

        def notify(self, event: Any) -> Any:
            return None

        async def flush(self, project_root: str | None) -> Any:
            return float("inf")

    class Mail(TriggerBackend[Any]):
        name, version = "mail", "1"
        trigger_kinds = ("mail",)

        async def watch(self, triggers: Any, cursor: Any) -> AsyncIterator[Any]:
            yield {"event_id": "1"}

        @inline
        def schema(self) -> Any:
            return {"kinds": []}

    event = {
        "schema": "animus.daemon.event.v1",
        "id": "e",
        "seq": 1,
        "timestamp": "2026-01-05T09:00:00Z",
        "event_type": "workflow_failed",
        "data": {},
    }
    async with Harness(Bell, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"Bell\.notify gave None, expected a NotifierNotifyResult or an int"):
            await host.request("notifier/notify", {"event": event})
        with pytest.raises(RpcError, match=r"Bell\.flush gave inf, expected a NotifierFlushResult or None"):
            await host.request("notifier/flush")
    async with Harness(Mail, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"Mail\.watch gave \{'event_id': '1'\}, expected a TriggerEvent"):
            await host.request("trigger/watch", {})
        with pytest.raises(RpcError, match=r"Mail\.schema gave \{'kinds': \[\]\}, expected a TriggerSchema"):
            await host.request("trigger/schema")


async def test_a_transport_without_an_address_is_closed_again(tmp_path: Path) -> None:
    closed = []

    class Wire(TransportBackend[Any]):
        name, version = "wire", "1"

        def open(self, opening: Opening[Any]) -> Any:
            return ("127.0.0.1", 80)

        def close(self) -> None:
            closed.append(True)

    async with Harness(Wire, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"Wire\.open gave \('127\.0\.0\.1', 80\), expected a str"):
            await host.request(
                "transport/start", {"control_socket_path": str(tmp_path / "s"), "project_root": str(tmp_path)}
            )
        assert closed == []
    assert closed == [True]


async def test_health_is_held_to_its_type(tmp_path: Path) -> None:
    class Ill(Tasks):
        def health(self) -> Any:
            return "fine"

    async with Harness(Ill, project_root=tmp_path) as host:
        with pytest.raises(RpcError, match=r"Ill\.health gave 'fine', expected a HealthCheckResult"):
            await host.request("health/check")


async def test_a_method_is_named_by_the_class_that_has_written_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Derived(Tasks):
        name = "derived"

    async with Harness(Derived, project_root=tmp_path) as host:
        assert (await refusal(host, "get", None, caplog)) == "Tasks.get gave None, expected a Subject"
