from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from animus_sdk import RpcError
from animus_sdk.testing import BlockingHarness

from {{ cookiecutter.__package }}.plugin import KIND, {{ cookiecutter.__class }}


@pytest.fixture
def host(animus_host: Any, tmp_path: Path) -> BlockingHarness:
    env = {"ANIMUS_CONFIG_DIR": str(tmp_path / "home")}
    started: BlockingHarness = animus_host({{ cookiecutter.__class }}, env=env)
    return started


def file_of(tmp_path: Path) -> Path:
    [path] = (tmp_path / "home").rglob("subjects.json")
    return path


def create(host: BlockingHarness, title: str, **more: Any) -> Any:
    return host.request(f"{KIND}/create", {"kind": KIND, "title": title, **more})


def test_a_created_subject_is_listed_and_in_the_file(host: BlockingHarness, tmp_path: Path) -> None:
    subject = create(host, "Answer the phone", priority=1)
    assert host.request(f"{KIND}/list", {})["subjects"] == [subject]
    assert subject["id"] in json.loads(file_of(tmp_path).read_bytes())["subjects"]


def test_a_patch_changes_what_it_names_and_nothing_else(host: BlockingHarness) -> None:
    subject = create(host, "Answer the phone", labels=["a", "b"], assignee="ada")
    patch = {"labels_add": ["c"], "labels_remove": ["a"], "assignee": None}
    changed = host.request(f"{KIND}/update", {"id": subject["id"], "patch": patch})
    assert changed["labels"] == ["b", "c"]
    assert "assignee" not in changed
    assert changed["title"] == subject["title"]


def test_the_next_subject_is_the_ready_one_with_the_highest_priority(host: BlockingHarness) -> None:
    create(host, "Later", priority=4)
    first = create(host, "Now", priority=1)
    assert host.request(f"{KIND}/next", {})["id"] == first["id"]
    host.request(f"{KIND}/status", {"id": first["id"], "status": "done"})
    assert host.request(f"{KIND}/next", {})["title"] == "Later"


def test_a_watch_tells_what_this_plugin_and_others_change(host: BlockingHarness, tmp_path: Path) -> None:
    subject = create(host, "Answer the phone")
    host.request(f"{KIND}/watch", {})
    host.request(f"{KIND}/status", {"id": subject["id"], "status": "done"})
    assert host.next_notification("subject/changed")["change_kind"] == "status-changed"
    file_of(tmp_path).unlink()
    assert host.next_notification("subject/changed")["change_kind"] == "deleted"


def test_a_subject_that_is_not_there_is_told_by_its_id(host: BlockingHarness) -> None:
    with pytest.raises(RpcError, match="no-such-id"):
        host.request(f"{KIND}/get", {"id": "no-such-id"})


def test_a_broken_file_is_named_and_never_replaced(host: BlockingHarness, tmp_path: Path) -> None:
    create(host, "Answer the phone")
    path = file_of(tmp_path)
    path.write_text("{")
    with pytest.raises(RpcError, match=path.name):
        create(host, "Answer the phone")
    assert path.read_text() == "{"
    assert host.request("health/check")["status"] == "degraded"


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
