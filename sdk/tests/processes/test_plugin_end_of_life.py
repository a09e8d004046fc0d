"""How a plugin process ends: shutdown and exit, the end of input, signals, and code that will not let go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def ended_in_order(plugin: Any) -> None:
    assert plugin.wait() == 0
    assert plugin.wire_end() == []
    assert plugin.stderr().count("stopped") == 1


def test_shutdown_stops_the_plugin_and_exit_ends_the_process(greet: Any) -> None:
    plugin = greet("tasks.py")
    plugin.result("task/watch")
    assert plugin.result("shutdown") == {}
    assert plugin.stderr_until("stopped").index("watch ended") < plugin.stderr_until("stopped").index("stopped")
    plugin.tell("exit")
    ended_in_order(plugin)


def test_shutdown_waits_for_what_is_being_answered(greet: Any) -> None:
    plugin = greet("agent.py")
    run = plugin.send("agent/run", {"cwd": "/", "session_id": "s", "prompt": "finish"})
    plugin.until("agent/output")
    shutdown = plugin.send("shutdown")
    plugin.tell("$/cancelRequest", {"id": run})
    assert plugin.message()["id"] == run
    assert plugin.message()["id"] == shutdown


def test_shutdown_cancels_what_does_not_come_to_its_end_before_it_stops_the_plugin(greet: Any) -> None:
    plugin = greet("tasks.py")
    slow = plugin.send("task/get", {"id": "slow"})
    plugin.stderr_until("slow begun")
    shutdown = plugin.send("shutdown")
    assert plugin.message()["id"] == slow
    assert plugin.reply(slow)["error"]["code"] == -32002
    assert plugin.reply(shutdown)["result"] == {}
    logged = plugin.stderr_until("stopped")
    assert logged.index("slow ended") < logged.index("stopped")


def test_exit_without_shutdown_ends_everything(greet: Any) -> None:
    plugin = greet("tasks.py")
    plugin.result("task/watch")
    slow = plugin.send("task/get", {"id": "slow"})
    plugin.stderr_until("slow begun")
    plugin.tell("exit")
    assert plugin.wait() == 0
    [last] = plugin.wire_end()
    assert (last["id"], last["error"]["code"]) == (slow, -32002)
    assert "stopped" in plugin.stderr()


def test_exit_before_initialize_ends_the_process(spawn: Any) -> None:
    plugin = spawn("tasks.py")
    plugin.tell("exit")
    ended_in_order(plugin)


def test_the_end_of_input_ends_the_process(greet: Any) -> None:
    plugin = greet("tasks.py")
    plugin.result("task/watch")
    plugin.end_input()
    ended_in_order(plugin)


def test_requests_before_the_end_of_input_are_still_answered(spawn: Any) -> None:
    plugin = spawn("agent.py")
    plugin.send("initialize", plugin.initialize_params(), number="hello")
    assert plugin.reply("hello")["result"]
    plugin.send("agent/run", {"cwd": "/", "session_id": "s", "prompt": "flood"}, number="run")
    plugin.end_input()
    *stream, last = plugin.wire_end()
    assert len(stream) == 3000
    assert last["result"]["exit_code"] == 0
    assert plugin.wait() == 0


def test_a_request_that_outlives_the_end_of_input_is_cancelled(greet: Any) -> None:
    plugin = greet("tasks.py")
    slow = plugin.send("task/get", {"id": "slow"})
    plugin.stderr_until("slow begun")
    plugin.end_input()
    [last] = plugin.wire_end()
    assert (last["id"], last["error"]["code"]) == (slow, -32002)
    assert plugin.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_in_order(greet: Any, number: int) -> None:
    plugin = greet("tasks.py")
    plugin.send("task/get", {"id": "slow"}, number="slow")
    plugin.stderr_until("slow begun")
    plugin.process.send_signal(number)
    assert plugin.wait() == 0
    assert plugin.wire_end()[-1]["error"]["code"] == -32002
    assert plugin.stderr().count("stopped") == 1


def test_a_host_that_vanishes_in_the_middle_of_a_stream_leaves_no_process(tmp_path: Any) -> None:
    agent = Path(__file__).parent.parent / "plugins" / "agent.py"
    hello = {"protocol_version": "1.0.0", "host_info": {"name": "h", "version": "0"}, "capabilities": {}}
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "id": 2, "method": "agent/run", "params": {"cwd": "/", "prompt": "flood"}},
    ]
    with subprocess.Popen(
        [sys.executable, str(agent)], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for request in requests:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            assert process.stdout.readline()
        process.stdin.close()
        process.stdout.close()
        assert process.wait(timeout=20) == 0


def test_a_thread_of_the_authors_does_not_keep_the_process_alive(greet: Any) -> None:
    plugin = greet("tasks.py")
    plugin.send("task/get", {"id": "thread"})
    plugin.stderr_until("thread begun")
    plugin.tell("exit")
    assert plugin.wait() == 0


def test_code_that_will_not_stop_is_ended_and_shown(greet: Any) -> None:
    plugin = greet("stubborn.py")
    plugin.tell("exit")
    assert plugin.wait() == 1
    assert "most recent call first" in plugin.stderr()


def test_an_exit_that_comes_while_the_plugin_stops_does_not_cut_it_off(greet: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go_on")
    plugin = greet("tidy.py")
    shutdown = plugin.send("shutdown")
    plugin.stderr_until("tidying up")
    plugin.tell("exit")
    assert plugin.reply(shutdown)["error"]["code"] == -32002
    (tmp_path / "go_on").write_bytes(b"go on")
    assert plugin.wait() == 0
    assert plugin.stderr().endswith("tidy\n")
