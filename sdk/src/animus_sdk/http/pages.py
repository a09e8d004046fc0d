"""What a web UI serves beside the API: fixed content, read once.

Nothing lies below.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Page"]


class Page(NamedTuple):
    """Content at a path: a page, or a file that it needs."""

    content: bytes
    media_type: str
