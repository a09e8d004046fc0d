"""What a plugin may be called."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_NAME_CHARS", "is_name"]

MAX_NAME_CHARS: Final = 120  # it becomes part of file names, which may have 255 bytes (NAME_MAX)


def is_name(name: str) -> bool:
    """Whether `name` can be a plugin's: 1 to 120 printable characters without a slash or a blank at either end."""
    return 0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and "/" not in name and name == name.strip()
