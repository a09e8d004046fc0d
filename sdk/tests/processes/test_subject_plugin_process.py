"""A subject backend as a real process: verbs by kind, errors, the clean wire, the stream of changes (protocol §4)."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest


def test_the_kind_in_the_methods_name_narrows_what_names_none(tasks: Any) -> None:
    def kinds(method: str, **params: Any) -> list[str]:
        return [subject["kind"] for subject in tasks.result(method, params)["subjects"]]

    assert kinds("subject/list") == ["task", "bug"]
    assert kinds("bug/list") == ["bug"]
    assert kinds("bug/list", kind=["task"]) == ["task"]
    assert tasks.result("bug/next")["kind"] == "bug"
    assert tasks.result("bug/next", {"kind": "task"})["kind"] == "task"
    assert tasks.result("subject/next") is None


def test_subjects_travel_flat_and_without_absent_fields(tasks: Any) -> None:
    subject = tasks.result("task/get", {"id": "custom"})
    assert subject == {
        "id": "custom",
        "kind": "task",
        "title": "custom",
        "status": "ready",
        "created_at": "2026-01-02T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z",
        "custom": {"score": 1.5, "none": None},
    }


def test_a_number_that_json_does_not_have_is_refused_and_standard_error_says_the_same(tasks: Any) -> None:
    error = tasks.error("task/get", {"id": "nan"})
    assert error["code"] == -32603
    assert error["message"].startswith("Tasks.get gave Subject(id='nan'")
    assert error["message"].endswith("expected a Subject: NaN and infinity are no numbers in JSON")
    assert tasks.stderr_until(f"ERROR animus.plugin: {error['message']}\n")


def test_the_derived_schema_says_what_is_overridden(tasks: Any) -> None:
    schema = tasks.result("subject/schema")
    assert schema["kinds"] == ["task", "bug"]
    assert (schema["supports_watch"], schema["supports_create"], schema["supports_delete"]) == (True, True, False)


@pytest.mark.parametrize(
    ("name", "code", "category", "message"),
    [
        ("missing", -32602, "not_found", "not found: task missing"),
        ("invalid", -32602, "invalid_request", "id: not so"),
        ("unsupported", -32001, "not_supported", "not supported: get of that"),
        ("down", -32603, "unavailable", "the tracker is down"),
        ("plain", -32603, "internal", "something else: ?"),
    ],
)
def test_what_an_author_raises_becomes_the_reply_that_tells_the_host_what_to_do(
    tasks: Any, name: str, code: int, category: str, message: str
) -> None:
    assert tasks.error("task/get", {"id": name}) == {"code": code, "message": message, "data": {"category": category}}


@pytest.mark.parametrize(
    ("name", "trace"), [("boom", "RuntimeError: a mistake of the author"), ("exit", "sys.exit(3)")]
)
def test_a_mistake_of_the_author_is_internal_its_traceback_is_on_stderr_and_the_plugin_lives(
    tasks: Any, name: str, trace: str
) -> None:
    error = tasks.error("task/get", {"id": name})
    assert (error["code"], error["data"]) == (-32603, {"category": "internal"})
    assert "author" not in error["message"]
    logged = tasks.stderr_until(trace)
    assert "Traceback" in logged
    assert "tasks.py" in logged
    assert tasks.result("$/ping") == {}


@pytest.mark.parametrize("params", [{}, {"id": 7}, [], "text"])
def test_params_that_do_not_fit_are_refused_with_their_issues(tasks: Any, params: object) -> None:
    error = tasks.error("task/get", params)
    assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
    assert error["data"]["issues"]


def test_nothing_that_the_author_or_a_child_prints_touches_the_wire(tasks: Any) -> None:
    before = len(tasks.seen)
    assert tasks.result("task/get", {"id": "noise"})["id"] == "noise"
    assert tasks.result("$/ping") == {}
    assert len(tasks.seen) == before + 2
    logged = tasks.stderr_until("a child prints")
    for printed in ('"printed"', "straight to descriptor 1"):
        assert printed in logged


def test_the_authors_stdin_is_empty(tasks: Any) -> None:
    assert tasks.result("task/get", {"id": "stdin"})["title"] == "''"


def test_what_is_printed_appears_at_once(greet: Any) -> None:
    assert "started" in greet("tasks.py").stderr_until("started")


def test_a_watch_streams_changes_until_it_is_unwatched(greet: Any) -> None:
    plugin = greet("tasks.py")
    number = plugin.send("task/watch")
    assert plugin.reply(number)["result"] == {"watching": True}
    plugin.result("task/create", {"kind": "task", "title": "a"})
    changed = plugin.until("subject/changed")
    assert (changed["id"], changed["change_kind"], changed["subject"]["id"]) == (number, "created", "task:a")
    plugin.result("bug/create", {"kind": "bug", "title": "not of this kind"})
    assert plugin.result("subject/unwatch", {"watch_id": str(number)}) == {"ok": True}
    plugin.stderr_until("watch ended")
    assert plugin.result("subject/unwatch", {"watch_id": str(number)}) == {"ok": False}
    plugin.result("task/create", {"kind": "task", "title": "b"})
    plugin.result("$/ping")
    assert sum(message.get("method") == "subject/changed" for message in plugin.seen) == 1


def test_several_watches_live_side_by_side_and_each_is_ended_by_its_own_id(greet: Any) -> None:
    plugin = greet("tasks.py")
    for number in (500, "500", "five"):
        plugin.send("subject/watch", number=number)
        assert plugin.reply(number)["result"] == {"watching": True}
    plugin.result("task/create", {"kind": "task", "title": "a"})
    plugin.result("$/ping")
    assert [m["params"]["id"] for m in plugin.seen if m.get("method") == "subject/changed"] == [500, "500", "five"]
    plugin.tell("$/cancelRequest", {"id": "500"})
    plugin.stderr_until("watch ended")
    assert plugin.result("subject/unwatch", {"watch_id": 500}) == {"ok": True}
    plugin.result("task/create", {"kind": "task", "title": "b"})
    plugin.result("$/ping")
    assert [m["params"]["id"] for m in plugin.seen if m.get("method") == "subject/changed"][3:] == ["five"]


def test_an_id_that_is_used_again_for_a_watch_ends_the_older_stream(greet: Any) -> None:
    plugin = greet("tasks.py")
    for _ in range(2):
        plugin.send("subject/watch", number=900)
        assert plugin.message()["result"] == {"watching": True}
    plugin.stderr_until("watch ended")
    plugin.result("task/create", {"kind": "task", "title": "a"})
    plugin.result("$/ping")
    assert sum(message.get("method") == "subject/changed" for message in plugin.seen) == 1
    assert plugin.result("subject/unwatch", {"watch_id": "900"}) == {"ok": True}


def test_a_watch_that_is_refused_or_cancelled_at_once_leaves_no_stream(greet: Any) -> None:
    plugin = greet("tasks.py")
    refused = plugin.error("task/watch", {"assignee": ["nobody"]})
    assert (refused["code"], refused["data"]["category"]) == (-32602, "invalid_request")
    watch = {"jsonrpc": "2.0", "id": "w", "method": "task/watch", "params": {}}
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "w"}}
    plugin.write(b"".join(json.dumps(frame).encode() + b"\n" for frame in (watch, cancel)))
    assert plugin.reply("w")["error"]["code"] == -32002
    plugin.result("task/create", {"kind": "task", "title": "a"})
    plugin.result("$/ping")
    assert all(message.get("method") != "subject/changed" for message in plugin.seen)


def test_a_stream_that_breaks_is_told_on_stderr_and_costs_nothing_else(greet: Any) -> None:
    plugin = greet("tasks.py")
    plugin.result("task/watch")
    plugin.result("task/create", {"kind": "task", "title": "poison"})
    assert "RuntimeError: the stream broke" in plugin.stderr_until("RuntimeError: the stream broke")
    assert plugin.result("task/watch") == {"watching": True}


def test_a_cancelled_request_ends_with_cancelled_and_its_handler_cleans_up(greet: Any) -> None:
    plugin = greet("tasks.py")
    number = plugin.send("task/get", {"id": "slow"})
    plugin.stderr_until("slow begun")
    plugin.tell("$/cancelRequest", {"id": number})
    assert plugin.reply(number)["error"]["code"] == -32002
    plugin.stderr_until("slow ended")


@pytest.mark.parametrize("how", ["child", "fork"])
def test_a_child_of_the_authors_code_does_not_hold_the_wire_open(greet: Any, how: str) -> None:
    plugin = greet("tasks.py")
    child = int(plugin.result("task/get", {"id": how})["title"])
    try:
        plugin.process.kill()
        assert plugin.wire_end() == []
        with pytest.raises(BrokenPipeError):
            plugin.write(b"\n" * 100_000)
        os.kill(child, 0)  # it lives: the wire ended without it
    finally:
        os.kill(child, signal.SIGKILL)
