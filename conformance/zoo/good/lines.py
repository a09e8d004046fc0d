"""What the good plugins without an SDK share: lines in, lines out, the life cycle. Standard library only.

A plugin gives `serve` its manifest and a table of its methods; this is also the shortest way to see what a plugin owes
(protocol §1 to §3). It is imported by the scripts beside it and by nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable

TYPE_CHECKING = False  # as in typing, whose import would cost more than half as much as the start of Python
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

Json = Any


class Refused(Exception):
    """An error reply: its code, its message, and a category for `data`."""

    def __init__(self, code: int, message: str, category: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": {"category": category}}


class Wire:
    """Writes messages, whole lines at a time, from any thread."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what anything else prints goes to stderr
        self._lock = threading.Lock()

    def write(self, message: Json) -> None:
        line = json.dumps(message, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with self._lock:
            self._out.write(line)
            self._out.flush()

    def tell(self, method: str, params: Json) -> None:
        self.write({"jsonrpc": "2.0", "method": method, "params": params})


class Call:
    """One request: its id, and whether the host has cancelled it."""

    def __init__(self, wire: Wire, request_id: int | str) -> None:
        self.wire = wire
        self.id = request_id
        self.cancelled = threading.Event()


Handler = Callable[[Json, Call], Json]


class Plugin:
    """Answers requests from a table. `slow` methods run on threads of their own and may be cancelled."""

    def __init__(self, manifest: Json, capabilities: Json, methods: dict[str, Handler], slow: frozenset[str]) -> None:
        self.manifest = manifest
        self.capabilities = capabilities
        self.methods = methods
        self.slow = slow
        self.known_prefixes = {name.partition("/")[0] for name in methods}
        self.on_notification: dict[str, Callable[[Json], None]] = {}
        self.project_root = os.getcwd()
        self.on_start: Callable[[Plugin], None] = lambda plugin: None
        self.on_stop: Callable[[], None] = lambda: None
        self.at_end_of_input: Callable[[], object] = lambda: None
        self._calls: dict[Json, Call] = {}
        self._ready = False

    def serve(self) -> None:
        """The command line, then lines until exit or the end of input."""
        if len(sys.argv) > 1 and sys.argv[-1] in ("--manifest", "-m"):
            print(json.dumps(self.manifest))
            sys.exit(0)
        if sys.stdin.isatty():
            print(f"{self.manifest['name']} is a plugin: a host starts it", file=sys.stderr)
            sys.exit(2)
        self.wire = Wire()
        for line in sys.stdin.buffer:
            if not self._take(line):
                break
        else:
            self.at_end_of_input()
        self.on_stop()
        os._exit(0)

    def _take(self, line: bytes) -> bool:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return True
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return True
        method, params, request_id = message["method"], message.get("params"), message.get("id")
        params = {} if params is None else params
        if request_id is None:
            return self._on_notification(method, params)
        if isinstance(request_id, bool) or not isinstance(request_id, int | str):
            return True
        call = self._calls[request_id] = Call(self.wire, request_id)
        if method in self.slow:
            threading.Thread(target=self._answer, args=(method, params, call), daemon=True).start()
        else:
            self._answer(method, params, call)
        return True

    def _on_notification(self, method: str, params: Json) -> bool:
        if method == "$/cancelRequest" and isinstance(params, dict):
            wanted = params.get("id")
            call = self._calls.get(wanted) if isinstance(wanted, int | str) else None
            if call is not None:
                call.cancelled.set()
        elif method in self.on_notification:
            self.on_notification[method](params)
        return method != "exit"

    def _answer(self, method: str, params: Json, call: Call) -> None:
        reply: Json = {"jsonrpc": "2.0", "id": call.id}
        try:
            reply["result"] = self._result(method, params, call)
        except Refused as refused:
            reply["error"] = refused.error
        except Exception as error:  # noqa: BLE001 - the boundary: whatever goes wrong, the host gets an answer
            print(f"{method}: {error!r}", file=sys.stderr)
            reply["error"] = {"code": -32603, "message": "internal error", "data": {"category": "internal"}}
        self._calls.pop(call.id, None)
        self.wire.write(reply)

    def _result(self, method: str, params: Json, call: Call) -> Json:
        if method == "initialize":
            return self._initialize(params)
        if method == "$/ping":
            return {}
        if method == "health/check":
            return {"status": "healthy"}
        if method == "shutdown":
            for one in list(self._calls.values()):
                one.cancelled.set()
            return {}
        handler = self.methods.get(method)
        if handler is None:
            known = method.partition("/")[0] in self.known_prefixes
            raise Refused(-32001 if known else -32601, f"{method} is not offered", "not_supported")
        if not self._ready:
            raise Refused(-32000, f"{method} before initialize", "invalid_request")
        if not isinstance(params, dict):
            raise Refused(-32602, "params: expected an object", "invalid_request")
        return handler(params, call)

    def _initialize(self, params: Json) -> Json:
        if not isinstance(params, dict) or not isinstance(params.get("protocol_version"), str):
            raise Refused(-32602, "protocol_version: expected a text", "invalid_request")
        if params["protocol_version"].split(".")[0] != "1":
            raise Refused(-32602, f"protocol 1.0.0 is spoken here, not {params['protocol_version']}", "invalid_request")
        binding = (params.get("init_extensions") or {}).get("project_binding") or {}
        self.project_root = binding.get("project_root", os.getcwd())
        if not self._ready:
            self._ready = True
            self.on_start(self)
        info = {name: self.manifest[name] for name in ("name", "version", "plugin_kind")}
        return {"protocol_version": "1.0.0", "plugin_info": info, "capabilities": self.capabilities}
