"""Filtering, order and pages of subjects, for backends that only tell which subjects there are.

Below it lie the wire models. A cursor is the place of the last subject that was handed out, not a count, so pages join
without gap or repeat when subjects come and go in between.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from animus_protocol.errors import InvalidParams
from animus_protocol.models.base import encode
from animus_protocol.models.subject import Subject, SubjectFilter, SubjectList, SubjectStatus

__all__ = ["first_ready", "matches", "page_of"]

# Half of what the strictest host takes in one frame (8 MiB, protocol §1).
_PAGE_BYTES: Final = 4 * 1024 * 1024
_FRAME_BYTES: Final = 64 * 1024
# A subject without a priority counts as medium, as in the queue.
_MEDIUM: Final = 3
_DIGITS: Final = re.compile(r"([0-9]+)")

_Place = tuple[int, list[tuple[int, int, str]], str]


def matches(subject: Subject, wanted: SubjectFilter) -> bool:
    """Whether `subject` passes every set field; the dispatch label is `custom.dispatch_label`."""
    return (
        (not wanted.kind or subject.kind in wanted.kind)
        and (not wanted.status or subject.status in wanted.status)
        and (wanted.native_status is None or subject.native_status == wanted.native_status)
        and (wanted.dispatch_label is None or subject.custom.get("dispatch_label") == wanted.dispatch_label)
        and (
            wanted.has_attachment_kind is None
            or any(one.kind == wanted.has_attachment_kind for one in subject.attachments)
        )
        and (not wanted.assignee or subject.assignee in wanted.assignee)
        and (not wanted.labels_any or not set(wanted.labels_any).isdisjoint(subject.labels))
        and set(wanted.labels_all) <= set(subject.labels)
        and (wanted.updated_since is None or subject.updated_at >= wanted.updated_since)
    )


def page_of(subjects: SubjectList | Iterable[Subject], wanted: SubjectFilter) -> SubjectList:
    """The subjects that match, by priority and then in natural order of ids, after the cursor and up to the limit.

    A page stays below 4 MiB, whatever the limit says. A SubjectList is a page already and stays as it is. Raises
    InvalidParams for a cursor that was not made here.
    """
    if isinstance(subjects, SubjectList):
        return subjects
    after = None if wanted.cursor is None else _place_in(wanted.cursor)
    found = sorted((one for one in subjects if matches(one, wanted)), key=_place)
    rest = found if after is None else found[bisect_right(found, after, key=_place) :]
    count = _fitting(rest, wanted.limit)
    return SubjectList(
        subjects=rest[:count],
        fetched_at=datetime.now(UTC),
        next_cursor=_cursor(rest[count - 1]) if 0 < count < len(rest) else None,
    )


def first_ready(subjects: Iterable[Subject]) -> Subject | None:
    """The ready subject with the highest priority (the smallest number; none counts as medium), then the lowest id."""
    return min((one for one in subjects if one.status is SubjectStatus.READY), key=_place, default=None)


def _fitting(subjects: list[Subject], limit: int | None) -> int:
    room_bytes = _PAGE_BYTES - _FRAME_BYTES  # for what stands around the subjects, the cursor included
    for count, subject in enumerate(subjects[:limit]):
        room_bytes -= len(encode(subject)) + 1
        if room_bytes < 0 and count:
            return count
    return len(subjects) if limit is None else min(limit, len(subjects))


def _place(subject: Subject) -> _Place:
    return _placed(_MEDIUM if subject.priority is None else subject.priority, subject.id)


def _placed(priority: int, subject_id: str) -> _Place:
    """Ten comes after nine, and equal spellings stay apart."""
    # Digits by their length and then as text: `int` refuses more than 4,300 of them, and ids are anybody's.
    parts = [
        (0, len(piece.lstrip("0")), piece.lstrip("0")) if number % 2 else (1, 0, piece)
        for number, piece in enumerate(_DIGITS.split(subject_id))
        if piece
    ]
    return priority, parts, subject_id


def _cursor(subject: Subject) -> str:
    # The place of the last subject and no count: subjects that come and go between two pages move no other one.
    return base64.urlsafe_b64encode(json.dumps([_place(subject)[0], subject.id]).encode()).decode()


def _place_in(cursor: str) -> _Place:
    try:
        priority, subject_id = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        if not isinstance(priority, int) or not isinstance(subject_id, str):
            raise ValueError
        return _placed(priority, subject_id)
    # A cursor is anybody's text: nested deeply enough, even reading it as JSON fails with RecursionError.
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidParams("cursor: not one that this plugin gave out; list again without a cursor") from None
