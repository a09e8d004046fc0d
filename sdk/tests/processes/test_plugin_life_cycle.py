"""The life cycle as any host sees it (protocol §2): initialize, ping, health, refusals by state."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest


def test_initialize_tells_who_answers_and_what_it_can_do(spawn: Any) -> None:
    plugin = spawn("tasks.py")
    result = plugin.initialize()
    assert result["protocol_version"] == "1.1.0"
    assert result["plugin_info"] == {
        "name": "animus-subject-tasks",
        "version": "1.2.3",
        "plugin_kind": "subject_backend",
        "description": "Tasks in memory, für Tests.",
    }
    capabilities = result["capabilities"]
    assert (capabilities["subject_kinds"], capabilities["streaming"], capabilities["cancellation"]) == (
        ["task", "bug"],
        True,
        True,
    )
    assert "task/list" in capabilities["methods"]
    assert "task/delete" not in capabilities["methods"]
    assert plugin.result("task/get", {"id": "project"})["title"] == f"{plugin.cwd} scope"


@pytest.mark.parametrize("version", ["2.0.0", "0.9.9", "11.0.0", "1", "", "latest", "1.1"])
def test_another_major_and_what_is_no_version_is_refused(ungreeted: Any, version: str) -> None:
    assert ungreeted.error("initialize", ungreeted.initialize_params(protocol_version=version))["code"] == -32600


@pytest.mark.parametrize("version", ["1.0.0", "1.99.0-rc.1+build"])
def test_every_version_of_the_same_major_is_taken(spawn: Any, version: str) -> None:
    assert spawn("tasks.py").initialize(protocol_version=version)["protocol_version"] == "1.1.0"


def test_without_init_extensions_the_working_directory_is_the_project(spawn: Any, tmp_path: Any) -> None:
    plugin = spawn("tasks.py")
    plugin.initialize(init_extensions=None)
    assert plugin.result("task/get", {"id": "project"})["title"] == f"{os.path.realpath(tmp_path)} None"


@pytest.mark.parametrize("binding", [{}, {"project_root": 7}, [], "text"])
def test_a_malformed_project_binding_is_refused_and_says_where(ungreeted: Any, binding: object) -> None:
    params = ungreeted.initialize_params(init_extensions={"project_binding": binding})
    error = ungreeted.error("initialize", params)
    assert error["code"] == -32602
    assert "project_binding" in error["message"]


@pytest.mark.parametrize("params", [{}, {"protocol_version": 1}, {"protocol_version": "1.0.0", "host_info": "me"}])
def test_initialize_without_its_fields_is_refused_with_the_issues(ungreeted: Any, params: object) -> None:
    error = ungreeted.error("initialize", params)
    assert error["code"] == -32602
    assert error["data"]["issues"]


def test_before_initialize_only_the_life_cycle_is_served(spawn: Any) -> None:
    plugin = spawn("tasks.py")
    assert plugin.error("task/list")["code"] == -32000
    assert plugin.error("subject/unwatch", {"watch_id": "1"})["code"] == -32000
    assert plugin.error("no/such")["code"] == -32601
    assert plugin.result("$/ping") == {}
    assert plugin.result("health/check")["status"] == "healthy"
    plugin.initialize()
    assert plugin.result("task/list")


def test_initialize_runs_start_once_also_when_it_is_asked_twice_at_once(spawn: Any) -> None:
    plugin = spawn("stubborn.py")
    first, second = (plugin.send("initialize", plugin.initialize_params()) for _ in range(2))
    assert plugin.reply(first)["result"]
    assert plugin.reply(second)["error"]["code"] == -32600
    assert plugin.error("initialize", plugin.initialize_params())["code"] == -32600
    assert plugin.result("health/check") == {"status": "degraded", "last_error": "started 1 times", "uptime_ms": 7}


def test_a_refused_or_broken_start_says_why_and_may_be_tried_again(spawn: Any) -> None:
    plugin = spawn("stubborn.py")

    def project(root: str) -> Any:
        return plugin.initialize_params(init_extensions={"project_binding": {"project_root": root}})

    refused = plugin.error("initialize", project("/refused"))
    assert (refused["code"], refused["message"], refused["data"]["category"]) == (
        -32603,
        "not for this project",
        "unavailable",
    )
    broken = plugin.error("initialize", project("/broken"))
    assert broken["code"] == -32603
    assert "a mistake in start" not in json.dumps(broken)
    assert "RuntimeError: a mistake in start" in plugin.stderr_until("RuntimeError: a mistake in start")
    assert plugin.result("initialize", project("/good"))


def test_unknown_methods_are_not_found_and_known_ones_that_are_not_served_are_not_supported(tasks: Any) -> None:
    for unknown in ("no/such", "task/no_such", "story/list", "agent/run", "$/unknown", "", "subject"):
        assert tasks.error(unknown)["code"] == -32601, unknown
    for known in ("task/delete", "bug/update", "subject/status"):
        error = tasks.error(known, {"id": "task:1"})
        assert (error["code"], error["data"]["category"]) == (-32001, "not_supported"), known


def test_unknown_notifications_and_odd_frames_are_ignored(tasks: Any) -> None:
    tasks.tell("$/unknown", {"x": 1})
    tasks.tell("$/progress", {"id": 1, "value": None})
    tasks.tell("$/cancelRequest", {"id": 12345})
    tasks.tell("$/cancelRequest", ["what"])
    tasks.tell("no/such")
    tasks.write(b"\n\r\n no JSON at all \xff\xfe\n[]\n7\nnull\n")
    tasks.write(b'{"jsonrpc":"2.0","id":777,"result":{}}\n{"jsonrpc":"2.0","id":1,"result":{"cut":\n')
    assert tasks.result("$/ping") == {}


def test_requests_are_read_in_any_spelling(tasks: Any) -> None:
    ping = {"jsonrpc": "2.0", "id": "pretty", "method": "$/ping", "params": {}}
    tasks.write(json.dumps(ping, indent=2).replace("\n", "\r\n").encode() + b"\r\n")
    assert tasks.reply("pretty")["result"] == {}
    tasks.write(b'\xef\xbb\xbf{"id":"bare","method":"$/ping"}\n')
    assert tasks.reply("bare")["result"] == {}
    tasks.write(b'{"jsonrpc":"2.0","id":"null","method":"task/list","params":null}\n')
    assert tasks.reply("null")["result"]["subjects"]


def test_health_tells_the_uptime(tasks: Any) -> None:
    health = tasks.result("health/check")
    assert set(health) == {"status", "uptime_ms"}
    assert 0 <= health["uptime_ms"] < 60_000


def test_after_shutdown_nothing_new_is_begun_but_pings_are_answered(greet: Any) -> None:
    plugin = greet("tasks.py")
    assert plugin.result("shutdown") == {}
    assert plugin.error("task/list")["code"] == -32600
    assert plugin.error("shutdown")["code"] == -32600
    assert plugin.error("initialize", plugin.initialize_params())["code"] == -32600
    assert plugin.result("$/ping") == {}
    plugin.tell("exit")
    assert plugin.wait() == 0
    assert plugin.stderr().count("stopped") == 1
