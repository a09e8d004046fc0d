"""What `animus watch` and the demo show is a fold of the daemon's events."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from animus_core.cli.watch.live_view import RunsView, describe, render

AT = "2026-01-02T03:04:05.000Z"


def fold(*events: tuple[str, dict[str, Any]]) -> RunsView:
    view = RunsView()
    for kind, payload in events:
        view.take(kind, AT, {"subject_id": "TASK-001", "workflow_id": "run-1", **payload})
    return view


def said(text: str) -> tuple[str, dict[str, Any]]:
    return "agent_record", {"kind": "output", "data": {"text": text}}


def started(phase: str, attempt: int = 1) -> tuple[str, dict[str, Any]]:
    return "phase_started", {"phase": phase, "attempt": attempt}


def decided(phase: str, verdict: str) -> tuple[str, dict[str, Any]]:
    return "phase_decision", {"phase": phase, "verdict": verdict}


def screen(view: RunsView) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(view.rows.values()))
    return console.export_text()


def test_a_row_tells_the_phase_the_attempt_and_what_the_agent_says() -> None:
    view = fold(started("implement", 2), said("Hello, "), said("world"))

    assert "TASK-001" in screen(view)
    assert all(word in screen(view) for word in ("running", "implement", "2", "Hello, world"))


def test_words_stay_until_the_next_agent_speaks() -> None:
    before = fold(started("implement"), said("done"), started("test"))
    after = fold(started("implement"), said("done"), started("review"), said("fine"))

    assert before.rows["TASK-001"].text == "done"
    assert after.rows["TASK-001"].text == "fine"


def test_tool_calls_stand_among_the_words() -> None:
    call = ("agent_record", {"kind": "toolCall", "data": {"name": "edit_file"}})

    assert fold(started("implement"), said("Now:"), call).rows["TASK-001"].text.split() == ["Now:", "[edit_file]"]


def test_verdicts_attempts_and_rework_are_counted() -> None:
    row = fold(started("a"), decided("a", "rework"), started("a", 2), decided("a", "advance")).rows["TASK-001"]

    assert (row.verdicts, row.attempts, row.reworks) == (["a: rework", "a: advance"], 2, 1)


def test_ends_have_their_own_status_and_reason() -> None:
    view = fold(started("a"), ("workflow_failed", {"reason": "no luck\nat all"}))
    row = view.rows["TASK-001"]

    assert row.status == "failed"
    assert describe(row, "workflow_failed") == "TASK-001  failed: no luck"


def test_events_without_a_subject_change_nothing() -> None:
    view = RunsView()

    assert view.take("daemon_started", AT, {}) is None
    assert view.rows == {}


def test_a_row_for_programs_has_no_inner_fields() -> None:
    assert "_stale" not in fold(started("a")).rows["TASK-001"].to_json()
