"""The time as it is written into records and files: RFC 3339 in UTC with milliseconds and a Z.

Texts of this form sort as the moments do.
"""

from __future__ import annotations

import time

__all__ = ["utc_now_text"]


def utc_now_text() -> str:
    """Now, for example `2026-03-01T09:30:00.250Z`."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    # Always three digits: without them `…00Z` would sort behind `…00.250Z`.
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
