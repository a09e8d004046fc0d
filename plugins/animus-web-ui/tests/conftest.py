"""The plugin as a process that serves its page, and a daemon that knows one answer."""

from __future__ import annotations

import http.client
import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from raw_host import RawHost

DEADLINE_S = 20.0
COMMAND = Path(sys.executable).with_name("animus-web-ui")


class Answer(NamedTuple):
    """An HTTP response that is complete."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class WebPage(RawHost):
    """The process, initialized as a host does it; `address` is where it listens once it is open."""

    def __init__(self, root: Path) -> None:
        super().__init__([COMMAND], cwd=root, env={"PAGE_TOKEN": "a-token-of-many-letters"})
        self.initialize()

    @property
    def control_socket(self) -> Path:
        return self.cwd / "control.sock"

    def open(self, **config: Any) -> None:
        opening = {"control_socket_path": str(self.control_socket), "project_root": str(self.cwd)}
        self.address = self.result("transport/start", **opening, config=config)["bound_addr"]

    def get(self, path: str, verb: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        connection.request(verb, path, headers=headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def end_well(self) -> None:
        try:
            assert self.end() == 0
        finally:
            self.close()


@pytest.fixture
def web_page(tmp_path: Path) -> Iterator[WebPage]:
    """The process, not open yet."""
    made = WebPage(tmp_path)
    yield made
    made.end_well()


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPage]:
    """One open process for all tests of a module; there is no daemon."""
    made = WebPage(tmp_path_factory.mktemp("project"))
    made.open()
    yield made
    made.end_well()


class _Running(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            reply = {"jsonrpc": "2.0", "id": json.loads(line)["id"], "result": {"running": True}}
            self.wfile.write(json.dumps(reply).encode() + b"\n")


@pytest.fixture
def run_daemon() -> Iterator[Callable[[Path], None]]:
    """`run_daemon(path)` answers every call at that socket with `{"running": true}`."""
    servers: list[socketserver.ThreadingUnixStreamServer] = []

    def run(path: Path) -> None:
        servers.append(socketserver.ThreadingUnixStreamServer(str(path), _Running))
        servers[-1].daemon_threads = True
        threading.Thread(target=servers[-1].serve_forever).start()

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()
