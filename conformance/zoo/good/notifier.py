"""A good notifier: writes messages into a file of the project, and holds back what is not urgent until a flush.

`--variant` names another way to keep the protocol (protocol §4): `plain` has no flush and says the least, `nulls` takes
everything and writes null for what is absent, `talkative` answers when it likes and says more than it has to.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import UTC, datetime

from lines import Call, Json, Plugin, Refused

VARIANT = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else ""
METHODS = ["notifier/notify", "notifier/schema", *(["notifier/flush"] if VARIANT != "plain" else [])]
URGENT = ("workflow-failed", "plugin-crashed")
ORDINARY = ("workflow-completed", "phase-started", "daemon-started")
REQUIRED = ("schema", "id", "timestamp", "event_type")


def checked_event(params: Json) -> Json:
    event = params.get("event")
    if not isinstance(event, dict):
        raise Refused(-32602, "event: expected an object", "invalid_request")
    for name in REQUIRED:
        if not isinstance(event.get(name), str):
            raise Refused(-32602, f"event.{name}: expected a text", "invalid_request")
    if not isinstance(event.get("project_root"), str | None):
        raise Refused(-32602, "event.project_root: expected a text or null", "invalid_request")
    return event


def happened(event_type: str, project_root: str | None, **data: Json) -> Json:
    """What the notifier did, for the daemon's log."""
    return {"event_type": event_type, "data": data, **({"project_root": project_root} if project_root else {})}


class Notifier(Plugin):
    """Sends what is urgent at once and once, holds back what is not, declines the rest."""

    def __init__(self) -> None:
        manifest = {
            "name": "good-notifier",
            "version": "1.0.0",
            "plugin_kind": "notifier",
            "description": "Writes what happens into a file of the project.",
            "protocol_version": "1.1.0" if VARIANT == "nulls" else "1.0.0",
            "capabilities": [*METHODS, "$/ping", "health/check"],
        }
        if VARIANT == "nulls":
            manifest |= {"capabilities": None, "env_required": None, "plugin_kinds": None}
        verbs = {"notify": self.notify, "flush": self.flush, "schema": self.schema}
        methods = {name: verbs[name.partition("/")[2]] for name in METHODS}
        announced = [] if VARIANT == "talkative" else METHODS
        slow = frozenset({"notifier/notify"}) if VARIANT == "talkative" else frozenset()
        super().__init__(manifest, {"methods": announced}, methods, slow)
        self.lock = threading.Lock()
        self.sent: set[str] = set()
        self.held_back: list[Json] = []
        self.on_start = lambda _: self.open()

    def open(self) -> None:
        path = os.path.join(self.project_root, "messages.jsonl")
        self.file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the process is

    def notify(self, params: Json, call: Call) -> Json:
        event = checked_event(params)
        with self.lock:
            if VARIANT == "plain":
                self.send(event)
                return {"accepted": True}
            if VARIANT == "nulls":
                return {"accepted": True, "delivered": self.send(event) or None, "lifecycle_events": None}
            if VARIANT == "talkative":
                self.talk(call, event)
            if event["event_type"] in URGENT:
                return self.taken(self.send(event), event)
            if event["event_type"] in ORDINARY:
                self.held_back.append(event)
                return self.taken(0, event)
        return {"accepted": False, "delivered": 0, "lifecycle_events": []}

    def taken(self, delivered: int, event: Json) -> Json:
        lifecycle_event = happened(
            "notification-sent", event.get("project_root"), event_id=event["id"], connector="file"
        )
        return {"accepted": True, "delivered": delivered, "lifecycle_events": [lifecycle_event] * delivered}

    def send(self, event: Json) -> int:
        """Write a message, unless it was written before; how many were."""
        if event["id"] in self.sent:
            return 0
        self.sent.add(event["id"])
        self.file.write(json.dumps({"what": event["event_type"], "about": event.get("data")}).encode() + b"\n")
        return 1

    def talk(self, call: Call, event: Json) -> None:
        line = {"level": "debug", "target": "notifier", "message": f"heard of {event['event_type']}", "fields": {}}
        call.wire.tell("log/entry", {**line, "ts": datetime.now(UTC).isoformat()})

    def flush(self, params: Json, call: Call) -> Json:
        wanted = params.get("project_root")
        if not isinstance(wanted, str | None):
            raise Refused(-32602, "project_root: expected a text or null", "invalid_request")
        with self.lock:
            due = [event for event in self.held_back if wanted in (None, event.get("project_root"))]
            self.held_back = [event for event in self.held_back if event not in due]
            count = sum(self.send(event) for event in due)
        if VARIANT == "nulls":
            return {"lifecycle_events": None}
        return {"lifecycle_events": [happened("digest-sent", wanted, messages=count)]} if count else {}

    def schema(self, params: Json, call: Call) -> Json:
        return {"connector_kinds": ["file"], "supports_flush": "notifier/flush" in METHODS}


def main() -> None:
    Notifier().serve()


if __name__ == "__main__":
    main()
