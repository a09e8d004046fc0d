"""A provider as a real process: the stream of a run, and both ways to cancel it (protocol §4)."""

from __future__ import annotations

from typing import Any

RUN = {"cwd": "/", "session_id": "s1"}


def test_a_run_streams_in_order_and_before_its_result(agent: Any) -> None:
    before = len(agent.seen)
    result = agent.result("agent/run", {**RUN, "prompt": "stream"})
    streamed = [(m["method"], m["params"]) for m in agent.seen[before:-1]]
    assert streamed == [
        ("agent/thinking", {"session_id": "s1", "text": "hm"}),
        ("agent/toolCall", {"session_id": "s1", "name": "look", "arguments": {"at": None}, "server": "eyes"}),
        ("agent/toolResult", {"session_id": "s1", "name": "look", "output": None, "success": False}),
        ("agent/error", {"session_id": "s1", "message": "a hiccup", "recoverable": True}),
        ("log/entry", {"level": "info", "message": "half way", "fields": {"step": 1}}),
        ("agent/output", {"session_id": "s1", "text": "Hello ", "is_final": False, "final": False}),
        ("agent/output", {"session_id": "s1", "text": "world", "is_final": True, "final": True}),
    ]
    assert result == {
        "session_id": "s1",
        "exit_code": 0,
        "output": "Hello world",
        "duration_ms": 1,
        "backend": "agent",
    }


def test_a_long_stream_to_a_slow_reader_arrives_whole_and_in_order(agent: Any) -> None:
    number = agent.send("agent/run", {**RUN, "prompt": "flood"})
    assert agent.reply(number)["result"]["exit_code"] == 0
    texts = [m["params"]["text"].split()[0] for m in agent.seen[-3001:-1]]
    assert texts == [str(n) for n in range(3000)]


def test_a_run_without_a_session_gets_one_that_its_whole_stream_names(agent: Any) -> None:
    before = len(agent.seen)
    result = agent.result("agent/run", {"cwd": "/", "prompt": "stream"})
    stream = agent.seen[before:-1]
    sessions = {m["params"]["session_id"] for m in stream if m["method"].startswith("agent/")}
    assert sessions == {result["session_id"]}
    assert result["session_id"]


def test_agent_cancel_ends_the_run_as_a_cancellation(agent: Any) -> None:
    number = agent.send("agent/run", {**RUN, "prompt": "wait"})
    agent.until("agent/output")
    assert agent.result("agent/cancel", {"session_id": "s1"}) == {"session_id": "s1", "cancelled": True}
    assert agent.reply(number)["error"]["code"] == -32002
    agent.stderr_until("wait ended")
    assert agent.result("agent/cancel", {"session_id": "s1"}) == {"session_id": "s1", "cancelled": False}


def test_a_cancel_request_ends_the_run_as_a_cancellation(agent: Any) -> None:
    number = agent.send("agent/run", {**RUN, "prompt": "wait"})
    agent.until("agent/output")
    agent.tell("$/cancelRequest", {"id": number})
    assert agent.reply(number)["error"]["code"] == -32002
    assert agent.result("agent/run", {**RUN, "prompt": "again"})["exit_code"] == 0


def test_a_run_may_answer_its_cancellation_with_a_result_of_its_own(agent: Any) -> None:
    number = agent.send("agent/run", {**RUN, "prompt": "finish"})
    agent.until("agent/output")
    agent.result("agent/cancel", {"session_id": "s1"})
    assert (agent.reply(number)["result"]["exit_code"], agent.reply(number)["result"]["output"]) == (
        130,
        "interrupted",
    )


def test_sessions_run_side_by_side_but_none_runs_twice(agent: Any) -> None:
    first = agent.send("agent/run", {**RUN, "prompt": "wait"})
    agent.until("agent/output")
    second = agent.send("agent/run", {**RUN, "session_id": "s2", "prompt": "wait"})
    assert agent.until("agent/output")["session_id"] == "s2"
    conflict = agent.error("agent/run", {**RUN, "prompt": "wait"})
    assert (conflict["code"], conflict["data"]["category"]) == (-32600, "conflict")
    agent.result("agent/cancel", {"session_id": "s2"})
    assert agent.reply(second)["error"]["code"] == -32002
    agent.result("agent/cancel", {"session_id": "s1"})
    assert agent.reply(first)["error"]["code"] == -32002


def test_a_provider_that_cannot_resume_says_so_and_knows_nothing_of_other_kinds(agent: Any) -> None:
    assert agent.error("agent/resume", {**RUN, "prompt": "x"})["code"] == -32001
    assert agent.error("subject/unwatch", {"watch_id": "1"})["code"] == -32601
    assert agent.error("agent/run", {"cwd": "/"})["code"] == -32602
