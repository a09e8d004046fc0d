"""How the checks of triggers tell no answer from a bad one, and say what is wrong with an event."""

from __future__ import annotations

from typing import Any

import pytest

from animus_conformance.checks.trigger_stream import event_mismatch, no_answer, require_answer
from animus_conformance.wire.messages import Reply

NOW = "2026-03-02T09:30:00Z"


@pytest.mark.parametrize("error", [{}, {"code": None}, {"code": -32603, "message": "no"}, {"message": 7}])
def test_an_error_is_an_answer_however_little_it_says(error: dict[str, Any]) -> None:
    reply = Reply(None, error)
    assert no_answer(reply) is None
    require_answer(reply, "an acknowledgement")


@pytest.mark.parametrize(
    "event",
    [
        {"event_id": "a", "trigger_id": None, "payload": {}},
        {"id": "a", "kind": "letter", "occurred_at": NOW, "payload": None},
        {"event": {"event_id": "a"}},
        {"error": {"code": -32603, "message": "the mailbox is gone"}},
    ],
)
def test_an_event_of_any_form_is_of_the_type(event: dict[str, Any]) -> None:
    assert event_mismatch(event) is None


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ({"event_id": 7, "payload": {}}, "event_id: 7 is not of type 'string'"),
        ({"event_id": "a", "action_hint": ["create_task"]}, "action_hint"),
        ({"id": 7, "kind": "letter", "occurred_at": NOW, "payload": None}, "id: 7 is not of type 'string'"),
        ({"error": {"code": "gone", "message": "no"}}, "error.code: 'gone' is not of type 'integer'"),
        (["a"], "the value: ['a'] is not valid"),
    ],
)
def test_an_event_of_no_form_is_held_against_the_one_that_it_resembles(event: Any, wrong: str) -> None:
    assert wrong in (event_mismatch(event) or "")
