"""The examples of the reference page, carried out: each verb asked as a host asks it, and what came back.

Read by `reference.py`; below lie the plugins in `examples/` and the host of `animus_sdk.testing`.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_sdk import Plugin, RpcError
from animus_sdk.testing import Harness

__all__ = ["EXAMPLES", "Call", "Example", "carried_out"]

FOLDER: Final = Path(__file__).with_name("examples")
_SAID: Final = {"level": "warn", "source": "cli", "target": "letters", "message": "no stamps left"}
_ENTRY: Final = {"id": "e-1", "ts": "2026-01-01T00:00:00Z", **_SAID}
_RUN: Final = {"session_id": "s-1", "cwd": "/project", "model": "m"}
_EVENT: Final = {"schema": "animus.daemon-event.v1", "id": "7", "timestamp": "2026-01-01T00:00:00Z", "data": None}
_OPEN: Final = {"project_root": "/project", "control_socket_path": "/project/control.sock"}
_MAIL: Final = {"id": "post", "workflow_ref": "answer", "config": {"folder": "inbox"}}
_CLOSED: Final = {"id": "post", "workflow_ref": "answer", "config": {"folder": "closed"}}
_UNSTEADY: Final = {"fetched_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:00Z", "duration_ms": 3}
_LOCAL: Final = re.compile(r"127\.0\.0\.1:\d+")


class Call(NamedTuple):
    """A request, and the notification that ends what is shown of it, if it opens a stream."""

    method: str
    params: Any
    until: str | None = None


class Example(NamedTuple):
    """A plugin of the page, and what a host asks of it, verb by verb and in this order."""

    file: str
    calls: Mapping[str, Sequence[Call]]

    @property
    def source(self) -> str:
        """The program, as the page shows it."""
        return (FOLDER / self.file).read_text(encoding="utf-8")


EXAMPLES: Final = {
    "Plugin": Example(
        "tools.py",
        {
            "method": [Call("words/count", {"text": "to be or not", "least": 3})],
            "tool": [Call("shout", {"text": "ada"})],
        },
    ),
    "SubjectBackend": Example(
        "letters.py",
        {
            "list": [Call("letter/list", {"status": ["ready"], "limit": 10})],
            "get": [Call("letter/get", {"id": "L-1"}), Call("letter/get", {"id": "L-9"})],
            "create": [
                Call("letter/create", {"kind": "letter", "title": "To Bo"}),
                Call("letter/create", {"kind": "letter", "title": " "}),
            ],
            "update": [Call("letter/update", {"id": "L-2", "patch": {"labels_add": ["urgent"]}})],
            "next": [Call("letter/next", {})],
            "status": [Call("letter/status", {"id": "L-2", "status": "done"})],
            "delete": [Call("letter/delete", {"id": "L-2"})],
            "watch": [Call("letter/watch", {}, "subject/changed")],
            "schema": [Call("letter/schema", {})],
        },
    ),
    "Provider": Example(
        "scribe.py",
        {
            "run": [Call("agent/run", {"prompt": "Write to Ada", **_RUN})],
            "resume": [
                Call("agent/resume", {"prompt": "Go on", **_RUN}),
                Call("agent/resume", {"prompt": "Go on", **_RUN, "session_id": "s-9"}),
            ],
        },
    ),
    "TriggerBackend": Example(
        "mail.py",
        {
            "watch": [
                Call("trigger/watch", {"config": {"triggers": [_MAIL]}}, "trigger/event"),
                Call("trigger/watch", {"config": {"triggers": [{**_MAIL, "config": {}}]}}),
                Call("trigger/watch", {"config": {"triggers": [_CLOSED]}}),
            ],
            "ack": [Call("trigger/ack", {"event_id": "m-1", "status": "dispatched"})],
            "schema": [Call("trigger/schema", {})],
        },
    ),
    "LogStorageBackend": Example(
        "journal.py",
        {
            "store": [Call("log_storage/store", {"entries": [_ENTRY]})],
            "query": [Call("log_storage/query", {"min_level": "warn", "limit": 10})],
            "tail": [Call("log_storage/tail", {}, "log_storage/event")],
            "schema": [Call("log_storage/schema", {})],
        },
    ),
    "Notifier": Example(
        "bell.py",
        {
            "notify": [Call("notifier/notify", {"event": {**_EVENT, "event_type": "workflow_failed"}})],
            "flush": [Call("notifier/flush", {})],
            "schema": [Call("notifier/schema", {})],
        },
    ),
    "TransportBackend": Example(
        "gateway.py",
        {
            "open": [
                Call("transport/start", {**_OPEN, "bind_addr": "nowhere"}),
                Call("transport/start", {**_OPEN, "config": {"greeting": "good day"}}),
                Call("transport/start", _OPEN),
            ],
            "close": [Call("transport/shutdown", {})],
            "schema": [Call("transport/schema", {})],
        },
    ),
    "WebUi": Example("page.py", {"open": [Call("transport/start", _OPEN)], "close": [Call("transport/shutdown", {})]}),
}


def carried_out(example: Example) -> Mapping[str, str]:
    """What was said for each verb, a line a message: `→` to the plugin, `←` from it."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_ask(_plugin(example), example.calls, Path(folder)))


def _plugin(example: Example) -> type[Plugin]:
    """The plugin that the program defines; it is imported from its file, as it is nobody's module."""
    spec = spec_from_file_location(f"example_{example.file.removesuffix('.py')}", FOLDER / example.file)
    if spec is None or spec.loader is None:
        raise LookupError(f"{example.file} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Plugin)]
    [plugin] = [kind for kind in kinds if kind.__module__ == module.__name__]
    return plugin


async def _ask(plugin: type[Plugin], calls: Mapping[str, Sequence[Call]], folder: Path) -> Mapping[str, str]:
    said = {}
    async with Harness(plugin, project_root=folder) as host:
        for verb, asked in calls.items():
            lines = []
            for call in asked:
                before = len(host.frames)
                try:
                    await host.request(call.method, call.params)
                except RpcError:
                    pass  # a refusal is a part of the example
                if call.until is not None:
                    await host.next_notification(call.until)
                said_now = [frame for frame in host.frames[before:] if frame.message.get("method") != "initialized"]
                lines += [_line(frame.direction, frame.message) for frame in said_now]
            said[verb] = "\n".join(lines)
    return said


def _line(direction: str, message: dict[str, Any]) -> str:
    arrow = "→" if direction == ">" else "←"
    if "method" in message:
        return f"{arrow} {message['method']} {_text(message.get('params'))}"
    word = "error" if "error" in message else "result"
    return f"{arrow} {word} {_text(message[word])}"


def _text(value: Any) -> str:
    return _LOCAL.sub("127.0.0.1:8080", json.dumps(_steady(value), ensure_ascii=False))


def _steady(value: Any) -> Any:
    """What depends on the moment is replaced, so that the page is the same each time."""
    if isinstance(value, dict):
        return {name: _UNSTEADY.get(name, _steady(part)) for name, part in value.items()}
    return [_steady(part) for part in value] if isinstance(value, list) else value
