"""A good log storage: a file of JSON lines in the project, with every filter, deduplication, queries and tails.

`--variant` names another way to keep the protocol (protocol §4): `sorted` puts entries in the order of their times and
writes null for what is absent, `talkative` says more than it has to and tells entries before it answers, `tail-only`
has no queries and no deduplication, `minimal` takes entries and gives nothing back.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from bisect import insort
from collections.abc import Callable
from datetime import UTC, datetime

from lines import Call, Json, Plugin, Refused

VARIANT = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else ""
METHODS = {
    "tail-only": ["log_storage/store", "log_storage/tail", "log_storage/schema"],
    "minimal": ["log_storage/store", "log_storage/schema"],
}.get(VARIANT, ["log_storage/store", "log_storage/query", "log_storage/tail", "log_storage/schema"])
FILTERS = ("by_level", "by_source", "by_target", "by_glob", "by_time_range")
LEVELS = ("trace", "debug", "info", "warn", "error")
SOURCES = ("daemon", "plugin", "cli", "workflow")
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def instant(text: str) -> datetime:
    if not TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text.upper().replace(":60", ":59"))


def is_time(value: Json) -> bool:
    try:
        return isinstance(value, str) and bool(instant(value))
    except ValueError:
        return False


def is_text(value: Json) -> bool:
    return isinstance(value, str)


def is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


ENTRY = {
    "id": is_text,
    "ts": is_time,
    "level": LEVELS.__contains__,
    "source": SOURCES.__contains__,
    "target": is_text,
    "message": is_text,
}
QUERY: dict[str, Callable[[Json], bool]] = {
    "since": is_time,
    "until": is_time,
    "min_level": LEVELS.__contains__,
    "source": SOURCES.__contains__,
    "source_name": is_text,
    "target_glob": is_text,
    "cursor": is_text,
    "limit": is_count,
    "follow": lambda value: isinstance(value, bool),
}


def refuse(where: str, value: Json) -> Refused:
    return Refused(-32602, f"{where}: {json.dumps(value):.80} does not fit", "invalid_request")


def checked_entries(params: Json) -> list[Json]:
    entries = params.get("entries")
    if not isinstance(entries, list):
        raise refuse("entries", entries)
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise refuse(f"entries[{number}]", entry)
        for name, fits in ENTRY.items():
            if not fits(entry.get(name)):
                raise refuse(f"entries[{number}].{name}", entry.get(name))
        if not isinstance(entry.get("source_name"), str | None):
            raise refuse(f"entries[{number}].source_name", entry["source_name"])
    return entries


def checked_query(params: Json) -> Json:
    given = {name: value for name, value in params.items() if value is not None}
    for name, value in given.items():
        if name in QUERY and not QUERY[name](value):
            raise refuse(name, value)
    return given


def predicate(query: Json) -> Callable[[Json], bool]:
    """Whether an entry passes every filter that is set."""
    tests: list[Callable[[Json], bool]] = []
    if VARIANT == "tail-only":
        return lambda entry: True
    if "min_level" in query:
        wanted = LEVELS[LEVELS.index(query["min_level"]) :]
        tests.append(lambda entry: entry["level"] in wanted)
    tests += [
        lambda entry, name=name: entry.get(name) == query[name] for name in ("source", "source_name") if name in query
    ]
    if "target_glob" in query:
        glob = re.compile(".*".join(re.escape(part) for part in query["target_glob"].split("*")), re.DOTALL)
        tests.append(lambda entry: bool(glob.fullmatch(entry["target"])))
    if "since" in query:
        since = instant(query["since"])
        tests.append(lambda entry: instant(entry["ts"]) >= since)
    if "until" in query:
        until = instant(query["until"])
        exact = VARIANT == "sorted"  # the very instant is in or out, as one likes
        tests.append(lambda entry: instant(entry["ts"]) < until or (exact and instant(entry["ts"]) == until))
    return lambda entry: all(test(entry) for test in tests)


class Log:
    """The entries, in memory in their order and in the file as they came. A key is what that order goes by."""

    def __init__(self, path: str) -> None:
        self.rows: list[tuple[Json, Json]] = []
        self.ids: set[str] = set()
        if VARIANT != "minimal":
            self.file = open(path, "ab+", buffering=0)  # noqa: SIM115 - open as long as the process is
            self.file.seek(0)
            for line in self.file:
                self._take(json.loads(line))

    def add(self, entries: list[Json]) -> list[Json]:
        """Write the new ones in one step; these, in the order they came."""
        once = {entry["id"]: entry for entry in reversed(entries)} if VARIANT != "tail-only" else {}
        new = [entry for entry in reversed(once.values()) if entry["id"] not in self.ids] if once else entries
        if VARIANT != "minimal":
            self.file.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in new))
            for entry in new:
                self._take(entry)
        return new

    def page(self, query: Json) -> Json:
        """Entries behind the cursor, which is the key of the last one that was given."""
        try:
            after = json.loads(query["cursor"]) if "cursor" in query else None
            rows = [row for row in self.rows if after is None or row[0] > after]
        except (ValueError, TypeError, RecursionError):
            raise refuse("cursor", query["cursor"]) from None
        wanted = predicate(query)
        fit = [row for row in rows if wanted(row[1])]
        limit = min(query.get("limit", len(fit)), 4 if VARIANT == "sorted" else len(fit))
        chosen = fit[:limit]
        more = chosen and len(chosen) < len(fit)
        return {"entries": [shown(entry) for _, entry in chosen], **cursor(chosen[-1][0] if more else None)}

    def _take(self, entry: Json) -> None:
        self.ids.add(entry["id"])
        number = len(self.rows)
        insort(self.rows, ([instant(entry["ts"]).timestamp(), number] if VARIANT == "sorted" else number, entry))


def cursor(key: Json) -> Json:
    if key is None:
        return {"next_cursor": None} if VARIANT == "sorted" else {}
    return {"next_cursor": json.dumps(key)}


def shown(entry: Json) -> Json:
    """An entry as it is given back."""
    if VARIANT != "sorted":
        return entry
    ts = instant(entry["ts"]).astimezone(UTC).isoformat(timespec="microseconds")
    return {"source_name": None, "fields": None, **entry, "ts": ts, "stored_by": "good-log-storage"}


class LogStorage(Plugin):
    """Stores, finds and tells entries; a lock makes storing and telling one step."""

    def __init__(self) -> None:
        manifest = {
            "name": "good-log-storage",
            "version": "1.0.0",
            "plugin_kind": "log_storage_backend",
            "description": "Keeps the log in a file of the project.",
            "protocol_version": "1.1.0" if VARIANT == "sorted" else "1.0.0",
            "capabilities": [*METHODS, "$/ping", "health/check"],
        }
        if VARIANT == "sorted":
            manifest |= {"capabilities": None, "env_required": None, "plugin_kinds": None}
        verbs = {"store": self.store, "query": self.query, "tail": self.tail, "schema": self.schema}
        methods = {name: verbs[name.partition("/")[2]] for name in METHODS}
        if VARIANT == "tail-only":
            methods["log_storage/query"] = unknown
        announced = [] if VARIANT == "talkative" else METHODS
        slow = frozenset({"log_storage/tail"}) if VARIANT == "talkative" else frozenset()
        super().__init__(manifest, {"methods": announced, "streaming": True, "cancellation": True}, methods, slow)
        self.lock = threading.Lock()
        self.tails: dict[int | str, Callable[[Json], bool]] = {}
        self.was_stored = threading.Event()
        self.on_start = lambda _: self.open()

    def open(self) -> None:
        self.log = Log(os.path.join(self.project_root, "log.jsonl"))

    def store(self, params: Json, call: Call) -> Json:
        entries = checked_entries(params)
        if VARIANT == "talkative":
            line = {"level": "debug", "target": "storage", "message": f"{len(entries)} entries came", "fields": {}}
            call.wire.tell("log/entry", {**line, "ts": datetime.now(UTC).isoformat()})
        with self.lock:
            new = self.log.add(entries)
            for entry in new:
                for tail_id, wanted in self.tails.items():
                    if wanted(entry):
                        call.wire.tell("log_storage/event", {"id": tail_id, "entry": shown(entry)})
        self.was_stored.set()
        return {"stored": len(entries) if VARIANT == "sorted" else len(new)}

    def query(self, params: Json, call: Call) -> Json:
        query = checked_query(params)
        with self.lock:
            return self.log.page(query)

    def tail(self, params: Json, call: Call) -> Json:
        wanted = predicate(checked_query(params))
        with self.lock:
            self.was_stored.clear()
            self.tails[call.id] = wanted
        if VARIANT == "talkative":
            self.was_stored.wait(0.02)  # an event may come before the reply
        if call.cancelled.is_set():
            self.end_tail(call.id)
            raise Refused(-32002, "cancelled", "cancelled")
        return {"tailing": True}

    def schema(self, params: Json, call: Call) -> Json:
        flags = {
            "supports_query": "log_storage/query" in METHODS,
            "supports_tail": "log_storage/tail" in METHODS,
            "supports_dedup": VARIANT not in ("tail-only", "minimal"),
            "supports_filtering": {} if VARIANT in ("tail-only", "minimal") else dict.fromkeys(FILTERS, True),
        }
        return {**flags, "max_query_window": None, "retention_hint": None} if VARIANT == "sorted" else flags

    def end_tail(self, request_id: Json) -> None:
        with self.lock:
            if isinstance(request_id, int | str):
                self.tails.pop(request_id, None)

    def _on_notification(self, method: str, params: Json) -> bool:
        goes_on = super()._on_notification(method, params)
        if method == "$/cancelRequest" and isinstance(params, dict):
            self.end_tail(params.get("id"))
        return goes_on


def unknown(params: Json, call: Call) -> Json:
    raise Refused(-32601, "this storage has no queries", "not_supported")


def main() -> None:
    LogStorage().serve()


if __name__ == "__main__":
    main()
