from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from animus_sdk import RpcError
from animus_sdk.testing import BlockingHarness

from {{ cookiecutter.__package }}.plugin import {{ cookiecutter.__class }}

EVENT = {
    "schema": "animus.daemon-event.v1",
    "id": "../E-1",
    "timestamp": "2030-01-01T00:00:00Z",
    "event_type": "run-failed",
    "data": {"run_id": "R-1"},
}


@pytest.fixture
def host(animus_host: Any, tmp_path: Path) -> BlockingHarness:
    env = {"ANIMUS_CONFIG_DIR": str(tmp_path / "home")}
    started: BlockingHarness = animus_host({{ cookiecutter.__class }}, env=env)
    return started


def messages(tmp_path: Path) -> list[Path]:
    return [*(tmp_path / "home").rglob("outbox/*")]


def test_an_event_becomes_a_message_in_the_outbox(host: BlockingHarness, tmp_path: Path) -> None:
    assert host.request("notifier/notify", {"event": EVENT})["delivered"] == 1
    [path] = messages(tmp_path)
    assert path.read_text(encoding="utf-8").startswith("run-failed\n")
    assert "R-1" in path.read_text(encoding="utf-8")


def test_an_event_that_comes_twice_makes_one_message(host: BlockingHarness, tmp_path: Path) -> None:
    host.request("notifier/notify", {"event": EVENT})
    assert host.request("notifier/notify", {"event": EVENT})["delivered"] == 0
    assert len(messages(tmp_path)) == 1


def test_an_outbox_that_cannot_be_written_is_told(host: BlockingHarness, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(RpcError, match="outbox"):
        host.request("notifier/notify", {"event": EVENT})


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
