"""What changes do to subjects, as pure functions.

Nothing of ours lies below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from animus_sdk import (
    ChangeKind,
    InvalidParams,
    Subject,
    SubjectChangedEvent,
    SubjectCreateParams,
    SubjectPatch,
    SubjectStatus,
)

__all__ = ["created", "differences", "patched"]


def created(subject_id: str, request: SubjectCreateParams, now: datetime) -> Subject:
    """A new subject. Raises InvalidParams for one without a title."""
    if not request.title.strip():
        raise InvalidParams("title: write what is to be done")
    return Subject(
        id=subject_id,
        kind=request.kind,
        title=request.title,
        description=request.body,
        status=request.status or SubjectStatus.READY,
        priority=request.priority,
        assignee=request.assignee,
        labels=[*dict.fromkeys(request.labels)],
        custom={key: value for key, value in request.custom.items() if value is not None},
        created_at=now,
        updated_at=now,
    )


def patched(subject: Subject, patch: SubjectPatch, now: datetime) -> Subject:
    """The subject after `patch`: what it leaves out stays, and an assignee that is null is taken away."""
    custom = {**subject.custom, **patch.custom}
    if patch.comment is not None:
        custom["comments"] = [*custom.get("comments", []), patch.comment]
    labels = dict.fromkeys([*subject.labels, *patch.labels_add])
    changes: dict[str, Any] = {
        "labels": [one for one in labels if one not in patch.labels_remove],
        "custom": {key: value for key, value in custom.items() if value is not None},
    }
    if patch.status is not None:
        changes["status"] = patch.status
    if "assignee" in patch.model_fields_set:
        changes["assignee"] = patch.assignee
    after = subject.model_copy(update=changes)
    return subject if after == subject else after.model_copy(update={"updated_at": now})


def differences(before: Mapping[str, Subject], after: Mapping[str, Subject]) -> Iterator[SubjectChangedEvent]:
    """What happened between two states, one event a subject."""
    for id, subject in after.items():
        was = before.get(id)
        if was is None:
            yield SubjectChangedEvent(id=id, change_kind=ChangeKind.CREATED, subject=subject)
        elif was.status != subject.status:
            yield SubjectChangedEvent(id=id, change_kind=ChangeKind.STATUS_CHANGED, subject=subject)
        elif was != subject:
            yield SubjectChangedEvent(id=id, change_kind=ChangeKind.UPDATED, subject=subject)
    for id in before.keys() - after.keys():
        yield SubjectChangedEvent(id=id, change_kind=ChangeKind.DELETED, subject=before[id])
