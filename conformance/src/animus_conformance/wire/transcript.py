"""What went over one wire, kept for the evidence of a failure: a bounded number of frames, long ones cut.

Nothing lies below.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

__all__ = ["Transcript"]

_MAX_LINES: Final = 400
_MAX_CHARS: Final = 1_000
"""It is evidence in a report: the last lines lead to the failure, and of a long one the beginning says what it is."""


class Transcript:
    """Lines like `   0.012 > {"jsonrpc":…`: `>` to the plugin, `<` from it, `#` what else happened."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)
        self.count = 0
        """How many lines there were so far, forgotten ones included."""

    def add(self, direction: str, text: str) -> None:
        """One more line."""
        cut = text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}… ({len(text)} characters)"
        self._lines.append(f"{time.monotonic() - self._began:8.3f} {direction} {cut}")
        self.count += 1

    def since(self, count: int) -> list[str]:
        """The lines after the first `count`, as far as they are kept."""
        wanted = min(self.count - count, len(self._lines))
        return list(self._lines)[len(self._lines) - wanted :] if wanted else []
