"""A good trigger: tells of each letter in a folder of the project until it is acknowledged, also after a restart.

`--variant` names another way to keep the protocol (protocol §4): `nested` puts each event into an object of its own and
writes null for what is absent, `older` has the names of older plugins, tells before it answers, repeats what is not
acknowledged and lets a new watch replace the last one, `cursor` knows no acknowledgements and goes on behind a cursor,
`minimal` tells of what happens while somebody watches and of nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime

from lines import Call, Json, Plugin, Refused

VARIANT = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else ""
KEEPS_ACKS = VARIANT not in ("cursor", "minimal")
METHODS = ["trigger/watch", "trigger/schema", *(["trigger/ack"] if KEEPS_ACKS else [])]
POLL_S = 0.01
REPEAT_S = 0.1


class Letter:
    """A file in a watched folder."""

    def __init__(self, trigger_id: str, name: str, written_s: float) -> None:
        self.trigger_id = trigger_id
        self.name = name
        self.written_s = written_s

    @property
    def event_id(self) -> str:
        from hashlib import sha256  # it loads OpenSSL, and in most starts nobody has written a letter

        return sha256(f"{self.trigger_id}/{self.name}".encode()).hexdigest()[:20]

    def place(self) -> tuple[int, str, str]:
        """In the order of numbers: `letter-9` comes before `letter-10`."""
        return len(self.name), self.name, self.trigger_id


def folders_of(config: Json) -> dict[str, str]:
    """The folder of each trigger that is ours; those of other plugins are passed over."""
    rows = config.get("triggers") if isinstance(config, dict) else config
    if not isinstance(config, dict | None) or not isinstance(rows, list | None):
        raise Refused(-32602, 'config: expected {"triggers": […]}', "invalid_request")
    folders = {}
    for number, row in enumerate(rows or []):
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            raise Refused(-32602, f"config.triggers[{number}].id: expected a text", "invalid_request")
        config = row.get("config")
        if isinstance(config, dict) and "folder" in config:
            folder = config["folder"]
            if not isinstance(folder, str) or "\0" in folder or ".." in folder or os.path.isabs(folder):
                raise Refused(-32602, f"config.triggers[{number}].folder: expected a relative path", "invalid_request")
            folders[row["id"]] = folder
    return folders


def letters(folders: dict[str, str]) -> list[Letter]:
    found = []
    for trigger_id, folder in folders.items():
        if os.path.isdir(folder):
            found += [Letter(trigger_id, one.name, one.stat().st_mtime) for one in os.scandir(folder)]
    return sorted(found, key=Letter.place)


class Watch:
    """One open stream: a thread that looks into the folders until it is stopped, and tells all but what is `over`."""

    def __init__(self, call: Call, acked: set[str]) -> None:
        self.id = call.id
        self.wire = call.wire
        self.acked = acked
        self.over: set[str] = set()
        self.sent_at: dict[str, float] = {}
        self.stopped = threading.Event()
        self.has_scanned = threading.Event()

    def begin(self, folders: dict[str, str], over: set[str]) -> None:
        self.over = over
        threading.Thread(target=self.run, args=(folders,), daemon=True).start()

    def run(self, folders: dict[str, str]) -> None:
        while not self.stopped.is_set():
            for letter in letters(folders):
                if self.is_due(letter.event_id) and not self.stopped.is_set():
                    self.sent_at[letter.event_id] = time.monotonic()
                    self.wire.tell("trigger/event", shown(letter))
            self.has_scanned.set()
            self.stopped.wait(POLL_S)

    def is_due(self, event_id: str) -> bool:
        if event_id in self.acked or event_id in self.over:
            return False
        repeats = VARIANT == "older" and time.monotonic() - self.sent_at.get(event_id, 0.0) > REPEAT_S
        return event_id not in self.sent_at or repeats

    def fail(self, refused: Refused) -> None:
        self.wire.tell("trigger/event", {"error": {name: refused.error[name] for name in ("code", "message")}})


def shown(letter: Letter) -> Json:
    """An event, in one of its forms."""
    payload = {"letter": letter.name}
    if VARIANT == "older":
        when = datetime.fromtimestamp(letter.written_s, UTC).isoformat()
        return {"id": letter.event_id, "kind": "letter", "occurred_at": when, "payload": payload}
    event = {"event_id": letter.event_id, "trigger_id": letter.trigger_id, "action_hint": "create_task"}
    if VARIANT == "nested":
        nothing = {"subject_id": None, "subject_kind": None}
        return {"error": None, "event": {**event, **nothing, "action_hint": None, "payload": payload}}
    return {**event, "payload": payload}


class Letters(Plugin):
    """Watches folders; what was acknowledged is in a file of the project."""

    def __init__(self) -> None:
        manifest = {
            "name": "good-trigger",
            "version": "1.0.0",
            "plugin_kind": "trigger_backend",
            "description": "Tells of letters in a folder of the project.",
            "protocol_version": "1.1.0" if VARIANT == "nested" else "1.0.0",
            "capabilities": [*METHODS, "$/ping", "health/check"],
        }
        if VARIANT == "nested":
            manifest |= {"capabilities": None, "env_required": None, "plugin_kinds": None}
        verbs = {"watch": self.watch, "ack": self.ack, "schema": self.schema}
        methods = {name: verbs[name.partition("/")[2]] for name in METHODS}
        announced = [] if VARIANT == "older" else METHODS
        slow = frozenset({"trigger/watch"}) if VARIANT == "older" else frozenset()
        super().__init__(manifest, {"methods": announced, "streaming": True, "cancellation": True}, methods, slow)
        self.lock = threading.Lock()
        self.acked: set[str] = set()
        self.open_watch: Watch | None = None
        self.on_start = lambda _: self.open()
        if KEEPS_ACKS:
            self.on_notification["trigger/ack"] = self.on_ack

    def open(self) -> None:
        os.makedirs(os.path.join(self.project_root, "inbox"), exist_ok=True)
        if KEEPS_ACKS:
            path = os.path.join(self.project_root, "acknowledged.jsonl")
            self.file = open(path, "ab+", buffering=0)  # noqa: SIM115 - open as long as the process is
            self.file.seek(0)
            self.acked |= {json.loads(line) for line in self.file}

    def watch(self, params: Json, call: Call) -> Json:
        watch = Watch(call, self.acked)
        with self.lock:
            if self.open_watch is not None and VARIANT != "older":
                raise Refused(-32600, "one watch a connection, and one is open", "conflict")
            try:
                given = folders_of(params.get("config"))
            except Refused as refused:
                if VARIANT != "older":
                    raise
                watch.fail(refused)
                return {"watching": True}
            folders = {trigger_id: os.path.join(self.project_root, folder) for trigger_id, folder in given.items()}
            watch.begin(folders, self.over(params.get("cursor"), folders))
            if self.open_watch is not None:
                self.open_watch.stopped.set()
            self.open_watch = watch
        if VARIANT == "older":
            line = {"level": "debug", "target": "letters", "message": f"watching {len(folders)} folders", "fields": {}}
            call.wire.tell("log/entry", {**line, "ts": datetime.now(UTC).isoformat()})
            watch.has_scanned.wait(1.0)  # an event may come before the reply
        return {"watching": True}

    def over(self, cursor: Json, folders: dict[str, str]) -> set[str]:
        """The ids of events that a new watch does not tell, though nobody has acknowledged them."""
        there = [one.event_id for one in letters(folders)]
        if VARIANT == "cursor" and cursor is not None:
            if cursor not in there:
                raise Refused(-32602, f"cursor: {json.dumps(cursor):.80} is none of ours", "invalid_request")
            return set(there[: there.index(cursor) + 1])
        return set(there) if VARIANT == "minimal" else set()

    def ack(self, params: Json, call: Call) -> Json:
        event_id = params.get("event_id")
        if not isinstance(event_id, str):
            raise Refused(-32602, "event_id: expected a text", "invalid_request")
        if VARIANT == "nested" and len(event_id) != 20:
            raise Refused(-32602, f"no event {event_id:.80}", "not_found")
        with self.lock:
            if event_id not in self.acked:
                self.acked.add(event_id)
                self.file.write(json.dumps(event_id).encode() + b"\n")
        return {"event_id": event_id, "acked": True}

    def on_ack(self, params: Json) -> None:
        try:
            self.ack(params if isinstance(params, dict) else {}, Call(self.wire, 0))
        except Refused as refused:
            print(refused, file=sys.stderr)

    def schema(self, params: Json, call: Call) -> Json:
        resumes = VARIANT != "minimal"
        dedups = VARIANT != "older"
        return {"kinds": ["letter"], "supports_resume": resumes, "supports_dedup": dedups, "supports_ack": KEEPS_ACKS}

    def _on_notification(self, method: str, params: Json) -> bool:
        goes_on = super()._on_notification(method, params)
        if method == "$/cancelRequest" and isinstance(params, dict):
            watch = self.open_watch
            if watch is not None and params.get("id") == watch.id:
                watch.stopped.set()
                self.open_watch = None
        return goes_on


def main() -> None:
    Letters().serve()


if __name__ == "__main__":
    main()
