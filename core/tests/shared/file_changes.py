"""Waiting for what other processes write to files: they tell nobody, but the system tells of each change."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from watchfiles import watch

WAIT_S = 30.0


def wait_until(
    check: Callable[[], bool], folder: Path, timeout_s: float = WAIT_S, *, explain: Callable[[], str] = lambda: ""
) -> None:
    """Return when `check` holds, which is asked after each change in `folder` and every 0.2 s.

    If it does not hold in time, the test fails with what `explain` says.
    """
    deadline = time.monotonic() + timeout_s
    # raise_interrupt=False: a test that is interrupted ends through pytest and not in here.
    changes = watch(folder, step=20, debounce=40, rust_timeout=200, yield_on_timeout=True, raise_interrupt=False)
    while not check():
        assert time.monotonic() < deadline, f"it did not come to be within {timeout_s:g} s {explain()}"
        next(changes)
