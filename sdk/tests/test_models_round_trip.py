"""What is written is read back as it was."""

from __future__ import annotations

import json
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from animus_protocol.models.base import encode
from animus_protocol.models.dispatch import SubjectDispatch, SubjectRef
from animus_protocol.models.provider import AgentRunResponse, AgentToolResultParams, TokenUsage
from animus_protocol.models.queue import QueueEntry
from animus_protocol.models.subject import Subject, SubjectAttachment, SubjectPatch, SubjectStatus
from animus_protocol.models.trigger import TriggerEvent, TriggerEventParams

text = st.text(max_size=12)
maybe_text = st.none() | text
texts = st.lists(text, max_size=3)
moments = st.datetimes(timezones=st.just(UTC))
uint64 = st.integers(0, 2**64 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(text, json_values, max_size=3)

attachments = st.builds(SubjectAttachment, id=text, kind=text, uri=text, title=maybe_text, metadata=json_values)
subjects = st.builds(
    Subject,
    id=text,
    kind=text,
    title=text,
    status=st.sampled_from(SubjectStatus),
    created_at=moments,
    updated_at=moments,
    priority=st.none() | st.integers(0, 255),
    assignee=maybe_text,
    labels=texts,
    attachments=st.lists(attachments, max_size=2),
    custom=json_objects,
    status_metadata=json_values,
)
dispatches = st.builds(
    SubjectDispatch,
    subject=st.builds(SubjectRef, kind=text, id=text, title=maybe_text, labels=texts, metadata=json_values),
    workflow_ref=text,
    trigger_source=text,
    requested_at=moments,
    priority=maybe_text,
    vars=st.dictionaries(text, text, max_size=3),
    input=json_values,
)
responses = st.builds(
    AgentRunResponse,
    session_id=text,
    exit_code=st.integers(-(2**31), 2**31 - 1),
    output=text,
    duration_ms=uint64,
    backend=text,
    metadata=st.lists(json_values, max_size=2),
    errors=texts,
    tokens_used=st.none() | st.builds(TokenUsage, input=uint64, output=uint64, cached=st.none() | uint64),
    decision_verdict=json_values,
)


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


@given(json_values, st.booleans())
def test_a_tool_result_survives_the_wire(output: object, success: bool) -> None:
    result = AgentToolResultParams(session_id="s", name="n", output=output, success=success)
    assert AgentToolResultParams.model_validate_json(encode(result)) == result


@given(json_values, maybe_text, maybe_text)
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
