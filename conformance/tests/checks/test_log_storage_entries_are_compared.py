"""What counts as the same entry when a log storage gives it back."""

from __future__ import annotations

from typing import Any

import pytest

from animus_conformance.checks.log_storage_entries import Journal, difference


def test_an_entry_is_the_same_as_itself() -> None:
    entry = Journal().entry(fields={"n": 1})
    assert difference(entry, dict(entry)) is None


@pytest.mark.parametrize("ts", ["2026-03-01T09:30:00.250Z", "2026-03-01T15:00:00.250000000+05:30"])
def test_a_time_with_another_offset_is_the_same_instant(ts: str) -> None:
    entry = Journal().entry(ts="2026-03-01T09:30:00.25+00:00")
    assert difference(entry, {**entry, "ts": ts}) is None


@pytest.mark.parametrize("ts", ["2026-03-01T09:30:00Z", "2026-03-01T09:30:00.250+01:00"])
def test_another_instant_is_a_difference(ts: str) -> None:
    entry = Journal().entry(ts="2026-03-01T09:30:00.250Z")
    assert (difference(entry, {**entry, "ts": ts}) or "").startswith("ts was")


def test_null_and_absent_are_the_same_for_what_is_optional() -> None:
    entry = Journal().entry()
    assert difference(entry, {**entry, "fields": None, "source_name": None}) is None


def test_an_optional_member_that_nobody_stored_is_a_difference() -> None:
    entry = Journal().entry()
    assert difference(entry, {**entry, "source_name": "made up"}) is not None


def test_members_beyond_the_protocol_are_free() -> None:
    entry = Journal().entry()
    assert difference(entry, {**entry, "stored_by": "somebody"}) is None


@pytest.mark.parametrize(
    ("was", "now", "same"),
    [
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 2}, {"a": 2.0}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": [1]}, {"a": [1, 1]}, False),
        ({"a": 1}, {"a": "1"}, False),
    ],
)
def test_fields_are_compared_as_json(was: Any, now: Any, same: bool) -> None:
    entry = Journal().entry(fields=was)
    assert (difference(entry, {**entry, "fields": now}) is None) is same
