"""The daemon's socket in raw lines, for what a test needs and is not about: a command for it takes half a second."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from animus_core.store.locks import wait_free
from animus_core.store.paths import Scope
from animus_protocol.models.control.daemon import SUBSCRIPTION_CLOSED

ANSWER_S = 30.0
LEAVE_S = 30.0


def dial(path: Path) -> socket.socket | None:
    """A connection, or None where nobody listens."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(ANSWER_S)
    try:
        line.connect(str(path))
    except OSError:
        line.close()
        return None
    return line


def send(line: socket.socket, method: str, params: dict[str, Any]) -> None:
    """A request, with the id 1."""
    line.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")


def ask(scope: Scope, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The daemon's answer; an empty one where nobody gives any."""
    line = dial(scope.control_socket)
    if line is None:
        return {}
    with line, line.makefile("rb") as answers, contextlib.suppress(ConnectionError):  # it may be killed meanwhile
        send(line, method, params)
        answer: dict[str, Any] = json.loads(answers.readline() or b"{}")
        return answer
    return {}


def stop_daemon(scope: Scope) -> bool:
    """Ask the daemon to stop at once and wait until its lock is free; False where it does neither."""
    answer = ask(scope, "daemon/stop", {"drain_secs": 0})
    return "result" in answer and wait_free(scope.daemon_lock, LEAVE_S)


def items(line: socket.socket, method: str, params: dict[str, Any], item: str) -> Iterator[dict[str, Any]]:
    """The data of every `item` that a subscription brings, until the daemon or the caller closes the connection."""
    with line.makefile("rb") as arriving:
        send(line, method, params)
        line.settimeout(None)
        for raw in arriving:
            message = json.loads(raw) if raw.endswith(b"\n") else {}  # who is killed may stop in the middle
            if not message or "error" in message or message.get("method") == SUBSCRIPTION_CLOSED.name:
                return
            if message.get("method") == item:
                yield message["params"]["data"]
