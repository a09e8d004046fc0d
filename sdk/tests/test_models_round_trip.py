"""What is written is read back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from animus_protocol.models.base import encode
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from animus_protocol.models.provider import AgentRunResponse, AgentToolResultParams, TokenUsage
from animus_protocol.models.queue import QueueEntry
from animus_protocol.models.subject import Subject, SubjectAttachment, SubjectPatch, SubjectStatus
from animus_protocol.models.trigger import TriggerEvent, TriggerEventParams
from written_values import Writer, json_values, written

T = TypeVar("T")

EPOCH = datetime(1, 1, 1, tzinfo=UTC)
JSON = json_values()


class Author(Writer):
    """Writes what the models hold."""

    def maybe(self, write: Callable[[], T]) -> T | None:
        return write() if self.flag() else None

    def texts(self) -> list[str]:
        return self.many(self.text, 3)

    def moment(self) -> datetime:
        return EPOCH + timedelta(seconds=self.integer(0, 9998 * 365 * 86_400), microseconds=self.integer(0, 999_999))

    def uint64(self) -> int:
        return self.integer(0, 2**64 - 1)

    def attachment(self) -> SubjectAttachment:
        title, metadata = self.maybe(self.text), self.value()
        return SubjectAttachment(id=self.text(), kind=self.text(), uri=self.text(), title=title, metadata=metadata)

    def subject(self) -> Subject:
        return Subject(
            id=self.text(),
            kind=self.text(),
            title=self.text(),
            status=self.pick(list(SubjectStatus)),
            created_at=self.moment(),
            updated_at=self.moment(),
            priority=self.maybe(lambda: self.below(256)),
            assignee=self.maybe(self.text),
            labels=self.texts(),
            attachments=self.many(self.attachment, 2),
            custom=self.mapping(),
            status_metadata=self.value(),
        )

    def dispatch(self) -> SubjectDispatch:
        title, labels = self.maybe(self.text), self.texts()
        return SubjectDispatch(
            subject=SubjectRef(kind=self.text(), id=self.text(), title=title, labels=labels, metadata=self.value()),
            workflow_ref=self.text(),
            trigger_source=self.text(),
            requested_at=self.moment(),
            priority=self.maybe(self.text),
            vars=dict(self.many(lambda: (self.text(), self.text()), 3)),
            input=self.value(),
        )

    def usage(self) -> TokenUsage:
        return TokenUsage(input=self.uint64(), output=self.uint64(), cached=self.maybe(self.uint64))

    def response(self) -> AgentRunResponse:
        return AgentRunResponse(
            session_id=self.text(),
            exit_code=self.integer(-(2**31), 2**31 - 1),
            output=self.text(),
            duration_ms=self.uint64(),
            backend=self.text(),
            metadata=self.many(self.value, 2),
            errors=self.texts(),
            tokens_used=self.maybe(self.usage),
            decision_verdict=self.value(),
        )


maybe_text = st.none() | st.text(max_size=12)
texts = st.lists(st.text(max_size=12), max_size=3)
uint64 = st.integers(0, 2**64 - 1)
subjects = written(Author.subject, 250, by=Author)
dispatches = written(Author.dispatch, 200, by=Author)
responses = written(Author.response, 200, by=Author)


@given(subjects)
def test_a_subject_survives_the_wire(subject: Subject) -> None:
    assert Subject.model_validate_json(encode(subject)) == subject


@given(dispatches, uint64)
def test_a_queue_entry_survives_the_wire(dispatch: SubjectDispatch, expiry_s: int) -> None:
    entry = QueueEntry(
        entry_id="e",
        subject_id=dispatch.subject.id,
        subject_dispatch=dispatch,
        status="pending",
        enqueued_at="2026-01-02T03:04:05Z",
        expire_after_secs=expiry_s,
    )
    assert QueueEntry.model_validate_json(encode(entry)) == entry


@given(responses)
def test_a_run_response_survives_the_wire(response: AgentRunResponse) -> None:
    assert AgentRunResponse.model_validate_json(encode(response)) == response


@given(JSON, st.booleans())
def test_a_tool_result_survives_the_wire(output: object, success: bool) -> None:
    result = AgentToolResultParams(session_id="s", name="n", output=output, success=success)
    assert AgentToolResultParams.model_validate_json(encode(result)) == result


@given(JSON, maybe_text, maybe_text)
def test_a_trigger_event_survives_the_wire(payload: object, subject_id: str | None, hint: str | None) -> None:
    event = TriggerEvent(event_id="e", subject_id=subject_id, action_hint=hint, payload=payload)
    params = TriggerEventParams(event=event)
    assert TriggerEventParams.model_validate_json(encode(params)) == params


@given(st.dictionaries(st.sampled_from(["assignee", "comment"]), maybe_text), texts)
def test_a_patch_says_the_same_after_the_wire(fields: dict[str, str | None], labels: list[str]) -> None:
    patch = SubjectPatch.model_validate({**fields, "labels_add": labels})
    read = SubjectPatch.model_validate_json(encode(patch))
    assert read.model_dump() == patch.model_dump()
    assert ("assignee" in read.model_fields_set) == ("assignee" in fields)


@given(subjects)
def test_nothing_optional_is_ever_written_as_null(subject: Subject) -> None:
    assert None not in json.loads(encode(subject)).values()
