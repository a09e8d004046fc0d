"""Which texts the oracle takes for a moment (RFC 3339)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animus_conformance import oracle

TYPE: Final = "subject#/$defs/SubjectList"
OFFSETS: Final = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def is_moment(text: object) -> bool:
    return oracle.mismatch(TYPE, {"subjects": [], "fetched_at": text}) is None


@given(st.datetimes(timezones=OFFSETS))
def test_every_moment_with_an_offset_is_one(moment: datetime) -> None:
    assert is_moment(moment.isoformat())


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:30:00Z",
        "2026-03-01t09:30:00z",
        "2026-03-01T09:30:00.123456789Z",
        "2026-03-01T09:30:00-00:00",
        "2016-12-31T23:59:60Z",
        "2024-02-29T00:00:00Z",
    ],
)
def test_a_moment_may_be_spelled_this_way(text: str) -> None:
    assert is_moment(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-01",
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00Z",
        "2026-03-01T09:30Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-01T24:30:00Z",
        "2026-03-01T09:30:00+0100",
        "20260301T093000Z",
        1_772_357_400,
        None,
    ],
)
def test_no_moment_may_be_spelled_this_way(text: object) -> None:
    assert not is_moment(text)
