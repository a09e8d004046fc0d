"""When a trigger looks at its files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from animus_trigger_files.pace import MAX_QUIET_PERIODS, Pace

_IDLE_S = 30.0
_QUIET = st.integers(0, 60).map(float)
_GAPS = st.lists(st.integers(0, 100).map(lambda tenth: tenth / 10), min_size=1, max_size=30)


def test_the_first_look_is_due_at_once() -> None:
    assert Pace(5.0, 100.0).due_at(_IDLE_S) <= 100.0


def test_a_trigger_at_rest_looks_after_the_idle_time() -> None:
    pace = Pace(5.0, 0.0)
    pace.surveyed(10.0)
    assert pace.due_at(_IDLE_S) == 10.0 + _IDLE_S


@given(_QUIET, _GAPS)
def test_the_look_comes_one_quiet_period_after_the_last_move_and_never_later_than_ten(
    quiet_s: float, gaps: list[float]
) -> None:
    pace = Pace(quiet_s, 0.0)
    pace.surveyed(0.0)
    now = 0.0
    moves = []
    for gap in gaps:
        now += gap
        moves.append(now)
        pace.moved(now)
    assert pace.due_at(_IDLE_S) == min(moves[-1] + quiet_s, moves[0] + MAX_QUIET_PERIODS * quiet_s)
    pace.surveyed(now)
    assert pace.due_at(_IDLE_S) == now + _IDLE_S
