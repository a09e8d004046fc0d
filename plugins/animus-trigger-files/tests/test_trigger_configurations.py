"""Which triggers are ours, what a mistake in one is answered, and how the process begins and ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import DEADLINE_S, Host, put

Start = Callable[..., Host]


def test_the_schema_says_what_is_supported_and_triggers_of_other_plugins_are_passed_over_and_named(
    host: Start, root: Path
) -> None:
    plugin = host()
    assert plugin.result("trigger/schema") == {
        "kinds": ["file_watcher"],
        "supports_resume": True,
        "supports_dedup": True,
        "supports_ack": True,
    }
    plugin.watch_all(
        {"id": "hook", "workflow_ref": "w", "config": {"secret_env": "X", "max_triggers_per_minute": 10}},
        {"id": "bare", "workflow_ref": "w"},
        {"id": "odd", "workflow_ref": "w", "config": [1]},
        {"id": "src", "workflow_ref": "w", "config": {"paths": ["src"], "debounce_secs": 0, "ignore": None}},
    )
    put(root / "src/a", "1")
    assert plugin.event("trigger/event")["trigger_id"] == "src"
    (entry,) = [answer["params"] for answer in plugin.notifications if answer["method"] == "log/entry"]
    assert (entry["level"], entry["message"]) == ("info", "triggers of other plugins, passed over: hook, bare, odd")


def test_a_mistake_in_a_trigger_of_ours_is_refused_with_its_place(host: Start) -> None:
    plugin = host()
    for config, message in (
        ({"paths": []}, "config.triggers[0] (t): paths: List should have at least 1 item after validation, not 0"),
        ({"paths": "src"}, "config.triggers[0] (t): paths: Input should be a valid list"),
        ({"paths": ["src"], "debounce": 1}, "config.triggers[0] (t): debounce: Extra inputs are not permitted"),
        ({"paths": ["src"], "debounce_secs": -1}, "config.triggers[0] (t): debounce_secs: "),
        ({"paths": ["src"], "debounce_secs": True}, "config.triggers[0] (t): debounce_secs: "),
        ({"ignore": ["x"]}, "config.triggers[0] (t): paths: Field required"),
        ({"paths": ["src", "../x"]}, "trigger t: paths[1]: '../x' leaves the project"),
    ):
        error = plugin.ask("trigger/watch", config={"triggers": [{"id": "t", "config": config}]})["error"]
        assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
        assert error["message"].startswith(message)
    trigger = {"id": "t", "config": {"paths": ["src"]}}
    error = plugin.ask("trigger/watch", config={"triggers": [trigger, trigger]})["error"]
    assert error["message"] == "trigger t: there are two of this id - rename one"


@pytest.mark.parametrize("config", [None, {"triggers": [{"id": "chat", "config": {}}]}])
def test_a_watch_without_a_trigger_of_ours_stays_silent_and_ends_in_order(host: Start, root: Path, config: Any) -> None:
    plugin = host()
    assert plugin.result("trigger/watch", config=config) == {"watching": True}
    put(root / "src/a", "1")
    assert plugin.result("health/check")["status"] == "healthy"
    assert plugin.end() == 0
    assert "trigger/event" not in [answer["method"] for answer in plugin.notifications]


def _eventually(plugin: Host, condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within the deadline, asked once a round trip."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < deadline:
        plugin.result("$/ping")
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="threads and subscriptions are counted in /proc")
def test_a_cancelled_watch_leaves_no_thread_and_no_subscription(host: Start, root: Path) -> None:
    plugin = host()
    process = Path(f"/proc/{plugin.process.pid}")

    def threads() -> int:
        return len([*(process / "task").iterdir()])

    def subscriptions() -> int:
        count = 0
        for descriptor in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed since they were listed
                count += "inotify" in os.readlink(descriptor)
        return count

    plugin.end_watch(plugin.watch(paths=["src"]))
    assert _eventually(plugin, lambda: subscriptions() == 0)
    before = threads()
    for number in range(3):
        request = plugin.watch(paths=["src"])
        put(root / "src/a", str(number))
        plugin.changes()
        assert _eventually(plugin, lambda: subscriptions() == 1)
        plugin.end_watch(request)
        assert _eventually(plugin, lambda: subscriptions() == 0 and threads() <= before + 1)


def test_an_end_in_the_middle_of_a_look_at_many_files_is_quick(host: Start, root: Path) -> None:
    for number in range(1_000):
        (root / f"src/{number}").touch()
    plugin = host()
    plugin.watch(paths=["src"])
    assert plugin.end() == 0


@pytest.mark.parametrize(
    ("env", "scope", "message"),
    [
        ({"ANIMUS_CONFIG_DIR": "relative"}, "demo-1", "ANIMUS_CONFIG_DIR is 'relative'"),
        ({}, "../../etc", "repo_scope '../../etc' is not a folder name"),
    ],
)
def test_a_place_that_cannot_hold_state_is_refused_at_the_start(
    host: Start, env: dict[str, str], scope: str, message: str
) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        host(env=env, scope=scope)


@pytest.mark.bare
def test_the_manifest_is_told_without_reading_databases_or_watching_files() -> None:
    program = (
        "import sys, animus_trigger_files.plugin as p; print(p.FilesTrigger.manifest().model_dump_json());"
        "sys.exit(bool({'sqlite3', 'watchfiles'} & set(sys.modules)))"
    )
    sources = str(Path(__file__).parents[1] / "src")
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
        env={**os.environ, "PYTHONPATH": sources},
    )
    manifest = json.loads(answer.stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("animus-trigger-files", "trigger_backend")
    assert [one["name"] for one in manifest["env_required"]] == ["ANIMUS_CONFIG_DIR", "XDG_STATE_HOME"]
