"""The life of the transport's process: open, close, open again, and every way to end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STATUS = "/api/v1/daemon/status"
DEADLINE_S = 20.0


def _refuses(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), DEADLINE_S).close()
    except ConnectionRefusedError:
        return True
    return False


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < deadline


def test_the_manifest_is_that_of_a_transport_and_needs_no_server(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("animus-transport-http"), "--manifest"]
    manifest = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=DEADLINE_S).stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("animus-transport-http", "transport_backend")
    code = "import animus_transport_http.plugin, sys; print([m for m in ('starlette', 'uvicorn') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=DEADLINE_S)
    assert loaded.stdout == b"[]\n"


def test_it_listens_where_it_is_told_and_says_what_it_can(plugin: Any, daemon: Any, client_at: Any) -> None:
    assert plugin.ask("transport/schema")["result"] == {
        "kinds": ["http"],
        "supports_streaming": True,
        "supports_websocket": False,
    }
    reply = plugin.open(daemon.path, "[::1]:0")
    assert reply["result"]["bound_addr"].startswith("[::1]:")
    assert client_at(reply).get(STATUS).status == 200


def test_an_address_in_use_is_told_and_free_again_after_shutdown(plugin: Any, daemon: Any, client_at: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        error = plugin.open(daemon.path, address)["error"]
        assert error["data"]["category"] == "address_in_use"
        assert address in error["message"]
    for _ in range(2):
        reply = plugin.open(daemon.path, address)
        assert client_at(reply).get(STATUS).status == 200
        assert plugin.ask("transport/shutdown")["result"] == {}
        assert _refuses(address)


def test_calls_work_while_the_daemon_comes_and_goes(client: Any, daemon: Any) -> None:
    for _ in range(2):
        assert client.get(STATUS).status == 200
        daemon.stop()
        answer = client.get(STATUS)
        assert answer.error == (503, "unavailable")
        assert str(daemon.path) in answer.json["error"]["message"]
        daemon.start()
    assert client.get(STATUS).status == 200


def test_small_answers_on_an_open_connection_are_not_held_back(client: Any) -> None:
    connection = http.client.HTTPConnection(client.address, timeout=DEADLINE_S)
    took_s = []
    for _ in range(40):
        began = time.monotonic()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        took_s.append(time.monotonic() - began)
    connection.close()
    assert statistics.median(took_s) < 0.03, "a delayed acknowledgement takes 40 ms"


def test_a_shutdown_lets_requests_finish_and_ends_streams(plugin: Any, client: Any, daemon: Any) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(_: Any) -> Any:
        asked.set()
        assert go.wait(DEADLINE_S)
        return {"running": True}

    daemon.answers["daemon/status"] = slow
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(client.get(STATUS)))
    asking.start()
    reader = client.follow()
    assert asked.wait(DEADLINE_S)
    shutdown = plugin.send("transport/shutdown")
    assert reader.block() == [], "the stream has ended properly"
    _until(lambda: _refuses(client.address))
    go.set()
    asking.join(DEADLINE_S)
    assert [answer.status for answer in answers] == [200]
    assert plugin.reply(shutdown)["result"] == {}
    reader.close()


def test_a_request_that_never_ends_does_not_keep_the_address(plugin: Any, client: Any) -> None:
    host, _, port = client.address.rpartition(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as stuck:
        head = f"POST /api/v1/queue HTTP/1.1\r\nHost: {client.address}\r\nContent-Length: 9\r\n"
        stuck.sendall(f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode())
        assert stuck.recv(1000).startswith(b"HTTP/1.1 100 "), "the body is being waited for"
        began = time.monotonic()
        assert plugin.ask("transport/shutdown")["result"] == {}
        assert time.monotonic() - began < 5
        assert stuck.recv(1000).startswith(b"HTTP/1.1 503 ")
        assert _refuses(client.address)


@pytest.mark.parametrize("how", ["input ends", "SIGTERM"])
def test_the_process_leaves_with_its_streams_open(plugin: Any, client: Any, how: str) -> None:
    reader = client.follow()
    if how == "SIGTERM":
        plugin.process.send_signal(signal.SIGTERM)
    else:
        plugin.process.stdin.close()
    assert reader.block() == []
    assert plugin.wait() == 0
    plugin.end_well()
    assert _refuses(client.address)
    reader.close()


def test_nothing_but_the_protocol_is_written_to_stdout(plugin: Any, client: Any) -> None:
    for path in (STATUS, "/nothing", "/healthz"):
        client.get(path)
    assert plugin.ask("$/ping")["result"] == {}, "each reply is read as the next line"
