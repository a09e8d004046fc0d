"""When the files of a trigger are surveyed: soon after they rest, and from time to time in any case.

Pure decisions; nothing lies below. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_QUIET_PERIODS", "Pace"]

MAX_QUIET_PERIODS: Final = 10
"""Files that never rest are surveyed after this many quiet periods."""


class Pace:
    """The survey that is due next. `quiet_s` is how long files must rest before it."""

    def __init__(self, quiet_s: float, now: float) -> None:
        self._quiet_s = quiet_s
        self._first = self._last = now - MAX_QUIET_PERIODS * quiet_s  # the first look is due at once
        self._moved = True

    def moved(self, now: float) -> None:
        """Something happened that concerns the trigger."""
        if not self._moved:
            self._first = now
        self._moved = True
        self._last = now

    def surveyed(self, now: float) -> None:
        """A survey began at `now`: what happened before is in it."""
        self._first = self._last = now
        self._moved = False

    def due_at(self, idle_s: float) -> float:
        """When to survey next: `idle_s` after the last time if nothing happens."""
        if not self._moved:
            return self._last + idle_s
        return min(self._last + self._quiet_s, self._first + MAX_QUIET_PERIODS * self._quiet_s)
