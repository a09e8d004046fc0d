"""The real process, spoken to as a host does: newline-delimited JSON-RPC on its pipes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import Any

import pytest

BARRIER = {"wait_for": {"file": "gate", "timeout_s": 20}}


def test_a_run_streams_every_kind_of_event_and_the_deltas_join_to_the_output(project: Any, host: Any) -> None:
    project.steps(
        {"think": "hm"},
        {"say": {"text": "one two", "chunk": 3, "every_s": 0.001}},
        {"tool": {"name": "look", "arguments": {"at": "{{subject}}"}, "result": [1], "server": "srv"}},
        {"edit": {"path": "src/a.py", "replace": "41", "with": "42"}},
        {"run": ["python", "-c", "print(6 * 7)"]},
        {"delay_s": 0.001},
        {"error": {"message": "odd", "recoverable": True}},
        {"usage": {"input": 10, "output": 20, "cached": 0}},
        {"metadata": {"any": "thing"}},
        {"verdict": {"verdict": "rework", "reason": "more", "confidence": 0.5}},
    )
    plugin = host()
    reply = plugin.reply(plugin.start(session_id="s1", model="anything"))
    result = reply["result"]
    notes = [(m["method"], m["params"]) for m in plugin.seen if "method" in m]
    assert {params["session_id"] for _, params in notes} == {"s1"}
    assert [method for method, _ in notes] == [
        "agent/thinking",
        *["agent/output"] * 3,
        *["agent/toolCall", "agent/toolResult"] * 3,
        "agent/error",
    ]
    assert "".join(params["text"] for method, params in notes if method == "agent/output") == result["output"]
    assert result["output"] == "one two"
    assert result["thinking"] == ["hm"]
    assert result["tool_calls"][0] == {"name": "look", "arguments": {"at": "TASK-001"}, "server": "srv"}
    assert [entry["output"] for entry in result["tool_results"]] == [[1], "replaced 1 occurrence in src/a.py", "42\n"]
    assert result["errors"] == ["odd"]
    assert result["metadata"] == [{"any": "thing"}]
    assert result["tokens_used"] == {"input": 10, "output": 20, "cached": 0}
    assert result["decision_verdict"] == {"verdict": "rework", "reason": "more", "confidence": 0.5}
    assert (result["backend"], result["exit_code"], result["session_id"]) == ("mock", 0, "s1")
    assert (project.root / "src/a.py").read_text() == "answer = 42\n"


def test_a_session_without_an_id_gets_a_fresh_one(project: Any, host: Any) -> None:
    project.steps({"say": "{{session_id}}"})
    plugin = host()
    results = [plugin.reply(plugin.start())["result"] for _ in range(2)]
    assert [r["output"] for r in results] == [r["session_id"] for r in results]
    assert results[0]["session_id"] != results[1]["session_id"]


def test_a_mistake_in_the_script_is_an_invalid_params_error_with_file_and_line(project: Any, host: Any) -> None:
    path = project.script("scripts:\n  - steps:\n      - sya: hello\n")
    plugin = host()
    error = plugin.reply(plugin.start())["error"]
    assert error["code"] == -32602
    assert error["message"] == f'{path}:3: a step has no key "sya" — did you mean "say"?'


@pytest.mark.parametrize("how", ["agent/cancel", "$/cancelRequest"])
def test_a_cancelled_run_ends_with_the_cancelled_error(project: Any, host: Any, how: str) -> None:
    project.steps({"say": "begun"}, BARRIER, {"say": "never"})
    plugin = host()
    number = plugin.start(session_id="s1")
    plugin.until("agent/output")
    if how == "agent/cancel":
        assert plugin.ask(how, session_id="s1")["result"]["cancelled"] is True
    else:
        plugin.tell(how, id=number)
    assert plugin.reply(number)["error"]["code"] == -32002
    assert plugin.ask("$/ping")["result"] == {}


def test_after_ignore_cancel_the_steps_go_on_to_their_result(project: Any, host: Any) -> None:
    project.steps({"ignore_cancel": True}, {"say": "begun "}, BARRIER, {"say": "done"})
    plugin = host()
    number = plugin.start(session_id="s1")
    plugin.until("agent/output")
    plugin.ask("agent/cancel", session_id="s1")
    plugin.tell("$/cancelRequest", id=number)
    plugin.ask("$/ping")
    (project.root / "gate").touch()
    assert plugin.reply(number)["result"]["output"] == "begun done"


def test_a_killed_session_goes_on_behind_its_last_completed_step_in_a_new_process(project: Any, host: Any) -> None:
    project.steps(
        {"say": "one "},
        {"edit": {"path": "log", "append": "x"}},
        {"think": "waiting"},
        BARRIER,
        {"say": "two"},
    )
    first = host()
    first.start(session_id="s/1")
    first.until("agent/thinking")
    assert first.ask("$/ping")["result"] == {}
    first.process.kill()
    first.wait()
    (project.root / "gate").touch()
    second = host()
    reply = second.reply(second.start("agent/resume", session_id="s/1", prompt="go on", runtime_contract=None))
    assert reply["result"]["output"] == "one two"
    assert reply["result"]["session_id"] == "s/1"
    assert [m["params"]["text"] for m in second.seen if m.get("method") == "agent/output"] == ["two"]
    assert (project.root / "log").read_text() == "x"


def test_a_script_that_kills_its_process_once_is_resumed_to_its_end(project: Any, host: Any) -> None:
    project.steps({"say": "a"}, {"once": {"steps": [{"fail": "kill"}]}}, {"say": "b"})
    first = host()
    assert first.reply_or_end(first.start(session_id="s1")) is None
    assert first.wait() == -signal.SIGKILL
    assert [m["params"]["text"] for m in first.seen if m.get("method") == "agent/output"] == ["a"]
    second = host()
    assert second.reply(second.start("agent/resume", session_id="s1"))["result"]["output"] == "ab"


def test_an_unknown_session_is_not_found(project: Any, host: Any) -> None:
    plugin = host()
    error = plugin.reply(plugin.start("agent/resume", session_id="nobody"))["error"]
    assert (error["code"], error["data"]["category"]) == (-32602, "not_found")


def test_fail_error_answers_with_its_code_message_and_data(project: Any, host: Any) -> None:
    project.steps({"fail": {"how": "error", "code": -32099, "message": "{{phase}} broke", "data": {"a": 1}}})
    plugin = host()
    error = plugin.reply(plugin.start())["error"]
    assert error == {"code": -32099, "message": "implement broke", "data": {"a": 1}}


def test_fail_exit_ends_the_process_at_once_with_its_status_behind_what_was_said(project: Any, host: Any) -> None:
    project.steps({"say": "bye"}, {"fail": {"how": "exit", "status": 3}})
    plugin = host()
    assert plugin.reply_or_end(plugin.start()) is None
    assert plugin.wait() == 3
    assert plugin.seen[-1]["params"]["text"] == "bye"


def test_fail_exit_code_ends_the_run_with_that_exit_code(project: Any, host: Any) -> None:
    project.steps({"say": "no"}, {"fail": {"how": "exit_code", "exit_code": 7}}, {"say": " never"})
    plugin = host()
    result = plugin.reply(plugin.start())["result"]
    assert (result["exit_code"], result["output"]) == (7, "no")


def test_fail_garbage_breaks_one_line_and_the_run_goes_on(project: Any, host: Any) -> None:
    project.steps({"say": "a"}, {"fail": {"how": "garbage", "text": '{"half": '}}, {"say": "b"})
    plugin = host()
    assert plugin.reply(plugin.start())["result"]["output"] == "ab"
    assert plugin.broken == [b'{"half": \n']


def test_fail_hang_never_answers_and_outlives_cancellation_exit_and_the_end_of_input(project: Any, host: Any) -> None:
    project.steps({"say": "x"}, {"fail": "hang"})
    plugin = host()
    number = plugin.start(session_id="s1")
    plugin.until("agent/output")
    plugin.ask("agent/cancel", session_id="s1")
    plugin.tell("$/cancelRequest", id=number)
    assert plugin.ask("$/ping")["result"] == {}
    assert all(message.get("id") != number for message in plugin.seen)
    plugin.tell("exit")
    plugin.process.terminate()
    plugin.process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        plugin.process.wait(timeout=4)  # longer than an orderly end may take


def test_a_cancelled_run_kills_the_program_it_runs(project: Any, host: Any) -> None:
    code = "import os, time; open('pid', 'w').write(f'{os.getpid()}.'); time.sleep(60)"  # a child that is to stay
    project.steps({"run": ["python", "-c", code]})
    plugin = host()
    number = plugin.start(session_id="s1")
    pid = _pid_of_the_program(project, plugin)
    plugin.ask("agent/cancel", session_id="s1")
    assert plugin.reply(number)["error"]["code"] == -32002
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_plugin_takes_the_program_it_runs_with_it(project: Any, host: Any) -> None:
    code = "import os, time; open('pid', 'w').write(f'{os.getpid()}.'); time.sleep(60)"  # a child that is to stay
    project.steps({"run": ["python", "-c", code]})
    plugin = host()
    plugin.start(session_id="s1")
    descriptor = os.pidfd_open(_pid_of_the_program(project, plugin))
    plugin.process.kill()
    plugin.wait()
    try:
        assert select.select([descriptor], [], [], 10)[0]
    finally:
        os.close(descriptor)


def test_the_manifest_names_the_variables_and_loads_no_yaml() -> None:
    code = "import sys; import animus_provider_mock.plugin; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=20, check=False).returncode == 0
    command = [sys.executable, "-m", "animus_provider_mock", "--manifest"]
    shown = subprocess.run(command, timeout=20, check=True, capture_output=True, text=True).stdout
    assert "ANIMUS_MOCK_SCRIPT" in shown
    assert "agent/resume" in shown


def _pid_of_the_program(project: Any, plugin: Any) -> int:
    plugin.until("agent/toolCall")
    while not (text := _read(project.root / "pid")).endswith("."):
        assert plugin.ask("$/ping")["result"] == {}
    return int(text[:-1])


def _read(path: Any) -> str:
    return path.read_text() if path.exists() else ""
