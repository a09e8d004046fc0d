"""What one watch knows of its subjects, and what is a change: by comparing two listings, or by a backend's own word.

Decisions only, no I/O. A snapshot holds the subjects whole, since an event of a deletion carries the last state; it is
bounded by their size. Below lie the models of the subject protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from animus_core.errors import InvalidInput
from animus_protocol.models.base import encode
from animus_protocol.models.subject import ChangeKind, Subject, SubjectChangedEvent, SubjectFilter

__all__ = ["Snapshot", "passes"]

_MOST_BYTES: Final = 64 * 1024 * 1024  # tens of thousands of subjects; each watch may hold so much


def passes(subject: Subject, wanted: SubjectFilter) -> bool:
    """Whether `subject` passes every set field of `wanted` that can be seen in a subject.

    Its dispatch label cannot (protocol §4): that field is left to the backend.
    """
    attachments = {attachment.kind for attachment in subject.attachments}
    return (
        (not wanted.kind or subject.kind in wanted.kind)
        and (not wanted.status or subject.status in wanted.status)
        and (wanted.native_status is None or subject.native_status == wanted.native_status)
        and (wanted.has_attachment_kind is None or wanted.has_attachment_kind in attachments)
        and (not wanted.assignee or subject.assignee in wanted.assignee)
        and (not wanted.labels_any or not set(wanted.labels_any).isdisjoint(subject.labels))
        and set(wanted.labels_all) <= set(subject.labels)
        and (wanted.updated_since is None or subject.updated_at >= wanted.updated_since)
    )


class Snapshot:
    """The subjects of one watch as they were last reported, as JSON by id: at most `most_bytes` of it."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._known: dict[str, bytes] = {}
        self._size_bytes = 0
        self._compared = False
        self._reported: dict[str, bytes | None] = {}

    def check_room(self, size_bytes: int) -> None:
        """Raise InvalidInput when that many bytes of subjects are more than one watch may hold."""
        if size_bytes > self._most_bytes:
            raise InvalidInput(
                f"the subjects that are to be watched are more than {self._most_bytes // (1024 * 1024)} MiB",
                hint="Watch fewer: name a kind, or a status.",
            )

    def missing(self, listed: Mapping[str, bytes]) -> list[str]:
        """The ids that are known and not among `listed`."""
        return [subject_id for subject_id in self._known if subject_id not in listed]

    def known(self, subject_id: str) -> bytes | None:
        """A subject as it was last reported."""
        return self._known.get(subject_id)

    def compare(self, listed: dict[str, bytes], left: Mapping[str, bytes]) -> list[SubjectChangedEvent]:
        """Take `listed` over; what is different from before, nothing the first time.

        `left` has those that still exist and no longer pass the filter: they are reported once more, as they are.
        What is in neither is deleted. Raises InvalidInput when it is too much.
        """
        size_bytes = sum(map(len, listed.values()))
        self.check_room(size_bytes)
        first, before = not self._compared, self._known
        self._compared, self._known, self._size_bytes = True, listed, size_bytes
        now = {**listed, **left}
        # The first listing is how things were: whoever begins to watch has listed them.
        events = [] if first else [_difference(before.get(one), now.get(one)) for one in {**listed, **before}]
        found = [event for event in events if event is not None]
        self._reported = {event.id: now.get(event.id) for event in found}
        return found

    def take(self, event: SubjectChangedEvent, *, passing: bool, sure: bool) -> SubjectChangedEvent | None:
        """The event, if the watcher is to have it: its subject passes the filter now, or did before.

        What the last comparison has reported comes as an event too, when the backend had noticed before that listing:
        it, and what is older, is not reported again. An event that may have been meant for another watch (not `sure`)
        is reported only if it says something new. Raises InvalidInput when it is too much.
        """
        subject_id = event.subject.id
        known = self._known.get(subject_id)
        now = None if event.change_kind is ChangeKind.DELETED else encode(event.subject)
        if (not sure and _same(now, known)) or self._was_reported(subject_id, now):
            return None
        if passing and now is not None:
            self._size_bytes += len(now) - len(known or b"")
            self.check_room(self._size_bytes)
            self._known[subject_id] = now
        elif known is not None:
            self._size_bytes -= len(known)
            del self._known[subject_id]
        elif not passing:
            return None
        return event

    def _was_reported(self, subject_id: str, now: bytes | None) -> bool:
        if subject_id not in self._reported:
            return False
        reported = self._reported[subject_id]
        # Older than what was reported: a notification that was on its way while we listed.
        if now is not None and reported is not None and _subject(now).updated_at < _subject(reported).updated_at:
            return True
        del self._reported[subject_id]
        return _same(now, reported)


def _difference(old: bytes | None, new: bytes | None) -> SubjectChangedEvent | None:
    if _same(old, new):
        return None
    before = None if old is None else _subject(old)
    after = None if new is None else _subject(new)
    if after is None:
        return None if before is None else _event(ChangeKind.DELETED, before)
    if before is None:
        return _event(ChangeKind.CREATED, after)
    if (before.status, before.native_status) != (after.status, after.native_status):
        return _event(ChangeKind.STATUS_CHANGED, after, before.native_status)
    return _event(ChangeKind.UPDATED, after)


def _event(kind: ChangeKind, subject: Subject, previous: str | None = None) -> SubjectChangedEvent:
    return SubjectChangedEvent(id=subject.id, change_kind=kind, subject=subject, previous_native_status=previous)


def _same(one: bytes | None, other: bytes | None) -> bool:
    """Whether both say the same; a backend's own objects may have their keys in any order."""
    if one is None or other is None:
        return one is other
    # Bytes first: most subjects have not changed, and reading two of them costs far more than comparing.
    return one == other or _subject(one) == _subject(other)


def _subject(text: bytes) -> Subject:
    return Subject.model_validate_json(text)
