"""What the fake daemon says: always the same, with words that nobody would make up (protocol §5).

By `TELLING` checks recognise an answer that came through a transport. Nothing lies below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["ANSWERS", "STREAMS", "TELLING", "Json", "stream_item"]

Json = Any

_AT: Final = "2026-03-02T09:30:00Z"
_LATER: Final = "2026-03-02T10:15:30.250Z"
# Letters, quotes and brackets that a transport breaks which encodes or escapes carelessly.
_TITLES: Final = (
    "Show the duration of a lighthouse build",
    "Größe & Dauer: prüfe die Übersicht „Leuchtturm“ 灯台",
    'Quote "keeper\'s log" <once>',
)
_IDS: Final = ("LIGHTHOUSE-41", "LIGHTHOUSE-42", "LIGHTHOUSE-43")
_RUNS: Final = ("run-lantern-7", "run-foghorn-8")
_ENTRIES: Final = ("entry-lantern-1", "entry-foghorn-2")
_PLUGINS: Final = ("keeper-subjects", "keeper-provider")
_ROOT: Final = "/srv/lighthouse"
_SCOPE: Final = "lighthouse-0123456789ab"

ANSWERS: Final[Mapping[str, Json]] = {
    "subject/list": {
        "subjects": [
            {
                "id": subject_id,
                "kind": "task",
                "title": title,
                "status": status,
                "priority": 2,
                "labels": ["lighthouse"],
                "created_at": _AT,
                "updated_at": _LATER,
            }
            for subject_id, title, status in zip(_IDS, _TITLES, ("ready", "in-progress", "done"), strict=True)
        ],
        "fetched_at": _LATER,
    },
    "queue/list": {
        "entries": [
            {"id": entry, "subject_id": subject_id, "status": status, "priority": 2, "enqueued_at": _AT}
            for entry, subject_id, status in zip(_ENTRIES, _IDS, ("ready", "held"), strict=False)
        ]
    },
    "queue/stats": {"ready": 101, "held": 102, "in_flight": 103, "done_recent": 104, "dropped_recent": 105},
    "workflow/list": {
        "runs": [
            {"id": _RUNS[0], "definition": "standard", "status": "running", "subject_id": _IDS[0], "started_at": _AT},
            {
                "id": _RUNS[1],
                "definition": "standard",
                "status": "completed",
                "subject_id": _IDS[2],
                "started_at": _AT,
                "finished_at": _LATER,
            },
        ]
    },
    "daemon/status": {
        "running": True,
        "pid": 4242,
        "uptime_seconds": 86461,
        "version": "0.0.1-lighthouse",
        "project_root": _ROOT,
        "capabilities": {"methods": ["subject/list", "queue/list", "workflow/list", "daemon/status", "daemon/events"]},
    },
    "daemon/health": {
        "status": "degraded",
        "plugins": [{"name": _PLUGINS[0], "kind": "subject_backend", "status": "healthy", "uptime_ms": 86_461_000}],
        "last_error": "the lantern of the lighthouse flickers",
    },
    "plugin/list": {
        "plugins": [
            {"name": name, "version": "1.2.3", "kind": kind, "signature_verified": False}
            for name, kind in zip(_PLUGINS, ("subject_backend", "provider"), strict=True)
        ]
    },
    "project/status": {
        "project_root": _ROOT,
        "repo_scope": _SCOPE,
        "workflow_definition_count": 11,
        "task_count": 3,
        "active_runs": 1,
        "queue_size": 2,
    },
}
"""The result of each method, whatever its params."""

TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "subject/list": _TITLES,
    "queue/list": _ENTRIES,
    "queue/stats": ("101", "102", "103", "104", "105"),
    "workflow/list": _RUNS,
    "daemon/status": ("0.0.1-lighthouse",),
    "daemon/health": ("the lantern of the lighthouse flickers",),
    "plugin/list": _PLUGINS,
    "project/status": (_SCOPE,),
}
"""What somebody who shows such an answer whole shows of it."""

STREAMS: Final[Mapping[str, str]] = {
    "daemon/events": "daemon/event",
    "workflow/events": "workflow/event",
    "subject/watch": "subject/changed",
}
"""Each method that opens a stream, and the notifications that come on it."""


def stream_item(method: str, number: int, word: str) -> Json:
    """The `data` of the stream's notification `number`, with `word` in it."""
    if method == "daemon/events":
        return {"id": str(number), "occurred_at": _LATER, "kind": "phase_started", "payload": {"phase": word}}
    if method == "workflow/events":
        return {"workflow_id": _RUNS[0], "kind": "phase_started", "payload": {"phase": word}, "occurred_at": _LATER}
    subject = {**ANSWERS["subject/list"]["subjects"][0], "title": word}
    return {"id": subject["id"], "change_kind": "updated", "subject": subject}
