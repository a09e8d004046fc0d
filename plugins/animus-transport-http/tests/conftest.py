"""The plugin as a process, a control socket of raw lines behind it, and a client of plain HTTP before it.

None of the three shares code with the plugin, so that a common mistake shows. Every wait has a deadline.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from raw_host import RawHost

DEADLINE_S = 20.0


class Refusal(Exception):
    """What an answer of the fake daemon raises to refuse."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


class FakeDaemon:
    """A control socket: `answers` by method, and a log of events that are streamed from any cursor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {"daemon/status": lambda _: {"running": True}}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.events: list[dict[str, Any]] = []
        self.sent: dict[int, int] = {}
        """How many events each stream was sent, by its number."""
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._running = False

    def start(self) -> None:
        self._running = True
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._spawn(self._accept)

    def stop(self) -> None:
        with self._changed:
            if not self._running:
                return
            self._running = False
            self._changed.notify_all()
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._connections:
            _hang_up(connection)
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        for connection in [self._listener, *self._connections]:
            connection.close()
        self._threads, self._connections = [], []
        self.path.unlink()

    def happen(self, count: int = 1, **payload: Any) -> None:
        """Add events to the log."""
        with self._changed:
            for _ in range(count):
                number = str(len(self.events) + 1)
                self.events.append(
                    {"id": number, "occurred_at": "2026-01-01T00:00:00Z", "kind": "happened", "payload": payload}
                )
            self._changed.notify_all()

    def streams(self, count: int) -> None:
        """Wait until `count` streams were opened, ever."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent) >= count, DEADLINE_S), "no stream was opened"

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            try:
                for line in lines:
                    request = json.loads(line)
                    if "id" in request:
                        self._answer(connection, request)
            except OSError:
                return

    def _answer(self, connection: socket.socket, request: dict[str, Any]) -> None:
        method, params = request["method"], request["params"]
        self.asked.append((method, params))
        if method == "daemon/events":
            self._spawn(self._stream, connection, request["id"], params.get("since"))
            return
        try:
            outcome = {"result": self.answers[method](params)}
        except Refusal as refusal:
            outcome = {"error": refusal.error}
        except KeyError:
            outcome = {"error": {"code": -32601, "message": f"method not found: {method}"}}
        _send(connection, {"id": request["id"], **outcome})

    def _stream(self, connection: socket.socket, number: int, since: str | None) -> None:
        with self._changed:
            sent_seen = len(self.events) if since is None else int(since)
            stream = len(self.sent)
            self.sent[stream] = 0
            self._changed.notify_all()
        try:
            _send(connection, {"id": number, "result": {"watching": True}})
            while True:
                item = self._event(sent_seen)
                if item is None:
                    return
                _send(connection, {"method": "daemon/event", "params": {"id": number, "data": item}})
                sent_seen += 1
                self.sent[stream] += 1
        except OSError:
            return

    def _event(self, index: int) -> dict[str, Any] | None:
        """The event at `index`, once it has happened; None at the end of the daemon."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.events) > index or not self._running)
            return self.events[index] if self._running else None


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was first


class Answer(NamedTuple):
    """An HTTP response that is complete."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """The status and the category of a refusal."""
        return self.status, self.json["error"]["category"]


class Client:
    """Asks one address, a connection a request."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        data = raw if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        connection.request(verb, path, data, {**kind, **(headers or {})})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def follow(self, path: str = "/api/v1/events", **headers: str) -> EventReader:
        return EventReader(self.address, path, {name.replace("_", "-"): value for name, value in headers.items()})


class EventReader:
    """Reads server-sent events from an open response."""

    def __init__(self, address: str, path: str, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
        self._connection.request("GET", path, headers=dict(headers))
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        assert self._response.headers["content-type"] == "text/event-stream"
        assert self.block() == [":"], "the response begins with a comment, so that it begins at once"

    def block(self) -> list[str]:
        """The lines of the next event or comment; none at the end."""
        lines = []
        while (line := self._response.readline().decode()) not in ("\n", ""):
            lines.append(line.rstrip("\n"))
        return lines

    def event(self) -> tuple[str, Any]:
        """The id and the data of the next event; comments before it are left out."""
        while (lines := self.block())[0].startswith(":"):
            pass
        identity, data = lines
        return identity.removeprefix("id: "), json.loads(data.removeprefix("data: "))

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class Plugin(RawHost):
    """A host of the plugin's process."""

    def __init__(self, name: str, root: Path, environment: Mapping[str, str]) -> None:
        super().__init__([Path(sys.executable).with_name(name)], cwd=root, env=environment)
        self.initialize()

    def open(self, socket_path: Path, bind_addr: str | None = None, config: Any = None) -> dict[str, Any]:
        """The reply to `transport/start`."""
        params = {"control_socket_path": str(socket_path), "project_root": str(self.cwd)}
        return self.ask("transport/start", **params, bind_addr=bind_addr, config=config)

    def end_well(self) -> str:
        """An orderly end where it still runs, without a traceback; what it wrote to stderr."""
        if self.process.poll() is None:
            assert self.end() == 0
        errors = self.stderr()
        self.close()
        assert self.process.returncode == 0
        assert "Traceback" not in errors, errors
        return errors


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    """A control socket that listens."""
    made = FakeDaemon(tmp_path / "control.sock")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    """The process, initialized and not opened; it has to end well."""
    made = Plugin(
        "animus-transport-http", tmp_path, {"BRIDGE_TOKEN": "a-token-of-many-letters", "SHORT_TOKEN": "short"}
    )
    yield made
    if made.process.stdin is not None and not made.process.stdin.closed:
        made.end_well()


@pytest.fixture
def client(plugin: Plugin, daemon: FakeDaemon) -> Client:
    """A client of the opened plugin."""
    return Client(plugin.open(daemon.path)["result"]["bound_addr"])


@pytest.fixture(scope="module")
def daemon_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDaemon]:
    """A control socket for tests that leave no trace in it but their answers."""
    made = FakeDaemon(tmp_path_factory.mktemp("daemon") / "control.sock")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def client_of_module(daemon_of_module: FakeDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of one plugin process for all tests of a module."""
    made = Plugin("animus-transport-http", tmp_path_factory.mktemp("project"), {})
    yield Client(made.open(daemon_of_module.path)["result"]["bound_addr"])
    made.end_well()


@pytest.fixture
def refuse() -> Callable[..., Callable[[Any], Any]]:
    """`refuse(code, message, **data)` is an answer that refuses."""

    def make(code: int, message: str, **data: Any) -> Callable[[Any], Any]:
        def answer(_: Any) -> Any:
            raise Refusal(code, message, **data)

        return answer

    return make


@pytest.fixture
def client_at() -> Callable[[dict[str, Any]], Client]:
    """A client of the address in a reply to `transport/start`."""
    return lambda reply: Client(reply["result"]["bound_addr"])
