from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from animus_sdk import LogEntry, LogQuery, RpcError
from animus_sdk.testing import BlockingHarness

from {{ cookiecutter.__package }}.journal import Journal
from {{ cookiecutter.__package }}.plugin import {{ cookiecutter.__class }}
from {{ cookiecutter.__package }}.selection import wants


@pytest.fixture
def start(animus_host: Any, tmp_path: Path) -> Callable[[], BlockingHarness]:
    env = {"ANIMUS_CONFIG_DIR": str(tmp_path / "home")}
    return lambda: animus_host({{ cookiecutter.__class }}, env=env)


@pytest.fixture
def host(start: Callable[[], BlockingHarness]) -> BlockingHarness:
    return start()


def entry(number: int, **more: Any) -> dict[str, Any]:
    ordinary = {"level": "info", "source": "daemon", "target": "queue.lease", "message": f"entry {number}"}
    return {"id": f"E-{number}", "ts": f"2030-01-01T00:00:{number:02d}Z", **ordinary, **more}


def store(host: BlockingHarness, *entries: dict[str, Any]) -> int:
    stored: int = host.request("log_storage/store", {"entries": entries})["stored"]
    return stored


def test_entries_are_given_back_page_by_page(host: BlockingHarness) -> None:
    store(host, *(entry(number) for number in range(5)))
    found, query = [], {"limit": 2}
    while True:
        page = host.request("log_storage/query", query)
        found += [one["id"] for one in page["entries"]]
        if "next_cursor" not in page:
            break
        query = {"limit": 2, "cursor": page["next_cursor"]}
    assert found == ["E-0", "E-1", "E-2", "E-3", "E-4"]


def test_an_entry_that_comes_twice_is_stored_once(host: BlockingHarness) -> None:
    assert store(host, entry(1), entry(1)) == 1
    assert store(host, entry(1), entry(2)) == 1


def test_an_entry_is_forgotten_only_after_many_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("{{ cookiecutter.__package }}.journal.REMEMBERED_IDS", 2)
    journal = Journal(tmp_path / "log.jsonl")
    journal.open()
    entries = [LogEntry.model_validate(entry(number)) for number in range(3)]
    assert journal.append(entries) == 3
    journal.open()  # as after a restart
    assert [journal.append([one]) for one in reversed(entries)] == [0, 0, 1]


def test_a_store_that_is_cancelled_does_not_spoil_the_next_one(
    host: BlockingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on, fsync = threading.Event(), threading.Event(), os.fsync

    def slow_fsync(descriptor: int) -> None:
        writing.set()
        assert go_on.wait(10)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store, host, entry(1))
        assert writing.wait(10)
        host.notify("$/cancelRequest", {"id": host.request_id("log_storage/store")})
        with pytest.raises(RpcError) as refused:
            first.result(timeout=10)
        second = pool.submit(store, host, entry(2))
        go_on.set()
        assert second.result(timeout=10) == 1
    assert refused.value.code == -32002
    assert [one["id"] for one in host.request("log_storage/query", {})["entries"]] == ["E-1", "E-2"]


def test_a_tail_tells_what_is_stored_from_then_on(host: BlockingHarness) -> None:
    store(host, entry(1))
    host.request("log_storage/tail", {"min_level": "warn"})
    store(host, entry(2), entry(3, level="error"))
    assert host.next_notification("log_storage/event")["entry"]["id"] == "E-3"


def test_half_a_line_of_a_crash_is_cut_off(start: Callable[[], BlockingHarness], tmp_path: Path) -> None:
    store(start(), entry(1))
    [path] = (tmp_path / "home").rglob("log.jsonl")
    with path.open("a") as file:
        file.write('{"id": "E-')
    again = start()
    assert store(again, entry(2)) == 1
    assert [one["id"] for one in again.request("log_storage/query", {})["entries"]] == ["E-1", "E-2"]


def test_a_cursor_from_elsewhere_is_refused(host: BlockingHarness) -> None:
    store(host, entry(1))
    for cursor in ("7", "9" * 18, "no-cursor"):
        with pytest.raises(RpcError, match="cursor"):
            host.request("log_storage/query", {"cursor": cursor})


@pytest.mark.parametrize(
    ("glob", "fits"), [("queue.lease", True), ("queue.*", True), ("*lease*", True), ("q*q*", False), ("lease", False)]
)
def test_a_star_stands_for_any_letters(glob: str, fits: bool) -> None:
    assert wants(LogQuery(target_glob=glob), LogEntry.model_validate(entry(1))) is fits


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
