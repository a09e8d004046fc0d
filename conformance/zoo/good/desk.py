"""The work items of the good subject backend: a JSON file, what it holds at first, and what passes a filter.

Nothing lies below but the file (protocol §4).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lines import Any, Json, Refused

STATUSES = ["ready", "in-progress", "blocked", "done", "cancelled"]
NATIVE = dict(zip(STATUSES, ["Open", "Doing", "Stuck", "Closed", "Dropped"], strict=True))

Subject = dict[str, Any]


def now() -> str:
    return datetime.now(UTC).isoformat()


def seeds(kind: str) -> list[Subject]:
    """What is in a store that nobody has used yet."""
    first = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    photo = {"id": "a-1", "kind": "image", "uri": "file:///photos/pump.jpg"}
    rows: list[Json] = [
        ("Replace the pump", "ready", {"labels": ["plumbing"], "assignee": "ada", "attachments": [photo]}),
        ("Paint the fence", "blocked", {"labels": ["garden", "paint"], "custom": {"dispatch_label": "outdoors"}}),
        ("Answer Zoë’s letter ✉", "done", {"priority": 2, "assignee": "grace"}),
    ]
    return [
        {
            "id": f"D-{number}",
            "kind": kind,
            "title": title,
            "status": status,
            "native_status": NATIVE[status],
            "created_at": first.isoformat(),
            "updated_at": (first + timedelta(days=number)).isoformat(),
            **more,
        }
        for number, (title, status, more) in enumerate(rows, start=1)
    ]


def new(kind: str, title: str, status: str) -> Subject:
    """A subject that has no id yet."""
    at = now()
    made = {"kind": kind, "title": title, "status": status, "native_status": NATIVE[status]}
    return {**made, "created_at": at, "updated_at": at}


class Store:
    """The file, read whole and written whole."""

    def __init__(self, path: str, first_kind: str) -> None:
        self._path = path
        try:
            with open(path, encoding="utf-8") as file:
                self._data = json.load(file)
        except FileNotFoundError:
            self._data = {"last": 3, "subjects": seeds(first_kind)}

    def all(self) -> list[Subject]:
        """In the order of priority, then of number."""
        return sorted(self._data["subjects"], key=place)

    def get(self, params: Json) -> Subject:
        if not isinstance(params.get("id"), str):
            raise Refused(-32602, "id: expected a text", "invalid_request")
        for subject in self._data["subjects"]:
            if subject["id"] == params.get("id"):
                return subject
        raise Refused(-32602, f"no subject {params.get('id')!r}", "not_found")

    def add(self, subject: Subject) -> None:
        self._data["last"] += 1
        subject["id"] = f"D-{self._data['last']}"
        self._data["subjects"].append(subject)
        self.save()

    def remove(self, subject: Subject) -> None:
        self._data["subjects"].remove(subject)
        self.save()

    def save(self) -> None:
        with open(f"{self._path}.new", "w", encoding="utf-8") as file:
            json.dump(self._data, file)
        os.replace(f"{self._path}.new", self._path)


def place(subject: Subject) -> tuple[int, int]:
    return subject.get("priority", 3), int(subject["id"][2:])


def passes(subject: Subject, wanted: Json) -> bool:
    """Whether `subject` passes the flat filter `wanted`."""
    labels = set(subject.get("labels", []))
    kinds_of_attachments = [one["kind"] for one in subject.get("attachments", [])]
    dispatch_label = subject.get("custom", {}).get("dispatch_label")
    tests: list[tuple[str, Callable[[Any], bool]]] = [
        ("kind", lambda value: subject["kind"] in value),
        ("status", lambda value: subject["status"] in value),
        ("native_status", lambda value: subject["native_status"] == value),
        ("dispatch_label", lambda value: dispatch_label == value),
        ("has_attachment_kind", lambda value: value in kinds_of_attachments),
        ("assignee", lambda value: subject.get("assignee") in value),
        ("labels_any", lambda value: bool(labels & set(value))),
        ("labels_all", lambda value: labels >= set(value)),
        ("updated_since", lambda value: moment(subject["updated_at"]) >= moment(value)),
    ]
    return all(test(wanted[name]) for name, test in tests if wanted.get(name))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
