"""Which tasks a filter wants, in which order, page by page; called by `plugin.py` and `changes.py`.

The order is priority, then natural order of ids. A cursor is the place of the last task that was handed out, not a
count, so pages join without gap or repeat when files come and go in between. Below it lies `names.py`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from animus_protocol.models.subject import Subject, SubjectFilter, SubjectList, SubjectStatus
from animus_sdk import InvalidInput
from animus_subject_files.names import natural_key
from animus_subject_files.task import PRIORITY_WORDS, Task

__all__ = ["first_ready", "matches", "page"]

_PAGE_BYTES: Final = 4 * 1024 * 1024
_SUBJECT_OVERHEAD_BYTES: Final = 400
_MAX_CURSOR_CHARS: Final = 1_000

_Place = tuple[int, list[tuple[int, int, str]]]


def matches(subject: Subject, wanted: SubjectFilter) -> bool:
    """Whether `subject` passes every set field; task files have no attachments."""
    return (
        (not wanted.kind or subject.kind in wanted.kind)
        and (not wanted.status or subject.status in wanted.status)
        and (wanted.native_status is None or subject.native_status == wanted.native_status)
        and (wanted.dispatch_label is None or subject.custom.get("dispatch_label") == wanted.dispatch_label)
        and wanted.has_attachment_kind is None
        and (not wanted.assignee or subject.assignee in wanted.assignee)
        and (not wanted.labels_any or not set(wanted.labels_any).isdisjoint(subject.labels))
        and set(wanted.labels_all) <= set(subject.labels)
        and (wanted.updated_since is None or subject.updated_at >= wanted.updated_since)
    )


def page(tasks: Iterable[Task], wanted: SubjectFilter) -> SubjectList:
    """The tasks that match, after the cursor and up to the limit, and never more than a frame can carry (4 MiB).

    Raises InvalidInput for a cursor that this plugin did not make.
    """
    after = None if wanted.cursor is None else _place_in(wanted.cursor)
    found = sorted((task for task in tasks if matches(task.subject, wanted)), key=lambda task: _place(task.subject))
    rest = [task for task in found if after is None or _place(task.subject) > after]
    count = _fitting(rest, wanted.limit)
    shown = [task.subject for task in rest[:count]]
    return SubjectList(
        subjects=shown,
        fetched_at=datetime.now(UTC),
        next_cursor=_cursor(shown[-1]) if shown and count < len(rest) else None,
    )


def first_ready(tasks: Iterable[Task]) -> Subject | None:
    """The ready task with the highest priority, then the lowest id."""
    ready = (task.subject for task in tasks if task.subject.status is SubjectStatus.READY)
    return min(ready, key=_place, default=None)


def _fitting(tasks: list[Task], limit: int | None) -> int:
    room_bytes = _PAGE_BYTES
    for count, task in enumerate(tasks[:limit]):
        room_bytes -= task.size_bytes + _SUBJECT_OVERHEAD_BYTES
        if room_bytes < 0 and count:
            return count
    return len(tasks) if limit is None else min(limit, len(tasks))


def _place(subject: Subject) -> _Place:
    priority = PRIORITY_WORDS["medium"] if subject.priority is None else subject.priority
    return priority, natural_key(subject.id)


def _cursor(subject: Subject) -> str:
    return base64.urlsafe_b64encode(json.dumps([_place(subject)[0], subject.id]).encode()).decode()


def _place_in(cursor: str) -> _Place:
    try:
        if len(cursor) > _MAX_CURSOR_CHARS:
            raise ValueError
        priority, task_id = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        if not isinstance(priority, int) or not isinstance(task_id, str):
            raise ValueError
        return priority, natural_key(task_id)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidInput("cursor: not one that this plugin gave out - list again without a cursor") from None
