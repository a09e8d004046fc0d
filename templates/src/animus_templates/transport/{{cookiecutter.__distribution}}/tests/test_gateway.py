from __future__ import annotations

import asyncio
import json
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from animus_sdk import RpcError
from animus_sdk.testing import BlockingHarness

from {{ cookiecutter.__package }}.http import HttpServer, Request, Response, as_json
from {{ cookiecutter.__package }}.plugin import {{ cookiecutter.__class }}


@pytest.fixture
def host(animus_host: Any) -> BlockingHarness:
    started: BlockingHarness = animus_host({{ cookiecutter.__class }})
    return started


def start(host: BlockingHarness, folder: Path, **more: Any) -> str:
    params = {"control_socket_path": str(folder / "control.sock"), "project_root": str(folder), **more}
    return f"http://{host.request('transport/start', params)['bound_addr']}"


def test_what_the_daemon_says_is_answered(host: BlockingHarness, daemon: Any, get: Any) -> None:
    daemon.answers["subject/get"] = {"result": {"id": "T-1"}}
    status, body = get(f"{start(host, daemon.path.parent)}/subject/get?id=T-1")
    assert (status, json.loads(body)) == (200, {"id": "T-1"})


def test_what_the_daemon_refuses_is_refused_with_its_reason(host: BlockingHarness, daemon: Any, get: Any) -> None:
    error = {"code": -32602, "message": "not found: T-1", "data": {"category": "not_found"}}
    daemon.answers["subject/get"] = {"error": error}
    status, body = get(f"{start(host, daemon.path.parent)}/subject/get?id=T-1")
    assert status == 404
    assert b"T-1" in body


def test_without_a_daemon_it_is_there_and_says_so(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    url = start(host, tmp_path)
    assert get(f"{url}/healthz")[0] == 200
    assert get(f"{url}/daemon/status")[0] == 503


def test_what_changes_something_cannot_be_asked_for(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    assert get(f"{start(host, tmp_path)}/daemon/stop")[0] == 404


def test_a_page_under_a_name_of_its_own_is_turned_away(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    assert get(f"{start(host, tmp_path)}/healthz", Host="elsewhere.example:80")[0] == 403


def test_other_machines_cannot_be_listened_to(host: BlockingHarness, tmp_path: Path) -> None:
    with pytest.raises(RpcError, match="other machines"):
        start(host, tmp_path, bind_addr="0.0.0.0:0")


def test_a_mistake_in_the_configuration_is_named(host: BlockingHarness, tmp_path: Path) -> None:
    with pytest.raises(RpcError, match="daemon/stop"):
        start(host, tmp_path, config={"methods": ["daemon/stop"]})


def test_an_address_that_is_taken_is_told_as_such(host: BlockingHarness, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RpcError) as refused:
        start(host, tmp_path, bind_addr=f"127.0.0.1:{taken.getsockname()[1]}")
    assert refused.value.category == "address_in_use"


def test_a_server_that_never_came_to_listen_can_be_closed() -> None:
    async def answer(request: Request) -> Response:
        return as_json({})

    asyncio.run(HttpServer(answer).close())


def test_the_address_is_free_after_shutdown(host: BlockingHarness, tmp_path: Path, get: Any) -> None:
    address = start(host, tmp_path).removeprefix("http://")
    host.request("transport/shutdown")
    assert get(f"{start(host, tmp_path, bind_addr=address)}/healthz")[0] == 200


def test_the_manifest_has_the_version_of_the_package(host: BlockingHarness) -> None:
    assert host.manifest.version == version("{{ cookiecutter.__distribution }}")
