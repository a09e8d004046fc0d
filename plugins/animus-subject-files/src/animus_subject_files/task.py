"""What a task file means: its keys checked and turned into a Subject.

Below it lies `front_matter.py`. Everything that is wrong is a FrontMatterError with the line and what to do.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import yaml

from animus_sdk import PriorityName, Subject, SubjectStatus
from animus_subject_files.front_matter import Document, FrontMatterError, decode, parse

__all__ = ["KIND", "KNOWN_KEYS", "Task", "read_task", "subject_of"]

KIND: Final = "task"
KNOWN_KEYS: Final = frozenset(
    ["id", "title", "status", "priority", "assignee", "labels", "created_at", "updated_at", "parent", "children", "url"]
)
_MAX_PRIORITY: Final = 255


@dataclass(frozen=True, slots=True)
class Task:
    """A readable task file: the subject, and a digest of the file's bytes to tell versions apart."""

    subject: Subject
    digest: bytes


def read_task(task_id: str, content: bytes, times: os.stat_result) -> Task:
    """The task in `content`; `times` stand in for dates that the file does not have. Raises FrontMatterError."""
    _, text = decode(content)
    subject = subject_of(task_id, parse(text), times)
    return Task(subject, hashlib.sha256(content).digest())


def subject_of(task_id: str, doc: Document, times: os.stat_result) -> Subject:
    """The subject that `doc` describes. Raises FrontMatterError."""
    own_id = _text(doc, "id")
    if own_id is not None and own_id != task_id:
        raise _wrong(doc, "id", f"`id: {own_id}` contradicts the file's name - remove the key or rename the file")
    title = _text(doc, "title")
    if title is None or not title.strip():
        raise _wrong(doc, "title", "no `title` - write `title: ...`")
    native = _text(doc, "status")
    updated_at = _time(doc, "updated_at") or _moment(times.st_mtime)
    return Subject(
        id=task_id,
        kind=KIND,
        title=title.strip(),
        status=_status(doc, native),
        # `stat` on Linux has no time of birth: the earliest time that is known comes nearest to it.
        created_at=_time(doc, "created_at") or min(updated_at, _moment(min(times.st_mtime, times.st_ctime))),
        updated_at=updated_at,
        description=doc.body.strip() or None,
        native_status=native,
        priority=_priority(doc),
        assignee=_text(doc, "assignee"),
        labels=_texts(doc, "labels"),
        parent=_text(doc, "parent"),
        children=_texts(doc, "children"),
        url=_text(doc, "url"),
        custom={key: value for key, value in doc.values.items() if key not in KNOWN_KEYS},
    )


def _wrong(doc: Document, key: str, problem: str) -> FrontMatterError:
    return FrontMatterError(doc.line_of(key), problem)


def _written(node: yaml.Node) -> str | None:
    """A scalar's text as it is written (`1.10` stays `1.10`), or None for a list or a mapping."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _text(doc: Document, key: str) -> str | None:
    if doc.values.get(key) is None:
        return None
    text = _written(doc.entries[key].value)
    if text is None:
        raise _wrong(doc, key, f"`{key}` is a list or a mapping - write one text")
    return text or None


def _texts(doc: Document, key: str) -> list[str]:
    if doc.values.get(key) is None:
        return []
    node = doc.entries[key].value
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    texts = [_written(item) for item in items]
    if any(not text for text in texts):
        raise _wrong(doc, key, f"`{key}` is not a list of texts - write `{key}: [one, two]`")
    return [text for text in texts if text]


def _status(doc: Document, native: str | None) -> SubjectStatus:
    if native is None:
        return SubjectStatus.READY
    try:
        return SubjectStatus(native)
    except ValueError:
        known = ", ".join(SubjectStatus)
        raise _wrong(doc, "status", f"`status: {native}` is not known - write one of {known}") from None


def _priority(doc: Document) -> int | None:
    value: Any = doc.values.get("priority")
    if value is None:
        return None
    text = _written(doc.entries["priority"].value) or ""
    if text in tuple(PriorityName):
        return PriorityName(text).number
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_MAX_PRIORITY)) and int(text) <= _MAX_PRIORITY:
        return int(text)
    words = ", ".join(PriorityName)
    raise _wrong(doc, "priority", f"`priority: {text or '...'}` is not known - write {words}, or 0 to {_MAX_PRIORITY}")


def _time(doc: Document, key: str) -> datetime | None:
    value = doc.values.get(key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(doc, key, f"`{key}` is not a date or time - write it as 2026-01-31T09:30:00Z") from None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
