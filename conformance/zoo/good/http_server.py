"""Just enough of an HTTP/1.1 server for the good transports: GET, a thread a connection, whole answers and streams.

Standard library only, and nothing of it that takes long to import.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

Answer = tuple[int, str, bytes | Iterable[bytes]]
"""Status, content type or location, and the body, whole or in pieces."""
REASONS = {200: "OK", 302: "Found", 404: "Not Found", 503: "Service Unavailable"}
MAX_HEAD_BYTES = 16 * 1024
IDLE_S = 30.0
DRAIN_S = 1.0


class HttpServer:
    """Listens from the beginning; `serve` begins to answer with `route`, which is given the path."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sock = socket.create_server((host, port), family=family)
        self.host, self.port = self._sock.getsockname()[:2]
        self._clients: set[socket.socket] = set()
        self._busy = 0
        self._changed = threading.Condition()

    def serve(self, route: Callable[[str], Answer]) -> None:
        self._route = route
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more, wait a while for what is under way, and cut the rest off."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, which holds the socket open
        except OSError:
            pass
        self._sock.close()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, DRAIN_S)
            for client in self._clients:
                client.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._sock.accept()
            except OSError:
                return
            client.settimeout(IDLE_S)
            self._clients.add(client)
            threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def _client(self, client: socket.socket) -> None:
        try:
            path = self._path(client)
            if path is not None:
                with self._changed:
                    self._busy += 1
                try:
                    self._answer(client, *self._route(path))
                finally:
                    with self._changed:
                        self._busy -= 1
                        self._changed.notify_all()
        except OSError:
            pass  # the client has gone
        finally:
            with self._changed:
                self._clients.discard(client)
            client.close()

    def _path(self, client: socket.socket) -> str | None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
            piece = client.recv(4096)
            if not piece:
                return None
            head += piece
        _, path, *_ = head.split(b"\r\n")[0].decode("latin-1").split(" ")
        return path.partition("?")[0]

    def _answer(self, client: socket.socket, status: int, about: str, body: bytes | Iterable[bytes]) -> None:
        name = "Location" if status == 302 else "Content-Type"
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"{name}: {about}", "Connection: close"]
        lines.append(f"Content-Length: {len(body)}" if isinstance(body, bytes) else "Transfer-Encoding: chunked")
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        if isinstance(body, bytes):
            client.sendall(body)
            return
        for piece in body:
            client.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.sendall(b"0\r\n\r\n")
