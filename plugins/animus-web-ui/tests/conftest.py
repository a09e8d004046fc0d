"""The plugin as a process that serves its page, and a daemon that knows one answer."""

from __future__ import annotations

import http.client
import json
import os
import select
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

DEADLINE_S = 20.0
COMMAND = Path(sys.executable).with_name("animus-web-ui")


class Answer(NamedTuple):
    """An HTTP response that is complete."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class WebPage:
    """The process, initialized as a host does it; `address` is where it listens once it is open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._number = 0
        self.process = subprocess.Popen(
            [COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
            env={"PATH": os.environ["PATH"], "PAGE_TOKEN": "a-token-of-many-letters"},
        )
        self.ask(
            "initialize",
            protocol_version="1.1.0",
            host_info={"name": "raw", "version": "0"},
            capabilities={"streaming": True, "progress": True, "cancellation": True},
            init_extensions={"project_binding": {"project_root": str(root)}},
        )

    @property
    def control_socket(self) -> Path:
        return self._root / "control.sock"

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request that must succeed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], DEADLINE_S)[0], f"no answer to {method}"
        return json.loads(self.process.stdout.readline())["result"]

    def open(self, **config: Any) -> None:
        opening = {"control_socket_path": str(self.control_socket), "project_root": str(self._root)}
        self.address = self.ask("transport/start", **opening, config=config)["bound_addr"]

    def get(self, path: str, verb: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        connection.request(verb, path, headers=headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def close(self) -> None:
        with self.process:
            try:
                self.ask("shutdown")
                assert self.process.stdin is not None
                self.process.stdin.close()
                assert self.process.wait(DEADLINE_S) == 0
            finally:
                self.process.kill()


@pytest.fixture
def web_page(tmp_path: Path) -> Iterator[WebPage]:
    """The process, not open yet."""
    made = WebPage(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPage]:
    """One open process for all tests of a module; there is no daemon."""
    made = WebPage(tmp_path_factory.mktemp("project"))
    made.open()
    yield made
    made.close()


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
