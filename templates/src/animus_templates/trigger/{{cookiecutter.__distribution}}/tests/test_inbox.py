from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from animus_sdk import RpcError
from animus_sdk.testing import BlockingHarness

from {{ cookiecutter.__package }}.plugin import {{ cookiecutter.__class }}


@pytest.fixture
def host(animus_host: Any) -> BlockingHarness:
    started: BlockingHarness = animus_host({{ cookiecutter.__class }})
    return started


def watch(host: BlockingHarness, folder: str = "inbox") -> None:
    triggers = [{"id": "mail", "workflow_ref": "sort", "config": {"folder": folder}}]
    host.request("trigger/watch", {"config": {"triggers": triggers}})


def drop(root: Path, name: str) -> None:
    """Put a whole file into the folder."""
    draft = root / "inbox" / f".{name}"
    draft.write_text("Dear all")
    draft.rename(root / "inbox" / name)


def test_a_file_that_is_dropped_becomes_an_event(host: BlockingHarness, tmp_path: Path) -> None:
    watch(host)
    drop(tmp_path, "letter.txt")
    event = host.next_notification("trigger/event")
    assert event["trigger_id"] == "mail"
    assert event["payload"] == {"path": "inbox/letter.txt", "size_bytes": 8}


def test_an_acknowledged_event_does_not_return(animus_host: Any, tmp_path: Path) -> None:
    first = animus_host({{ cookiecutter.__class }})
    watch(first)
    for name in ("a.txt", "b.txt"):
        drop(tmp_path, name)
        event = first.next_notification("trigger/event")
    first.request("trigger/ack", {"event_id": event["event_id"], "status": "accepted"})
    [done] = (tmp_path / "inbox" / "done").iterdir()
    assert done.name.endswith("-b.txt")

    again = animus_host({{ cookiecutter.__class }})
    watch(again)
    assert again.next_notification("trigger/event")["payload"]["path"] == "inbox/a.txt"
    assert not again.notifications("trigger/event")


def test_an_acknowledged_file_is_done_also_where_somebody_took_the_folder_away(
    host: BlockingHarness, tmp_path: Path
) -> None:
    watch(host)
    shutil.rmtree(tmp_path / "inbox" / "done")
    drop(tmp_path, "letter.txt")
    event = host.next_notification("trigger/event")
    host.request("trigger/ack", {"event_id": event["event_id"]})
    assert not (tmp_path / "inbox" / "letter.txt").exists()
    assert [*(tmp_path / "inbox" / "done").iterdir()]


def test_an_acknowledgement_of_something_else_moves_nothing(host: BlockingHarness, tmp_path: Path) -> None:
    watch(host)
    drop(tmp_path, "letter.txt")
    host.next_notification("trigger/event")
    host.request("trigger/ack", {"event_id": "mail:inbox/../letter.txt@1"})
    assert (tmp_path / "inbox" / "letter.txt").exists()


@pytest.mark.parametrize("folder", ["..", ".", "/tmp", "inbox/../.."])
def test_a_folder_outside_the_project_is_refused(host: BlockingHarness, folder: str) -> None:
    with pytest.raises(RpcError, match="below the project"):
        watch(host, folder)


def test_the_trigger_of_another_plugin_is_left_alone(host: BlockingHarness, tmp_path: Path) -> None:
    triggers = [{"id": "nightly", "config": {"schedule": "0 3 * * *"}}]
    assert host.request("trigger/watch", {"config": {"triggers": triggers}}) == {"watching": True}
    assert not [*tmp_path.iterdir()]


def test_a_mistake_in_the_configuration_is_named(host: BlockingHarness) -> None:
    triggers = [{"id": "mail", "config": {"folder": 7}}]
    with pytest.raises(RpcError, match=r"mail.*folder"):
        host.request("trigger/watch", {"config": {"triggers": triggers}})


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
