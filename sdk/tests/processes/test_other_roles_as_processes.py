"""The newer roles as real processes: what only a process can show."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from addresses import listens

ENTRY = {"ts": "2026-01-01T00:00:00Z", "level": "info", "source": "daemon", "target": "t", "message": "m"}
START = {"control_socket_path": "/run/control.sock", "project_root": "/project"}


def project(root: Path) -> dict[str, Any]:
    return {"init_extensions": {"project_binding": {"project_root": str(root)}}}


def test_a_trigger_tells_again_what_was_not_acknowledged(spawn: Any, tmp_path: Path) -> None:
    (tmp_path / "inbox.txt").write_text("m1 m2")
    watch = {"config": {"triggers": [{"id": "in", "workflow_ref": "w", "config": {"folder": "f"}}]}}
    seen_events = []
    for _ in range(2):
        plugin = spawn("mailbox.py")
        plugin.initialize(**project(tmp_path))
        assert plugin.result("trigger/watch", watch) == {"watching": True}
        events = [m["params"] for m in plugin.seen if m.get("method") == "trigger/event"]
        events += [plugin.until("trigger/event")] if not events else []
        seen_events.append(events[0])
        plugin.tell("trigger/ack", {"event_id": events[0]["event_id"], "status": "started"})
        assert plugin.result("shutdown") == {}
        plugin.tell("exit")
        assert plugin.wait() == 0
    assert seen_events == [{"event_id": name, "trigger_id": "in", "payload": {"in": "f"}} for name in ("m1", "m2")]
    assert (tmp_path / "acked.txt").read_text() == "m1\nm2\n"


def test_a_trigger_that_fails_says_why_in_place_of_an_event(spawn: Any, tmp_path: Path) -> None:
    (tmp_path / "inbox.txt").write_text("broken")
    plugin = spawn("mailbox.py")
    plugin.initialize(**project(tmp_path))
    error = plugin.error("trigger/watch", {"config": {"triggers": [{"id": "in", "config": {}}]}})
    assert (error["code"], error["message"]) == (-32602, "config.triggers[0] (in): folder: Field required")
    error = plugin.error("trigger/watch", {"config": {}})
    assert (error["code"], error["message"]) == (-32603, "the folder is gone")


def test_a_web_ui_lets_go_of_its_address_however_it_ends(spawn: Any) -> None:
    ends = {
        "shutdown": lambda plugin: plugin.result("shutdown") and None,
        "end of input": lambda plugin: plugin.end_input(),
        "SIGTERM": lambda plugin: plugin.process.send_signal(signal.SIGTERM),
    }
    first = spawn("gateway.py")
    assert first.initialize()["plugin_info"]["plugin_kind"] == "web_ui"
    address = first.result("transport/start", START)["bound_addr"]
    plugin = first
    for name, end in ends.items():
        other = spawn("gateway.py")
        other.initialize()
        refused = other.error("transport/start", {**START, "bind_addr": address})
        assert refused["data"]["category"] == "address_in_use", name
        end(plugin)
        plugin.tell("exit") if name == "shutdown" else None
        assert plugin.wait() == 0
        assert "closed" in plugin.stderr(), name
        assert not listens(address)
        assert other.result("transport/start", {**START, "bind_addr": address})["bound_addr"] == address
        plugin = other


def test_a_plain_generator_streams_a_run_and_waits_for_a_slow_reader(spawn: Any) -> None:
    plugin = spawn("reciter.py")
    plugin.initialize()
    run = {"prompt": "one two", "cwd": "/", "session_id": "s"}
    result = plugin.result("agent/run", run)
    assert (result["output"], result["backend"]) == ("onetwo", "reciter")
    assert result["decision_verdict"] == {"verdict": "advance", "reason": "recited"}
    before = len(plugin.seen)
    result = plugin.result("agent/run", {**run, "prompt": "flood"})
    pieces = [m["params"]["text"] for m in plugin.seen[before:-1]]
    assert [piece.split()[0] for piece in pieces[:-1]] == [str(number) for number in range(2000)]
    assert "".join(pieces) == result["output"]


def test_a_bundle_answers_for_its_parts_and_ends_though_a_thread_of_it_never_does(spawn: Any) -> None:
    plugin = spawn("office.py")
    hello = plugin.initialize()
    assert hello["plugin_info"]["plugin_kinds"] == ["notifier", "log_storage_backend"]
    assert [one["name"] for one in hello["capabilities"]["mcp_tools"]] == ["leave"]
    assert plugin.result("log_storage/tail") == {"tailing": True}
    storing = plugin.send("log_storage/store", {"entries": [{**ENTRY, "id": "1"}]})
    assert plugin.until("log_storage/event")["entry"]["id"] == "1"
    assert plugin.reply(storing)["result"] == {"stored": 1}
    number = plugin.send("office/block")
    plugin.stderr_until("blocked")
    assert plugin.result("$/ping") == {}
    plugin.tell("$/cancelRequest", {"id": number})
    assert plugin.reply(number)["error"]["code"] == -32002
    plugin.send("shutdown")  # waits for the one thread, which never comes back
    plugin.tell("exit")
    assert plugin.wait() == 0


@pytest.mark.parametrize("way", ["exit", "interrupt"])
def test_a_task_of_the_plugins_code_cannot_end_the_process(spawn: Any, way: str) -> None:
    plugin = spawn("office.py")
    plugin.initialize()
    error = plugin.error("leave", {"way": way})
    assert (error["code"], error["message"]) == (-32603, "internal error")
    assert plugin.result("$/ping") == {}
    assert plugin.result("shutdown") == {}
    plugin.tell("exit")
    assert plugin.wait() == 0
    assert "Traceback" in plugin.stderr()


def test_mistakes_in_the_class_end_the_program_with_what_to_write(run_plugin: Any, tmp_path: Path) -> None:
    program = tmp_path / "mistaken.py"
    program.write_text(
        "from animus_sdk import SubjectBackend, serve\n"
        "class Tickets(SubjectBackend):\n    version = '1'\n    subject_kinds = 'ticket'\nserve(Tickets)\n"
    )
    for arguments in ((), ("--manifest",)):
        done = run_plugin(str(program), *arguments)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().splitlines() == [
            'Tickets has no name: write name = "…" in the class',
            'Tickets.subject_kinds is one text and has to be a tuple: write subject_kinds = ("ticket",) in the class',
        ]


def test_the_manifest_of_every_role_is_complete(run_plugin: Any) -> None:
    kinds = {
        "mailbox.py": "trigger_backend",
        "gateway.py": "web_ui",
        "reciter.py": "provider",
        "office.py": "notifier",
    }
    for program, kind in kinds.items():
        done = run_plugin(program, "--manifest")
        manifest = json.loads(done.stdout)
        assert (done.returncode, manifest["plugin_kind"]) == (0, kind)
        assert "health/check" in manifest["capabilities"]
    assert manifest["plugin_kinds"] == ["notifier", "log_storage_backend"]
    assert manifest["supports_mcp"] is True
