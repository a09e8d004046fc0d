from __future__ import annotations

import json
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


def start(host: BlockingHarness, folder: Path, **more: Any) -> str:
    params = {"control_socket_path": str(folder / "control.sock"), "project_root": str(folder), **more}
    url: str = host.request("transport/start", params)["bound_addr"]
    return url


def test_the_page_is_whole(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    url = start(host, tmp_path, config={"title": "<Mine>"})
    status, page = get(f"{url}/")
    assert status == 200
    assert b"<h1>&lt;Mine&gt;</h1>" in page
    for name in ("page.css", "page.js"):
        assert name.encode() in page
        assert get(f"{url}/{name}")[0] == 200


def test_the_status_is_what_the_daemon_says(host: BlockingHarness, daemon: Any, get: Any) -> None:
    daemon.answers["daemon/status"] = {"result": {"running": True}}
    status, body = get(f"{start(host, daemon.path.parent)}/status.json")
    assert (status, json.loads(body)) == (200, {"running": True})


def test_without_a_daemon_it_is_there_and_says_so(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    url = start(host, tmp_path)
    assert get(f"{url}/healthz")[0] == 200
    status, body = get(f"{url}/status.json")
    assert (status, json.loads(body)["running"]) == (503, False)


def test_files_beside_the_page_are_not_served(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    url = start(host, tmp_path)
    for path in ("../plugin.py", "/../plugin.py", "%2e%2e/plugin.py"):
        assert get(f"{url}/{path}")[0] == 404


def test_a_page_under_a_name_of_its_own_is_turned_away(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    assert get(f"{start(host, tmp_path)}/", Host="elsewhere.example:80")[0] == 403


def test_a_mistake_in_the_configuration_is_named(host: BlockingHarness, tmp_path: Path) -> None:
    with pytest.raises(RpcError, match="titel"):
        start(host, tmp_path, config={"titel": "Mine"})


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
