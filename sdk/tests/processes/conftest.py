"""A host of raw lines for real plugin processes; it shares no code with the SDK, so that a common mistake shows."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 20.0
PLUGINS = Path(__file__).parent.parent / "plugins"


class RawPlugin:
    """A plugin process, spoken to in raw lines; every wait has a deadline."""

    def __init__(
        self, arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None, stdin: Any = subprocess.PIPE
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], **(env or {})},
        )
        self.seen: list[dict[str, Any]] = []
        """Every message so far, in order."""
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._errors: queue.Queue[bytes | None] = queue.Queue()
        self._error_text = b""
        self._threads = [
            threading.Thread(target=_pour, args=(self.process.stdout, self._lines)),
            threading.Thread(target=_pour, args=(self.process.stderr, self._errors)),
        ]
        for thread in self._threads:
            thread.start()
        self._last = 0

    def write(self, data: bytes) -> None:
        """Raw bytes to the plugin's stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, params: Any = None, *, number: int | str | None = None) -> int | str:
        """A request without waiting; its id."""
        if number is None:
            self._last += 1
            number = self._last
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {} if params is None else params}
        self.write(json.dumps(message).encode() + b"\n")
        return number

    def tell(self, method: str, params: Any = None) -> None:
        """A notification."""
        message = {"jsonrpc": "2.0", "method": method, "params": {} if params is None else params}
        self.write(json.dumps(message).encode() + b"\n")

    def message(self) -> dict[str, Any]:
        """The next message; fails at the end of the wire and for a line that is none."""
        line = self._lines.get(timeout=DEADLINE_S)
        assert line is not None, f"the wire ended; stderr: {self.stderr()}"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0", line
        self.seen.append(message)
        return message  # type: ignore[no-any-return]  # the assertion above has looked at it

    def reply(self, number: int | str) -> dict[str, Any]:
        """The reply to a request, whatever else comes before it."""
        for message in self.seen:
            if message.get("id") == number and "method" not in message:
                return message
        while True:
            message = self.message()
            if message.get("id") == number and "method" not in message:
                return message

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """A request and its reply."""
        return self.reply(self.send(method, params))

    def result(self, method: str, params: Any = None) -> Any:
        """The result of a request that must succeed."""
        reply = self.ask(method, params)
        assert "error" not in reply, reply
        return reply["result"]

    def error(self, method: str, params: Any = None) -> dict[str, Any]:
        """The error of a request that must fail."""
        reply = self.ask(method, params)
        assert "result" not in reply, reply
        error: dict[str, Any] = reply["error"]
        return error

    def until(self, method: str) -> dict[str, Any]:
        """The params of the next notification of `method`."""
        while (message := self.message()).get("method") != method:
            pass
        params: dict[str, Any] = message["params"]
        return params

    def initialize(self, **changes: Any) -> dict[str, Any]:
        """`initialize` as a host sends it, with `changes` (None leaves a field out), and `initialized`; the result."""
        result: dict[str, Any] = self.result("initialize", self.initialize_params(**changes))
        self.tell("initialized")
        return result

    @staticmethod
    def initialize_params(**changes: Any) -> dict[str, Any]:
        """The params of `initialize`; a change to None leaves the field out."""
        params = {
            "protocol_version": "1.1.0",
            "host_info": {"name": "raw", "version": "0"},
            "capabilities": {"streaming": True, "progress": True, "cancellation": True},
            "init_extensions": {"project_binding": {"project_root": "/project", "repo_scope": "scope"}},
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
        while (line := self._lines.get(timeout=DEADLINE_S)) is not None:
            rest.append(json.loads(line))
        self.seen.extend(rest)
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
        """All of stderr, after its end."""
        while (piece := self._errors.get(timeout=DEADLINE_S)) is not None:
            self._error_text += piece
        self._errors.put(None)
        return self._error_text.decode()

    def close(self) -> None:
        """End whatever is left."""
        self.process.kill()
        self.process.wait(timeout=DEADLINE_S)
        for thread in self._threads:
            thread.join(timeout=DEADLINE_S)
            assert not thread.is_alive(), "somebody still holds the plugin's output open"
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


def _pour(stream: Any, into: queue.Queue[bytes | None]) -> None:
    for line in stream:
        into.put(line)
    into.put(None)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., RawPlugin]]:
    """`spawn("tasks.py")` starts that plugin of `tests/plugins`; all are ended with the test."""
    started: list[RawPlugin] = []

    def start(name: str, *, env: Mapping[str, str] | None = None, stdin: Any = subprocess.PIPE) -> RawPlugin:
        started.append(RawPlugin([str(PLUGINS / name)], cwd=tmp_path, env=env, stdin=stdin))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def greet(spawn: Callable[..., RawPlugin]) -> Callable[..., RawPlugin]:
    """`greet("tasks.py")` starts a plugin and initializes it."""

    def start(name: str) -> RawPlugin:
        plugin = spawn(name)
        plugin.initialize()
        return plugin

    return start


def _shared(name: str, cwd: Path, *, initialize: bool) -> Iterator[RawPlugin]:
    plugin = RawPlugin([str(PLUGINS / name)], cwd=cwd)
    if initialize:
        plugin.initialize()
    yield plugin
    plugin.close()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawPlugin]:
    """`tasks.py`, initialized; the tests of a module that share it leave no trace in it."""
    yield from _shared("tasks.py", tmp_path_factory.mktemp("project"), initialize=True)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawPlugin]:
    """`agent.py`, initialized; shared as `tasks` is."""
    yield from _shared("agent.py", tmp_path_factory.mktemp("project"), initialize=True)


@pytest.fixture(scope="module")
def ungreeted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawPlugin]:
    """`stubborn.py`, which nobody has initialized yet; shared as `tasks` is."""
    yield from _shared("stubborn.py", tmp_path_factory.mktemp("project"), initialize=False)


@pytest.fixture
def run_plugin(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """`run_plugin("tasks.py", "--manifest")` runs a plugin to its end, without any input unless told."""

    def run(
        name: str, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, str(PLUGINS / name), *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **(env or {})},
            timeout=DEADLINE_S,
            check=False,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    return run
