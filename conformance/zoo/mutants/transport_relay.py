"""What the mutants of transports share: conditions of `transport/start`, and a relay in front of the good transport.

A relay listens where the suite has asked the plugin to listen, has the plugin listen elsewhere, and passes HTTP on, one
answer at a time or piece by piece.
"""

from __future__ import annotations

import os
import socket
import threading

from mutation import Any, Message, Mutation, Sent

START, SHUTDOWN, SCHEMA = "transport/start", "transport/shutdown", "transport/schema"
PIECE_BYTES = 65536
CUT = b""
"""In place of an answer: the connection is closed without a word."""


def is_free(bind_addr: Any) -> bool:
    """Whether somebody could listen there."""
    host, _, port = bind_addr.rpartition(":")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, int(port)))
            sock.listen(1)
        except (OSError, ValueError, OverflowError):
            return False
    return True


def dead_address() -> str:
    """An address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return f"127.0.0.1:{sock.getsockname()[1]}"


class Watching(Mutation):
    """Knows whether the good transport listens: counts its successful starts, and how many of them were shut down."""

    starts = 0
    shutdowns = 0

    @property
    def listens(self) -> bool:
        """Whether it does now."""
        return self.starts > self.shutdowns

    def asked(self, request: Message) -> Message | None:
        if request["method"] == START and isinstance(request["params"], dict):
            return self.asked_to_start(request)
        if request["method"] == SHUTDOWN:
            return self.asked_to_shut_down(request)
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == START and "result" in reply:
            self.starts += 1
            return self.started(request, reply)
        if request["method"] == SHUTDOWN and "result" in reply:
            self.shutdowns = self.starts
            return self.shut_down(request, reply)
        return reply

    def asked_to_start(self, request: Message) -> Message | None:
        """A `transport/start` with params that are an object."""
        return request

    def started(self, request: Message, reply: Message) -> Sent:
        """A start that succeeded."""
        return reply

    def asked_to_shut_down(self, request: Message) -> Message | None:
        """A `transport/shutdown`."""
        return request

    def shut_down(self, request: Message, reply: Message) -> Sent:
        """A shutdown that succeeded."""
        return reply


class Relaying(Watching):
    """Stands at the address, and passes requests on to the good transport, each on a thread of its own."""

    def __init__(self) -> None:
        self.server: socket.socket | None = None
        self.target = ("", 0)
        self.control_socket = ""
        self.under_way = threading.Condition()
        self.clients: dict[socket.socket, str] = {}
        """The connections that have asked for something and have no whole answer yet, with the paths."""

    def asked_to_start(self, request: Message) -> Message | None:
        params = request["params"]
        self.control_socket = params.get("control_socket_path")
        bind_addr = params.get("bind_addr")
        if self.server is None and isinstance(bind_addr, str) and is_free(bind_addr):
            host, _, port = bind_addr.rpartition(":")
            self.server = socket.create_server((host, int(port)))
            params["bind_addr"] = "127.0.0.1:0"
        return request

    def started(self, request: Message, reply: Message) -> Sent:
        host, _, port = reply["result"]["bound_addr"].rpartition(":")
        self.target = (host, int(port))
        if self.server is not None:
            reply["result"]["bound_addr"] = "{}:{}".format(*self.server.getsockname())
            threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()
        return reply

    def asked_to_shut_down(self, request: Message) -> Message | None:
        if self.server is not None:
            self.server.shutdown(socket.SHUT_RDWR)
            self.server.close()
            self.server = None
        return request

    def daemon_is_there(self) -> bool:
        """Whether somebody answers at the control socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(self.control_socket) == 0

    def response(self, path: str, head: bytes, body: bytes) -> bytes:
        """What the client gets in place of a whole answer; CUT for nothing at all."""
        return head + body

    def piece(self, path: str, piece: bytes) -> bytes:
        """What the client gets in place of a piece of a stream, after its head."""
        return piece

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            request = client.recv(PIECE_BYTES)
            if request:
                path = request.split(b" ", 2)[1].decode()
                with self.under_way:
                    self.clients[client] = path
                self.exchange(client, path, request)
        except OSError:
            pass  # either side has gone
        finally:
            with self.under_way:
                self.clients.pop(client, None)
                self.under_way.notify_all()
            client.close()

    def exchange(self, client: socket.socket, path: str, request: bytes) -> None:
        """One request and its answer."""
        with socket.create_connection(self.target) as plugin:
            plugin.sendall(request)
            if path == "/events":
                self._stream(client, path, plugin)
            else:
                client.sendall(self._whole(path, plugin))

    def _stream(self, client: socket.socket, path: str, plugin: socket.socket) -> None:
        """The head as it is, then chunk by chunk."""
        with plugin.makefile("rb") as lines:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = lines.readline()
                if not line:
                    return
                head += line
            client.sendall(head)
            while size := lines.readline():
                changed = self.piece(path, lines.read(int(size, 16)))
                lines.readline()
                if changed:
                    client.sendall(b"%x\r\n%b\r\n" % (len(changed), changed))

    def _whole(self, path: str, plugin: socket.socket) -> bytes:
        answer = b""
        while piece := plugin.recv(PIECE_BYTES):
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return self.response(path, head + b"\r\n\r\n", body)


def answer(status: str, content_type: str, body: bytes) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def die() -> None:
    """End this process, as a crash would."""
    os._exit(1)
