"""What is noticed about every message, and what is kept of a conversation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_conformance.wire.observer import Violations, envelope_violations
from animus_conformance.wire.transcript import Transcript


@pytest.mark.parametrize(
    ("message", "violated"),
    [
        ({"jsonrpc": "2.0", "id": 1, "result": None}, []),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, []),
        ({"jsonrpc": "2.0", "id": 1, "result": None, "error": {"code": 1, "message": ""}}, []),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "no", "data": {}}}, []),
        ({"jsonrpc": "2.0", "method": "log/entry", "params": {}}, []),
        ({"id": 1, "result": {}}, ["wire.says-jsonrpc-2.0"]),
        ({"jsonrpc": 2.0, "id": 1, "result": {}}, ["wire.says-jsonrpc-2.0"]),
        ({"jsonrpc": "2.0", "result": {}}, ["wire.result-or-error"]),
        ({"jsonrpc": "2.0", "id": 1}, ["wire.result-or-error"]),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": ""}}, ["wire.result-or-error"]),
        ({"jsonrpc": "2.0", "method": 7}, ["wire.result-or-error"]),
        ({"jsonrpc": "2.0", "id": 1, "error": "no"}, ["wire.errors-have-code-and-message"]),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": "1", "message": ""}}, ["wire.errors-have-code-and-message"]),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": True, "message": ""}}, ["wire.errors-have-code-and-message"]),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": 1}}, ["wire.errors-have-code-and-message"]),
    ],
)
def test_an_envelope_is_held_against_json_rpc(message: dict[str, Any], violated: list[str]) -> None:
    assert [name for name, _ in envelope_violations(message, "the text")] == violated


@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "result", "error"]), st.none() | st.text()))
def test_no_envelope_is_too_strange_to_be_judged(message: dict[str, Any]) -> None:
    for name, sentence in envelope_violations(message, "x" * 10_000):
        assert name.startswith("wire.")
        assert len(sentence) < 1000


def test_of_each_violation_the_first_few_are_kept() -> None:
    violations = Violations()
    violations.begin("lifecycle.ping")
    for number in range(1000):
        violations.add("wire.utf-8", f"number {number}")
    kept = [str(one) for one in violations.of("wire.utf-8")]
    assert kept == [f"number {number} (during lifecycle.ping)" for number in range(5)]
    assert violations.of("wire.no-nan") == []


def test_a_transcript_keeps_the_last_lines_and_cuts_long_ones() -> None:
    transcript = Transcript()
    for number in range(10_000):
        transcript.add("<", f"{number} " + "x" * 5_000)
    lines = transcript.since(0)
    assert transcript.count == 10_000
    assert len(lines) == 400
    assert max(map(len, lines)) < 1_100
    assert lines[-1].split()[1:3] == ["<", "9999"]
    assert lines[-1].endswith("… (5005 characters)")


@given(st.integers(0, 900), st.integers(0, 900))
def test_what_came_after_a_point_is_found(before: int, after: int) -> None:
    transcript = Transcript()
    for number in range(before + after):
        transcript.add(">", str(number))
    kept = [int(line.split()[-1]) for line in transcript.since(before)]
    assert kept == list(range(before, before + after))[-400:]
