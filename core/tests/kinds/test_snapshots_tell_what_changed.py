"""What a watch tells, whatever is lost on the way: who applies it has what the backend has."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animus_core.errors import InvalidInput
from animus_core.kinds.subjects.snapshot import Snapshot, passes
from animus_protocol.models.base import encode
from animus_protocol.models.subject import ChangeKind, Subject, SubjectChangedEvent, SubjectFilter, SubjectStatus

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
READY, DONE = SubjectStatus.READY, SubjectStatus.DONE
WANTED = SubjectFilter(status=[READY])


def subject(subject_id: str = "A", at: int = 0, **fields: Any) -> Subject:
    moment = BEGAN + timedelta(seconds=at)
    return Subject.model_validate(
        {"id": subject_id, "kind": "task", "title": "t", "status": READY, "created_at": BEGAN, "updated_at": moment}
        | fields
    )


def event(kind: ChangeKind, of: Subject) -> SubjectChangedEvent:
    return SubjectChangedEvent(id=of.id, change_kind=kind, subject=of)


class Reported:
    """Somebody who knows only what is reported."""

    def __init__(self) -> None:
        self.has: dict[str, Subject] = {}

    def apply(self, *events: SubjectChangedEvent | None) -> None:
        for one in events:
            if one is None:
                continue
            if one.change_kind is not ChangeKind.DELETED and passes(one.subject, WANTED):
                self.has[one.id] = one.subject
            else:
                self.has.pop(one.id, None)


class Backend:
    """Changes, the notifications that are on their way, and a queue that loses its oldest."""

    def __init__(self) -> None:
        self.subjects: dict[str, Subject] = {}
        self.queue: deque[SubjectChangedEvent] = deque(maxlen=3)
        self.lost = False
        self._now = 0

    def change(self, subject_id: str, status: SubjectStatus | None) -> None:
        self._now += 1
        old = self.subjects.pop(subject_id, None)
        if status is not None:
            self.subjects[subject_id] = subject(subject_id, self._now, status=status)
            self._put(event(ChangeKind.UPDATED if old else ChangeKind.CREATED, self.subjects[subject_id]))
        elif old is not None:
            self._put(event(ChangeKind.DELETED, old))

    def compare(self, snapshot: Snapshot) -> list[SubjectChangedEvent]:
        listed = {one.id: encode(one) for one in self.subjects.values() if passes(one, WANTED)}
        gone = snapshot.missing(listed)
        left = {one: encode(self.subjects[one]) for one in gone if one in self.subjects}
        return snapshot.compare(listed, left)

    def _put(self, event: SubjectChangedEvent) -> None:
        self.lost = self.lost or len(self.queue) == self.queue.maxlen
        self.queue.append(event)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("AB"), st.sampled_from([READY, DONE, None])),
        st.sampled_from(["take", "compare"]),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS, STEPS)
def test_who_applies_what_is_told_has_what_the_backend_has(before: list[Any], after: list[Any]) -> None:
    backend, snapshot, client = Backend(), Snapshot(), Reported()

    def take() -> None:
        if backend.lost:
            backend.lost = False
            client.apply(*backend.compare(snapshot))
        elif backend.queue:
            event = backend.queue.popleft()
            client.apply(snapshot.take(event, passing=passes(event.subject, WANTED), sure=True))

    for step in before:
        if not isinstance(step, str):
            backend.change(*step)
    backend.queue.clear()
    backend.lost = False
    client.has = {one.id: one for one in backend.subjects.values() if passes(one, WANTED)}
    assert backend.compare(snapshot) == []
    for step in after:
        if step == "take":
            take()
        elif step == "compare":
            client.apply(*backend.compare(snapshot))
        else:
            backend.change(*step)
    while backend.queue or backend.lost:
        take()
    assert client.has == {one.id: one for one in backend.subjects.values() if passes(one, WANTED)}


def test_a_change_that_a_look_has_told_is_not_told_by_its_event_and_the_next_one_is() -> None:
    snapshot = Snapshot()
    snapshot.compare({"A": encode(subject())}, {})
    newest = subject(at=2, title="newest")
    assert [one.change_kind for one in snapshot.compare({"A": encode(newest)}, {})] == [ChangeKind.UPDATED]
    older, same, again = (event(ChangeKind.UPDATED, one) for one in (subject(at=1, title="older"), newest, newest))
    assert [snapshot.take(one, passing=True, sure=True) for one in (older, same, again)] == [None, None, again]


def test_a_status_that_changes_is_told_with_the_native_one_before_it() -> None:
    snapshot = Snapshot()
    snapshot.compare({"A": encode(subject(native_status="To do"))}, {})
    (event,) = snapshot.compare({"A": encode(subject(native_status="Doing"))}, {})
    assert (event.change_kind, event.previous_native_status) == (ChangeKind.STATUS_CHANGED, "To do")


def test_the_order_of_a_backends_own_keys_is_no_change() -> None:
    snapshot = Snapshot()
    snapshot.compare({"A": encode(subject(custom={"a": 1, "b": {"c": 2, "d": 3}}))}, {})
    assert snapshot.compare({"A": encode(subject(custom={"b": {"d": 3, "c": 2}, "a": 1}))}, {}) == []


def test_more_than_a_watch_may_hold_is_refused_by_looks_and_events_alike() -> None:
    big = subject("B", description="x" * 2000)
    listing, listening = Snapshot(most_bytes=1500), Snapshot(most_bytes=1500)
    with pytest.raises(InvalidInput, match="subjects that are to be watched"):
        listing.compare({"B": encode(big)}, {})
    listening.compare({"A": encode(subject())}, {})
    for _ in range(20):  # what comes and goes does not add up
        listening.take(event(ChangeKind.CREATED, subject("C", description="x" * 500)), passing=True, sure=True)
        listening.take(event(ChangeKind.DELETED, subject("C")), passing=True, sure=True)
    with pytest.raises(InvalidInput):
        listening.take(event(ChangeKind.CREATED, big), passing=True, sure=True)


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        ({}, True),
        ({"kind": ["task", "bug"]}, True),
        ({"kind": ["bug"]}, False),
        ({"status": ["done"]}, False),
        ({"native_status": "Doing"}, True),
        ({"native_status": "To do"}, False),
        ({"assignee": ["ann", "bob"]}, True),
        ({"assignee": ["bob"]}, False),
        ({"labels_any": ["x", "b"]}, True),
        ({"labels_any": ["x"]}, False),
        ({"labels_all": ["a", "b"]}, True),
        ({"labels_all": ["a", "x"]}, False),
        ({"has_attachment_kind": "image"}, True),
        ({"has_attachment_kind": "pr"}, False),
        ({"updated_since": BEGAN}, True),
        ({"updated_since": BEGAN + timedelta(seconds=1)}, False),
        ({"dispatch_label": "anything"}, True),
    ],
)
def test_a_filter_is_the_same_here_as_at_the_backend(wanted: dict[str, Any], passing: bool) -> None:
    attachments = [{"id": "1", "kind": "image", "uri": "u"}]
    found = subject(native_status="Doing", assignee="ann", labels=["a", "b"], attachments=attachments)
    assert passes(found, SubjectFilter.model_validate(wanted)) is passing
