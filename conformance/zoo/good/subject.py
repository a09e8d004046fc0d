"""A good subject backend: tickets and visits in one JSON file of the project. Everything that the protocol offers.

`--variant` names another way to keep the protocol: `nested`, `patterns`, `read-only`, `mirror`, `talkative`. Its work
items are in `desk.py`, what it shares with other kinds in `lines.py` (protocol §4).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from desk import NATIVE, STATUSES, Store, Subject, new, now, passes, place
from lines import Any, Call, Json, Plugin, Refused

VARIANT = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else ""
KINDS = ["issue.*"] if VARIANT == "patterns" else ["ticket", "visit"]
FIRST_KIND = "issue.bug" if VARIANT == "patterns" else "ticket"
VERBS = {
    "read-only": ["list", "get"],
    "mirror": ["list", "get", "watch", "schema"],
    "talkative": ["list", "get", "create", "update", "next", "status", "watch", "schema"],
}.get(VARIANT, ["list", "get", "create", "update", "next", "status", "delete", "watch", "schema"])


def fits(kind: Any) -> bool:
    """Whether `kind` is claimed."""
    return isinstance(kind, str) and any(
        kind == one or (one.endswith("*") and kind.startswith(one[:-1]) and kind != one[:-1]) for one in KINDS
    )


class SubjectBackend(Plugin):
    """The verbs, under the name of each kind and under `subject/`."""

    def __init__(self) -> None:
        tokens = [f"subject_kind:{kind}" for kind in KINDS]
        prefixes = ["subject"] if VARIANT == "patterns" else KINDS
        self._spelled = [f"{prefix}/{verb}" for prefix in prefixes for verb in VERBS]
        manifest: Json = {
            "name": "good-subject",
            "version": "1.0.0",
            "plugin_kind": "subject_backend",
            "description": "Tickets and visits in a file.",
            "protocol_version": "1.1.0" if VARIANT == "talkative" else "1.0.0",
            "capabilities": [*self._spelled, *tokens],
        }
        capabilities: Json = {"methods": self._spelled, "subject_kinds": KINDS, "streaming": True, "projections": []}
        if VARIANT == "nested":
            manifest.update(capabilities=None, plugin_kinds=None, env_required=None, notification_buffer_size=None)
        if VARIANT == "read-only":
            capabilities = {}
        handlers = {verb: getattr(self, f"_{verb}") for verb in VERBS}
        self._verbs: dict[str, Callable[[str | None, Json, Call], Json]] = handlers
        super().__init__(manifest, capabilities, {}, frozenset())
        self.on_start = self._open
        self._watches: dict[Json, tuple[str | None, Json]] = {}
        self._leaving = False

    # how it speaks

    def _result(self, method: str, params: Json, call: Call) -> Json:
        if VARIANT == "talkative":
            entry = {"level": "debug", "target": "desk", "message": f"serving {method}", "fields": {}, "ts": now()}
            self.wire.tell("log/entry", entry)
        prefix, _, verb = method.rpartition("/")
        if method == "subject/unwatch" and "watch" in self._verbs:
            return {"ok": self._end_watch(params.get("watch_id"))}
        if prefix != "subject" and not fits(prefix):
            return super()._result(method, params, call)
        if verb not in self._verbs:
            code = -32601 if VARIANT == "read-only" else -32001
            raise Refused(code, f"{method} is not offered", "not_supported")
        self.methods[method] = lambda params, call: self._verbs[verb](
            None if prefix == "subject" else prefix, params, call
        )
        return super()._result(method, params, call)

    def _initialize(self, params: Json) -> Json:
        result = super()._initialize(params)
        result["protocol_version"] = self.manifest["protocol_version"]
        return result

    def _on_notification(self, method: str, params: Json) -> bool:
        if method == "$/cancelRequest" and isinstance(params, dict):
            self._end_watch(params.get("id"))
        self._leaving = method == "exit"
        return super()._on_notification(method, params)

    def stay(self) -> None:
        """The end of input alone does not end the talkative one at once, as if it had work to finish."""
        if VARIANT == "talkative" and not self._leaving:
            threading.Event().wait(1.0)

    def _open(self, plugin: Plugin) -> None:
        self.on_stop = self.stay
        self._store = Store(os.path.join(self.project_root, "desk.json"), FIRST_KIND)
        if VARIANT == "mirror":
            threading.Thread(target=self._scan_outside, daemon=True).start()

    def _scan_outside(self) -> None:
        """The mirror shows a ticket for each line that somebody adds to a file."""
        path, seen = os.path.join(self.project_root, "incoming.txt"), 0
        while not threading.Event().wait(0.02):
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as file:
                titles = file.read().splitlines()
            for title in titles[seen:]:
                subject = new(FIRST_KIND, title, "ready")
                self._store.add(subject)
                self._tell("created", subject)
            seen = len(titles)

    def _end_watch(self, watch_id: Json) -> bool:
        """By its id, which hosts send as a text, too."""
        ended = [one for one in self._watches if str(one) == str(watch_id)]
        for one in ended:
            del self._watches[one]
        return bool(ended)

    def _shown(self, subject: Subject) -> Json:
        if VARIANT == "nested":
            nothing = {"description": None, "assignee": None, "labels": None, "children": None, "url": None}
            return {"subject": {**nothing, **subject}}
        return subject

    def _tell(self, change_kind: str, subject: Subject, before: Subject | None = None) -> None:
        for watch_id, (kind, wanted) in list(self._watches.items()):
            if any(passes(one, _narrowed(kind, wanted)) for one in (subject, before) if one):
                params = {"id": watch_id, "change_kind": change_kind, "subject": subject}
                if VARIANT == "talkative":
                    params["id"] = subject["id"]
                if before and before["native_status"] != subject["native_status"]:
                    params["previous_native_status"] = before["native_status"]
                self.wire.tell("subject/changed", params)

    # the verbs

    def _list(self, kind: str | None, params: Json, call: Call) -> Json:
        found = [one for one in self._store.all() if passes(one, _narrowed(kind, params))]
        after = _place_in(params["cursor"]) if params.get("cursor") is not None else (-1, 0)
        rest = [one for one in found if place(one) > after]
        limit = params.get("limit")
        shown = rest if limit is None else rest[:limit]
        page: Json = {"subjects": shown, "fetched_at": now()}
        if shown and len(shown) < len(rest):
            page["next_cursor"] = "{}.{}".format(*place(shown[-1]))
        elif VARIANT == "nested":
            page["next_cursor"] = None
        return page

    def _get(self, kind: str | None, params: Json, call: Call) -> Json:
        return self._shown(self._store.get(params))

    def _create(self, kind: str | None, params: Json, call: Call) -> Json:
        if not isinstance(params.get("kind"), str) or not isinstance(params.get("title"), str):
            raise Refused(-32602, "kind, title: expected texts", "invalid_request")
        if not fits(params["kind"]):
            raise Refused(-32601, f"kind: {params['kind']!r} does not live here", "invalid_request")
        status = _status(params.get("status", "ready"))
        at = now()
        subject = {
            name: params[name]
            for name in ("kind", "title", "priority", "labels", "assignee", "custom")
            if name in params
        }
        subject.update(status=status, native_status=NATIVE[status], created_at=at, updated_at=at)
        if "body" in params:
            subject["description"] = params["body"]
        self._store.add(subject)
        self._tell("created", subject)
        return self._shown(subject)

    def _update(self, kind: str | None, params: Json, call: Call) -> Json:
        patch = params.get("patch")
        if not isinstance(patch, dict):
            raise Refused(-32602, "patch: expected an object", "invalid_request")
        subject = self._store.get(params)
        before = dict(subject)
        if patch.get("status") is not None:
            subject.update(status=_status(patch["status"]), native_status=NATIVE[patch["status"]])
        if "assignee" in patch:
            subject["assignee"] = patch["assignee"]
        if subject.get("assignee") is None:
            subject.pop("assignee", None)
        if "labels_add" in patch or "labels_remove" in patch:
            labels = dict.fromkeys([*subject.get("labels", []), *patch.get("labels_add", [])])
            subject["labels"] = [one for one in labels if one not in patch.get("labels_remove", [])]
        if "custom" in patch:
            subject["custom"] = {**subject.get("custom", {}), **patch["custom"]}
        return self._changed(subject, before)

    def _status(self, kind: str | None, params: Json, call: Call) -> Json:
        subject = self._store.get(params)
        before = dict(subject)
        status = _status(params.get("status"))
        subject.update(status=status, native_status=NATIVE[status])
        return self._changed(subject, before)

    def _changed(self, subject: Subject, before: Subject) -> Json:
        subject["updated_at"] = now()
        self._store.save()
        moved = subject["status"] != before["status"] and VARIANT != "talkative"
        self._tell("status-changed" if moved else "updated", subject, before)
        return self._shown(subject)

    def _next(self, kind: str | None, params: Json, call: Call) -> Json:
        wanted = _narrowed(kind, {"kind": [params["kind"]]} if params.get("kind") else {})
        ready = [one for one in self._store.all() if one["status"] == "ready" and passes(one, wanted)]
        if not ready:
            return {"subject": None} if VARIANT == "nested" else None
        return self._shown(ready[0])

    def _delete(self, kind: str | None, params: Json, call: Call) -> Json:
        subject = self._store.get(params)
        self._store.remove(subject)
        self._tell("deleted", subject)
        return {"ok": True}

    def _watch(self, kind: str | None, params: Json, call: Call) -> Json:
        self._watches[call.id] = (kind, params)
        return {"watching": True}

    def _schema(self, kind: str | None, params: Json, call: Call) -> Json:
        schema: Json = {
            "kinds": KINDS,
            "status_values": STATUSES,
            "supports_watch": "watch" in VERBS,
            "supports_create": "create" in VERBS,
            "supports_pagination": True,
            "supports_delete": "delete" in VERBS,
            "native_status_values": list(NATIVE.values()),
            "status_dispatch_hints": [{"native_status": "Open", "maps_to": "ready"}],
            "custom_fields": [{"key": "sprint", "type": "string"}, {"key": "estimate", "type": "number"}],
        }
        if VARIANT == "talkative":  # as older plugins spell it
            schema.update(
                status_dispatch_hints=[{"native_status": "Open", "status": "ready"}],
                custom_fields=["sprint", "estimate"],
            )
            del schema["supports_delete"]
        return schema


def _narrowed(kind: str | None, wanted: Json) -> Json:
    """The kind in a method's name stands for a filter that names none."""
    return wanted if wanted.get("kind") or kind is None else {**wanted, "kind": [kind]}


def _status(value: Any) -> str:
    if value not in STATUSES:
        raise Refused(-32602, f"status: {value!r} is none of {', '.join(STATUSES)}", "invalid_request")
    return str(value)


def _place_in(cursor: Any) -> tuple[int, int]:
    try:
        priority, number = str(cursor).split(".")
        return int(priority), int(number)
    except ValueError:
        raise Refused(-32602, f"cursor: {cursor!r} was not given out here", "invalid_request") from None


def main() -> None:
    SubjectBackend().serve()


if __name__ == "__main__":
    main()
