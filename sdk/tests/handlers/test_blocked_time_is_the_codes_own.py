"""Of the time in which a loop gives no sign, only what its code has spent counts against the code."""

from __future__ import annotations

import pytest

from animus_sdk.loop_watch import Spent, blocked_s


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        (Spent(0.25, running_s=0.0, queued_s=0.0), 0.25),  # it sleeps, or waits for a socket
        (Spent(0.25, running_s=0.25, queued_s=0.0), 0.25),  # it computes
        (Spent(0.25, running_s=0.05, queued_s=0.2), 0.05),  # the machine has no processor for it
        (Spent(0.25, running_s=0.0, queued_s=0.3), 0.0),
        (Spent(60.0, running_s=0.0, queued_s=0.0), 0.0),  # the whole process stood still
        (Spent(3.0, running_s=2.9, queued_s=0.0), 2.9),  # a C function held the interpreter
        (Spent(3.0, running_s=4.0, queued_s=0.0), 3.0),  # without statistics: the time of all threads
    ],
)
def test_blocked_time(spent: Spent, expected: float) -> None:
    assert blocked_s(spent) == pytest.approx(expected)
