"""The real plugin process, spoken to as a host does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import animus_log_jsonl

DEADLINE_S = 20
ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(animus_log_jsonl.__file__).parents[1])}


def test_a_session_from_initialize_to_exit(host: Any, json_of: Any, path: Path) -> None:
    one = host(ANIMUS_LOG_RETENTION_DAYS="2")
    one.begin()
    schema = one.result("log_storage/schema")
    assert all(schema["supports_filtering"].values())
    assert (schema["supports_query"], schema["supports_tail"], schema["supports_dedup"]) == (True, True, True)
    assert schema["retention_hint"] == 2 * 86_400_000

    tail = one.send("log_storage/tail", target_glob="t*")
    assert one.reply(tail)["result"] == {"tailing": True}
    sent = json_of(1, ts="2026-03-01T02:00:00.25+05:30", fields={"n": [1, None]}, source_name="x")
    assert one.store(sent, json_of(2, target="other"), json_of(3)) == 3
    assert one.store(sent) == 0
    events = [one.event() for _ in range(2)]
    assert [event["id"] for event in events] == [tail, tail]
    assert events[0]["entry"] == {**sent, "ts": "2026-03-01T02:00:00.250000+05:30"}
    assert events[1]["entry"]["id"] == "e-3"

    page = one.result("log_storage/query", limit=2)
    assert [entry["id"] for entry in page["entries"]] == ["e-1", "e-2"]
    assert one.ids() == ["e-1", "e-2", "e-3"]
    assert one.result("health/check")["status"] == "healthy"
    assert one.end() == 0
    assert {stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()} == {0o600}

    two = host()
    two.begin()
    page = two.result("log_storage/query", limit=2, cursor=page["next_cursor"])
    assert [entry["id"] for entry in page["entries"]] == ["e-3"]


def test_the_default_file_is_outside_the_project(host: Any, json_of: Any, tmp_path: Path) -> None:
    one = host(ANIMUS_LOG_FILE_PATH="")
    one.begin(repo_scope="shop-1a2b")
    one.store(json_of(1))
    assert (tmp_path / ".animus/shop-1a2b/logs/log.jsonl").read_bytes().count(b"\n") == 1


def test_a_cancelled_tail_ends_and_another_goes_on(host: Any, json_of: Any) -> None:
    one = host()
    one.begin()
    first, second = (one.send("log_storage/tail") for _ in range(2))
    assert one.reply(first)
    assert one.reply(second)
    one.tell("$/cancelRequest", id=first)
    one.store(json_of(1))
    one.store(json_of(2))
    assert [(event["id"], event["entry"]["id"]) for event in (one.event(), one.event())] == [
        (second, "e-1"),
        (second, "e-2"),
    ]


def test_a_reader_of_the_wire_that_stops_for_a_while_loses_nothing(host: Any, json_of: Any) -> None:
    one = host(ANIMUS_LOG_ROTATE_BYTES="500000", ANIMUS_LOG_FSYNC="never")
    one.begin()
    assert one.reply(one.send("log_storage/tail"))
    one.is_reading.clear()
    sent = [
        one.send("log_storage/store", entries=[json_of(number, message="x" * 2_000) for number in range(at, at + 50)])
        for at in range(0, 3_000, 50)
    ]
    one.is_reading.set()
    assert [one.event()["entry"]["id"] for _ in range(3_000)] == [f"e-{number}" for number in range(3_000)]
    assert all(one.reply(number)["result"] == {"stored": 50} for number in sent)


def test_bad_cursors_are_refused_by_queries_and_tails(host: Any) -> None:
    one = host()
    one.begin()
    for method in ("log_storage/query", "log_storage/tail"):
        error = one.error(method, cursor="nonsense")
        assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
        assert "cursor 'nonsense'" in error["message"]


def test_a_second_process_is_refused_until_the_first_has_ended(host: Any, json_of: Any) -> None:
    one, two = host(), host()
    one.begin()
    error = two.error("initialize", two.initialize_params())
    assert error["data"]["category"] == "unavailable"
    assert f"process {one.process.pid} writes this log" in error["message"]
    one.store(json_of(1))
    assert one.end() == 0
    three = host()
    three.begin()
    assert three.ids() == ["e-1"]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ANIMUS_LOG_FSYNC", "maybe", "ANIMUS_LOG_FSYNC='maybe': write `always`"),
        ("ANIMUS_LOG_FILE_PATH", "/dev/null/log", "no log can be kept there"),
        ("ANIMUS_LOG_FILE_PATH", "folder", "no log can be kept there"),
        ("ANIMUS_LOG_FILE_PATH", "link", "a symbolic link, name the file itself"),
        ("ANIMUS_LOG_FILE_PATH", "log", "log.index"),
    ],
)
def test_a_setting_that_cannot_work_refuses_initialize(
    host: Any, tmp_path: Path, variable: str, value: str, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("link", "log.index"):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    one = host(**{variable: value})
    error = one.error("initialize", one.initialize_params())
    assert (error["code"], error["data"]["category"]) == (-32602, "invalid_request")
    assert said in error["message"]
    assert value in error["message"]
    assert not (tmp_path / "elsewhere").exists()


def test_the_manifest_names_every_variable() -> None:
    events = subprocess.run(
        [sys.executable, "-m", "animus_log_jsonl", "--manifest"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=DEADLINE_S,
        env=ENV,
    )
    manifest = json.loads(events.stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("animus-log-jsonl", "log_storage_backend")
    sources = "".join(path.read_text() for path in Path(animus_log_jsonl.__file__).parent.glob("settings.py"))
    assert all(f'"{needed["name"]}"' in sources for needed in manifest["env_required"])
    assert len(manifest["env_required"]) == 7


@pytest.mark.bare
def test_the_manifest_is_told_without_opening_a_database() -> None:
    program = (
        "import sys, animus_log_jsonl.plugin as p; p.JsonlLogPlugin.manifest();"
        "sys.exit(bool({'sqlite3', 'animus_log_jsonl.log'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=DEADLINE_S, check=False, env=ENV).returncode == 0
