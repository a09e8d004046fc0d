"""What outlives acknowledgements, restarts and SIGKILL: a change is told until it is acknowledged, and never again."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import DEADLINE_S, Host, changes_of, put

Start = Callable[..., Host]


def nothing_but(plugin: Host, path: Path) -> dict[str, str]:
    """Make a change, and the changes of the next event: whatever was told before it would come first."""
    put(path, "marker")
    return plugin.changes()


def kill(plugin: Host) -> None:
    plugin.process.kill()
    assert plugin.process.wait(DEADLINE_S) == -signal.SIGKILL


def test_an_event_is_told_again_with_the_same_id_until_it_is_acknowledged(host: Start, root: Path) -> None:
    plugin = host()
    request = plugin.watch(paths=["src"])
    put(root / "src/a", "1")
    first = plugin.event("trigger/event")
    plugin.end_watch(request)
    plugin.watch(paths=["src"])
    assert plugin.event("trigger/event") == first
    kill(plugin)

    plugin = host()
    plugin.watch(paths=["src"])
    assert plugin.event("trigger/event") == first
    plugin.tell("trigger/ack", event_id=first["event_id"], status="Queued")
    assert plugin.end() == 0

    plugin = host()
    plugin.watch(paths=["src"])
    assert nothing_but(plugin, root / "src/b") == {"src/b": "added"}


def test_an_acknowledged_event_does_not_return_after_sigkill(host: Start, root: Path) -> None:
    plugin = host()
    plugin.watch(paths=["src"])
    put(root / "src/a", "1")
    assert plugin.changes() == {"src/a": "added"}
    kill(plugin)
    plugin = host()
    plugin.watch(paths=["src"])
    assert nothing_but(plugin, root / "src/b") == {"src/b": "added"}


@pytest.mark.parametrize("end", [kill, Host.end])
def test_changes_made_while_nobody_watched_are_told_once_at_the_next_start(
    host: Start, root: Path, end: Callable[[Host], Any]
) -> None:
    put(root / "src/changed", "1")
    put(root / "src/deleted", "1")
    put(root / "src/saved", "1")
    plugin = host()
    plugin.watch(paths=["src"])
    assert nothing_but(plugin, root / "src/marker") == {"src/marker": "added"}
    end(plugin)
    put(root / "src/changed", "2")
    (root / "src/deleted").unlink()
    put(root / "src/saved", "1")
    put(root / "src/added", "1")
    plugin = host()
    plugin.watch(paths=["src"], debounce_secs=0.1)
    assert plugin.changes() == {"src/changed": "modified", "src/deleted": "deleted", "src/added": "added"}
    plugin.end()
    plugin = host()
    plugin.watch(paths=["src"])
    assert nothing_but(plugin, root / "src/again") == {"src/again": "added"}


@pytest.mark.parametrize("point", ["trigger-files.recording", "trigger-files.recorded", "trigger-files.acknowledged"])
def test_a_crash_at_any_step_loses_no_change_and_doubles_none(
    host: Start, root: Path, tmp_path: Path, point: str
) -> None:
    plugin = host(env={"ANIMUS_CRASH_POINT": f"{point}@1:{tmp_path}/crashed"})
    plugin.watch(paths=["src"])
    put(root / "src/a", "1")
    if point == "trigger-files.acknowledged":
        plugin.tell("trigger/ack", event_id=plugin.event("trigger/event")["event_id"], status="Queued")
    assert plugin.process.wait(DEADLINE_S) == -signal.SIGKILL
    assert (tmp_path / "crashed").exists()

    plugin = host()
    plugin.watch(paths=["src"])
    if point != "trigger-files.acknowledged":
        assert plugin.changes() == {"src/a": "added"}
    assert nothing_but(plugin, root / "src/b") == {"src/b": "added"}


def test_a_cursor_acknowledges_its_own_event_alone_and_anything_else_is_ignored(host: Start, root: Path) -> None:
    plugin = host()
    trigger = {"id": "t", "config": {"paths": ["src"], "debounce_secs": 0}}
    request = plugin.watch_all(trigger)
    events = []
    for name in ("a", "b"):
        put(root / "src" / name, "1")
        events.append(plugin.event("trigger/event"))
    for cursor in (7, {"x": 1}, "junk", "-", "x-1", f"{events[0]['event_id']}0", "9" * 40):
        plugin.end_watch(request)
        request = plugin.watch_all(trigger, cursor=cursor)
        assert [plugin.event("trigger/event"), plugin.event("trigger/event")] == events
    kill(plugin)
    plugin = host()
    plugin.watch_all(trigger, cursor=events[1]["event_id"])
    assert plugin.event("trigger/event") == events[0]
    plugin.result("trigger/ack", event_id=events[0]["event_id"], status="Queued")
    assert nothing_but(plugin, root / "src/c") == {"src/c": "added"}


def test_an_acknowledgement_of_an_unknown_event_is_harmless_and_one_of_a_host_that_ends_is_none(
    host: Start, root: Path
) -> None:
    plugin = host()
    for event_id in ("unknown", "x-1", "", "1-2-3"):
        assert plugin.result("trigger/ack", event_id=event_id) == {"event_id": event_id, "acked": True}
    request = plugin.watch(paths=["src"])
    put(root / "src/a", "1")
    first = plugin.event("trigger/event")
    plugin.result("trigger/ack", event_id=first["event_id"], status="Shutdown")
    plugin.end_watch(request)
    plugin.watch(paths=["src"])
    assert plugin.event("trigger/event") == first


def test_a_second_process_is_refused_and_serves_as_soon_as_the_first_is_gone(host: Start, root: Path) -> None:
    first, second = host(), host()
    first.watch(paths=["src"])
    config = {"triggers": [{"id": "t", "config": {"paths": ["src"], "debounce_secs": 0}}]}
    error = second.ask("trigger/watch", config=config)["error"]
    assert (error["code"], error["data"]["category"]) == (-32603, "unavailable")
    assert f"process {first.process.pid} watches this project already" in error["message"]
    kill(first)
    second.watch(paths=["src"])
    assert nothing_but(second, root / "src/a") == {"src/a": "added"}


def test_other_paths_of_a_trigger_are_no_changes_but_changes_of_the_old_ones_are(host: Start, root: Path) -> None:
    for path in ("src/a", "docs/a", "lib/a"):
        put(root / path, "1")
    plugin = host()
    plugin.watch(paths=["src", "lib"])
    assert nothing_but(plugin, root / "src/marker") == {"src/marker": "added"}
    plugin.end()
    put(root / "src/a", "2")
    (root / "lib/a").unlink()
    plugin = host()
    plugin.watch(paths=["src", "docs"])
    assert plugin.changes() == {"src/a": "modified"}
    assert nothing_but(plugin, root / "docs/marker") == {"docs/marker": "added"}


def test_a_trigger_that_is_no_longer_there_is_forgotten_and_begins_anew(host: Start, root: Path) -> None:
    plugin = host()
    plugin.watch_all(*({"id": name, "config": {"paths": ["src"], "debounce_secs": 0}} for name in ("left", "right")))
    put(root / "src/a", "1")
    assert {plugin.event("trigger/event")["trigger_id"], plugin.event("trigger/event")["trigger_id"]} == {
        "left",
        "right",
    }
    plugin.end()
    plugin = host()
    plugin.watch_all({"id": "right", "config": {"paths": ["src"], "debounce_secs": 0}})
    assert plugin.event("trigger/event")["trigger_id"] == "right"
    plugin.end()
    plugin = host()
    plugin.watch_all()  # a host that names no trigger is told nothing, and nothing is forgotten
    plugin.end()
    assert plugin.notifications == []
    plugin = host()
    plugin.watch_all(*({"id": name, "config": {"paths": ["src"], "debounce_secs": 0}} for name in ("left", "right")))
    assert plugin.event("trigger/event")["trigger_id"] == "right"
    put(root / "src/b", "1")
    seen_events = [plugin.event("trigger/event"), plugin.event("trigger/event")]
    assert sorted((event["trigger_id"], *changes_of(event)) for event in seen_events) == [
        ("left", "src/b"),
        ("right", "src/b"),
    ]


def test_the_state_lies_in_the_scope_of_the_project_or_in_the_system_s_place(
    host: Start, root: Path, config_dir: Path, tmp_path: Path
) -> None:
    plugin = host()
    plugin.watch(paths=["src"])
    state = config_dir / "demo-1/triggers/animus-trigger-files"
    assert (state / "state.sqlite").is_file()
    assert state.stat().st_mode & 0o777 == 0o700
    elsewhere = host(scope=None, env={"XDG_STATE_HOME": str(tmp_path / "xdg")})
    elsewhere.watch(paths=["src"])
    assert len([*(tmp_path / "xdg/animus/triggers").glob("*/animus-trigger-files/state.sqlite")]) == 1


def test_state_within_the_project_does_not_tell_of_itself(host: Start, root: Path) -> None:
    plugin = host(env={"ANIMUS_CONFIG_DIR": str(root / "config")})
    plugin.watch(paths=["."])
    assert nothing_but(plugin, root / "a") == {"a": "added"}
    assert nothing_but(plugin, root / "b") == {"b": "added"}


def test_a_damaged_state_is_named_with_what_to_do(host: Start, root: Path, config_dir: Path) -> None:
    state = config_dir / "demo-1/triggers/animus-trigger-files/state.sqlite"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"no database" * 1000)
    plugin = host()
    config = {"triggers": [{"id": "t", "config": {"paths": ["src"]}}]}
    error = plugin.ask("trigger/watch", config=config)["error"]
    assert error["message"] == (
        f"{state}: file is not a database - delete it to begin anew: what was not told yet is lost then"
    )
    state.unlink()
    plugin.watch(paths=["src"])
    assert nothing_but(plugin, root / "src/a") == {"src/a": "added"}


def test_the_acknowledged_events_of_a_plugin_that_is_killed_again_and_again_add_up_to_what_is_there(
    host: Start, root: Path
) -> None:
    chance = random.Random(20)
    files = [root / f"src/{number % 3}/{number}" for number in range(12)]
    events: dict[str, dict[str, Any]] = {}
    for _ in range(5):
        plugin = host()
        plugin.watch(paths=["src"])
        for _ in range(chance.randrange(1, 15)):
            path = chance.choice(files)
            if path.exists():
                path.unlink()
            else:
                put(path, "1")
        for _ in range(chance.randrange(2)):
            event = plugin.event("trigger/event")
            events[event["event_id"]] = event
            plugin.tell("trigger/ack", event_id=event["event_id"], status="Queued")
        kill(plugin)
    plugin = host()
    plugin.watch(paths=["src", "marker"])
    put(root / "marker", "1")
    while "marker" not in {path for event in events.values() for path in changes_of(event)}:
        event = plugin.event("trigger/event")
        events[event["event_id"]] = event
    there: set[str] = set()
    for event in sorted(events.values(), key=lambda event: int(event["event_id"].rpartition("-")[2])):
        for path, change in changes_of(event).items():
            assert (path in there) == (change == "deleted")
            there ^= {path}
    assert there == {str(path.relative_to(root)) for path in files if path.exists()} | {"marker"}
