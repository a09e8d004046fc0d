"""A host of raw lines for real plugin processes: what the tests of every distribution speak to a plugin with.

It shares no code with SDK, core and suite, so that a common mistake shows. Every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DEADLINE_S = 20.0


class RawHost:
    """A plugin process, spoken to in raw lines. Params are given as one value, or as keywords."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
    ) -> None:
        self.cwd = cwd
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], **(env or {})},
        )
        self.seen: list[dict[str, Any]] = []
        """Every message so far, in order."""
        self.notifications: list[dict[str, Any]] = []
        """Those of them that are notifications, until `event` takes them."""
        self.is_reading = threading.Event()
        """While it is not set, nothing is read from the plugin."""
        self.is_reading.set()
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._errors: queue.Queue[bytes | None] = queue.Queue()
        self._error_text = b""
        self._threads = [
            threading.Thread(target=self._pour, args=(stream, into))
            for stream, into in ((self.process.stdout, self._lines), (self.process.stderr, self._errors))
            if stream is not None
        ]
        for thread in self._threads:
            thread.start()
        self._last = 0

    def write(self, data: bytes) -> None:
        """Raw bytes to the plugin's stdin. Raises BrokenPipeError when it is gone."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, params: Any = None, *, number: int | str | None = None, **fields: Any) -> int | str:
        """A request without waiting; its id."""
        if number is None:
            self._last += 1
            number = self._last
        self._write({"id": number, "method": method, "params": fields if params is None else params})
        return number

    def tell(self, method: str, params: Any = None, **fields: Any) -> None:
        """A notification."""
        self._write({"method": method, "params": fields if params is None else params})

    def message(self) -> dict[str, Any]:
        """The next message; fails at the end of the wire and for a line that is none."""
        message = self._next()
        assert message is not None, f"the wire ended; stderr: {self.stderr()}"
        return message

    def reply_or_end(self, number: int | str) -> dict[str, Any] | None:
        """The reply to a request, whatever else comes before it; None when the wire ends without it."""
        for message in self.seen:
            if message.get("id") == number and "method" not in message:
                return message
        while (message_ := self._next()) is not None:
            if message_.get("id") == number and "method" not in message_:
                return message_
        return None

    def reply(self, number: int | str) -> dict[str, Any]:
        """The reply to a request, whatever else comes before it."""
        reply = self.reply_or_end(number)
        assert reply is not None, f"the wire ended without a reply to {number}; stderr: {self.stderr()}"
        return reply

    def ask(self, method: str, params: Any = None, **fields: Any) -> dict[str, Any]:
        """A request and its reply."""
        return self.reply(self.send(method, params, **fields))

    def result(self, method: str, params: Any = None, **fields: Any) -> Any:
        """The result of a request that must succeed."""
        reply = self.ask(method, params, **fields)
        assert "error" not in reply, reply
        return reply["result"]

    def error(self, method: str, params: Any = None, **fields: Any) -> dict[str, Any]:
        """The error of a request that must fail."""
        reply = self.ask(method, params, **fields)
        assert "result" not in reply, reply
        error: dict[str, Any] = reply["error"]
        return error

    def event(self, method: str | None = None) -> dict[str, Any]:
        """The params of the first notification (of `method`) that was not taken yet, here already or to come."""
        while True:
            for index, message in enumerate(self.notifications):
                if method in (None, message["method"]):
                    params: dict[str, Any] = self.notifications.pop(index)["params"]
                    return params
            self.message()

    def until(self, method: str) -> dict[str, Any]:
        """The params of the next notification of `method` to come."""
        while (message := self.message()).get("method") != method:
            pass
        params: dict[str, Any] = message["params"]
        return params

    def initialize(self, **changes: Any) -> dict[str, Any]:
        """`initialize` as a host sends it, with `changes` (None leaves a field out), and `initialized`; the result."""
        result: dict[str, Any] = self.result("initialize", self.initialize_params(**changes))
        self.tell("initialized")
        return result

    def initialize_params(self, **changes: Any) -> dict[str, Any]:
        """The params of `initialize`; a change to None leaves the field out."""
        params = {
            "protocol_version": "1.1.0",
            "host_info": {"name": "raw", "version": "0"},
            "capabilities": {"streaming": True, "progress": True, "cancellation": True},
            "init_extensions": {"project_binding": {"project_root": str(self.cwd), "repo_scope": "scope"}},
            **changes,
        }
        return {name: value for name, value in params.items() if value is not None}

    def end_input(self) -> None:
        """Close the plugin's stdin."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wire_end(self) -> list[dict[str, Any]]:
        """Wait for the end of the plugin's output; the messages before it."""
        rest = []
        while (message := self._next()) is not None:
            rest.append(message)
        return rest

    def wait(self) -> int:
        """Wait for the end of the process; its exit code."""
        return self.process.wait(timeout=DEADLINE_S)

    def stderr_until(self, text: str) -> str:
        """Wait for `text` on stderr; all of stderr so far."""
        while text.encode() not in self._error_text:
            piece = self._errors.get(timeout=DEADLINE_S)
            assert piece is not None, f"stderr ended without {text!r}: {self._error_text.decode()}"
            self._error_text += piece
        return self._error_text.decode()

    def stderr(self) -> str:
        """All of stderr, after its end; nothing where it goes elsewhere."""
        if self.process.stderr is None:
            return ""
        while (piece := self._errors.get(timeout=DEADLINE_S)) is not None:
            self._error_text += piece
        self._errors.put(None)
        return self._error_text.decode()

    def end(self) -> int:
        """`shutdown` and `exit`; the exit code."""
        self.result("shutdown")
        self.tell("exit")
        return self.wait()

    def close(self) -> None:
        """End whatever is left."""
        self.is_reading.set()
        self.process.kill()
        self.process.wait(timeout=DEADLINE_S)
        for thread in self._threads:
            thread.join(timeout=DEADLINE_S)
            assert not thread.is_alive(), "somebody still holds the plugin's output open"
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def broken_line(self, line: bytes) -> None:
        """A line that is no message: it fails the test, unless a kind of host expects such lines."""
        raise AssertionError(f"no message: {line!r}")

    def _next(self) -> dict[str, Any] | None:
        """The next message, None at the end of the wire."""
        while (line := self._lines.get(timeout=DEADLINE_S)) is not None:
            try:
                message: dict[str, Any] = json.loads(line)
            except ValueError:
                self.broken_line(line)
                continue
            assert message["jsonrpc"] == "2.0", line
            self.seen.append(message)
            if "method" in message and "id" not in message:
                self.notifications.append(message)
            return message
        self._lines.put(None)
        return None

    def _write(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever waits for the reply sees the end
            self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def _pour(self, stream: Any, into: queue.Queue[bytes | None]) -> None:
        for line in stream:
            into.put(line)
            if into is self._lines:
                self.is_reading.wait(DEADLINE_S)
        into.put(None)
