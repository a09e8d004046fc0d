"""A good transport: the daemon's subjects, queue and status as JSON over HTTP, and its events as a stream.

`--variant` names another way to keep the protocol (protocol §4): `url` says its address as a URL and takes a second
start for the first, `chunked` writes HTTP otherwise, `raw` speaks no HTTP and is refused whatever may be refused, and
`minimal` has no schema.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from http_server import Answer, HttpServer
from lines import Call, Json, Plugin, Refused

VARIANT = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else ""
METHODS = ["transport/start", "transport/shutdown", "transport/schema"]
SPEAKS_HTTP = VARIANT not in ("raw", "minimal")
READS = {"/subjects": "subject/list", "/queue": "queue/list", "/status": "daemon/status"}
CATEGORIES = {errno.EADDRINUSE: "address_in_use", errno.EACCES: "permission_denied"}
CONTROL_S = 30.0


class Control:
    """The daemon's control socket: a connection for each request and each stream."""

    def __init__(self, path: str) -> None:
        self._path = path

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(CONTROL_S)
        try:
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        return sock

    def ask(self, method: str) -> Json:
        """The result. Raises OSError when there is no daemon."""
        with self.connect() as sock:
            return json.loads(next(self._lines(sock, method)))["result"]

    def watch(self, sock: socket.socket, method: str) -> Iterator[Json]:
        """What happens, as long as `sock` is open."""
        for line in self._lines(sock, method):
            message = json.loads(line)
            if "method" in message:
                yield message["params"]["data"]

    def _lines(self, sock: socket.socket, method: str) -> Iterator[bytes]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile("rb") as lines:
            yield from lines
        raise ConnectionError("the daemon has gone")


class Transport(Plugin):
    """Starts and ends an HTTP server. A subclass serves more in `route`."""

    plugin_kind = "transport_backend"
    name = "good-transport"
    flags: tuple[str, ...] = ()

    def __init__(self) -> None:
        methods = METHODS[:2] if VARIANT == "minimal" else METHODS
        manifest = {
            "name": self.name,
            "version": "1.0.0",
            "plugin_kind": self.plugin_kind,
            "description": "Shows over HTTP what the daemon says.",
            "protocol_version": "1.1.0" if VARIANT == "url" else "1.0.0",
            "capabilities": [*methods, *self.flags, "$/ping", "health/check"],
        }
        if VARIANT == "url":
            manifest |= {"capabilities": [*self.flags] or None, "env_required": None, "plugin_kinds": None}
        handlers = {"start": self.start, "shutdown": self.shutdown, "schema": self.schema}
        announced = [] if VARIANT == "chunked" else methods
        super().__init__(
            manifest,
            {"methods": announced, "streaming": SPEAKS_HTTP},
            {one: handlers[one.partition("/")[2]] for one in methods},
            frozenset({"transport/shutdown"}),
        )
        self.turn = threading.Lock()
        self.server: HttpServer | None = None
        self.info: Json = None
        self.was_open = False
        self.streams: set[socket.socket] = set()
        self.own_port = 0

    def start(self, params: Json, call: Call) -> Json:
        for name in ("control_socket_path", "project_root"):
            if not isinstance(params.get(name), str):
                raise Refused(-32602, f"{name}: expected a text", "invalid_request")
        host, port = self.address(params.get("bind_addr"))
        with self.turn:
            if self.server is not None and VARIANT == "url":
                return self.info
            if self.server is not None or (VARIANT == "raw" and self.was_open):
                raise Refused(-32600, "started already", "invalid_request")
            self.control = Control(params["control_socket_path"])
            if VARIANT == "raw":
                self.require_daemon()
            self.listen(host, port)
            self.was_open = True
            if VARIANT == "chunked":
                entry = {"level": "info", "target": "transport", "message": "listening", "fields": {}}
                call.wire.tell("log/entry", {**entry, "ts": datetime.now(UTC).isoformat()})
            return self.info

    def address(self, text: Json) -> tuple[str, int]:
        if text is None:
            return "127.0.0.1", self.own_port
        host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise Refused(-32602, f"bind_addr: {text!r} is no address", "invalid_request")
        return host, int(port)

    def require_daemon(self) -> None:
        try:
            self.control.connect().close()
        except OSError as error:
            raise Refused(-32603, f"no daemon: {error}", "unavailable") from None

    def listen(self, host: str, port: int) -> None:
        try:
            self.server = HttpServer(host, port)
        except (OSError, UnicodeError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else None
            raise Refused(-32603, f"{host}:{port}: {error}", CATEGORIES.get(number, "other")) from None
        where = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        scheme = "http://" if VARIANT == "url" else ""
        at = datetime.now(timezone(timedelta(hours=5, minutes=30)) if VARIANT == "url" else UTC)
        self.info = {"bound_addr": f"{scheme}{where}:{self.server.port}", "started_at": at.isoformat()}
        self.server.serve(self.route)

    def shutdown(self, params: Json, call: Call) -> Json:
        with self.turn:
            if self.server is None and not self.was_open and VARIANT == "raw":
                raise Refused(-32600, "not started", "invalid_request")
            for stream in list(self.streams):
                stream.shutdown(socket.SHUT_RDWR)
            if self.server is not None:
                self.server.close()
                self.server = None
        return {"shutdown": True} if VARIANT == "url" else {}

    def schema(self, params: Json, call: Call) -> Json:
        schema: Json = {"kinds": ["http" if SPEAKS_HTTP else "raw"], "supports_streaming": SPEAKS_HTTP}
        schema["supports_websocket"] = False
        if VARIANT == "url":
            with self.turn:
                self.own_port = self.own_port or free_port()
            schema["default_port"] = self.own_port
        return schema

    def route(self, path: str) -> Answer:
        if not SPEAKS_HTTP:
            raise OSError("what came is not for us")
        try:
            if path == "/events":
                return 200, "text/event-stream", self.events(self.control.connect())
            if path in READS:
                return self.json(200, self.control.ask(READS[path]))
        except OSError as error:
            return self.json(503, {"error": f"no daemon: {error}"})
        return self.json(404, {"error": f"there is no {path}"})

    def json(self, status: int, value: Json) -> Answer:
        body = json.dumps(value, ensure_ascii=VARIANT == "url").encode()
        return status, "application/json", iter([body[:20], body[20:]]) if VARIANT == "chunked" else body

    def events(self, sock: socket.socket) -> Iterator[bytes]:
        self.streams.add(sock)
        try:
            for event in self.control.watch(sock, "daemon/events"):
                yield f"id: {event['id']}\ndata: {json.dumps(event)}\n\n".encode()
        except OSError:
            pass  # the daemon has gone, or we are closing
        finally:
            self.streams.discard(sock)
            sock.close()


def free_port() -> int:
    """A port that nobody has, below those that the system gives away."""
    for number in range(64):
        port = 15_000 + (os.getpid() + number * 101) % 4_000
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise Refused(-32603, "no port is free", "unavailable")


def main() -> None:
    Transport().serve()


if __name__ == "__main__":
    main()
