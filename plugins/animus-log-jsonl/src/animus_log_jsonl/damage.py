"""What is wrong with the log, for `health/check`: lines that cannot be read, and operations that failed.

It may be noted on any thread. Nothing of ours lies below.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Set
from typing import Final

from animus_sdk import HealthCheckResult, HealthStatus

__all__ = ["Damage"]

# A damaged file may hold nothing but bad lines: beyond this they are only said to be more.
_MAX_LINES: Final = 1_000
_LOGGED_LINES: Final = 20

_log = logging.getLogger("animus_log_jsonl")


class Damage:
    """Each bad line counts once, and the first 20 are logged; a failed operation counts until it succeeds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[tuple[int, int], str] = {}
        self._failures: dict[str, str] = {}

    def knows_line(self, number: int, offset: int) -> bool:
        """Whether this line was told of, or so many that one more makes no difference."""
        with self._lock:
            return (number, offset) in self._lines or len(self._lines) >= _MAX_LINES

    def add_line(self, number: int, offset: int, problem: str) -> None:
        """The line at `offset` of file `number` holds no entry; `problem` begins with `file:line`."""
        with self._lock:
            self._lines[number, offset] = problem
            count = len(self._lines)
        if count <= _LOGGED_LINES:
            _log.warning("%s", problem)

    def forget_all_but(self, numbers: Set[int]) -> None:
        """Every other file is gone, and its bad lines with it."""
        with self._lock:
            self._lines = {place: problem for place, problem in self._lines.items() if place[0] in numbers}

    def failed(self, operation: str, problem: str) -> None:
        """`operation` does not work; `problem` says why and what to do."""
        with self._lock:
            # While a disk is full every batch fails in the same words: they are logged once.
            news = self._failures.get(operation) != problem
            self._failures[operation] = problem
        if news:
            _log.error("%s", problem)

    def succeeded(self, operation: str) -> None:
        """`operation` works again."""
        with self._lock:
            self._failures.pop(operation, None)

    def report(self) -> HealthCheckResult:
        """Degraded while anything is wrong; `last_error` names the worst, and counts the bad lines."""
        with self._lock:
            failures, lines = list(self._failures.values()), list(self._lines.values())
        problems = failures + lines[:1]
        if not problems:
            return HealthCheckResult(status=HealthStatus.HEALTHY)
        if len(lines) > 1:
            or_more = " or more" if len(lines) >= _MAX_LINES else ""
            problems[-1] += f" ({len(lines)}{or_more} lines like it)"
        return HealthCheckResult(status=HealthStatus.DEGRADED, last_error="; ".join(problems))
