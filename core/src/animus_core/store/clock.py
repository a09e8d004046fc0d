"""The time as it is written into records and files: RFC 3339 in UTC with milliseconds and a Z.

Texts of this form sort as the moments do.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["utc_now_text"]


def utc_now_text() -> str:
    """Now, for example `2026-03-01T09:30:00.250Z`."""
    # `timespec`: else a whole second has no digits behind it, and `…00Z` would sort behind `…00.250Z`.
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
