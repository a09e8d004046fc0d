"""Task ids and file names: which are allowed, and in which order they come. Nothing lies below."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SUFFIX", "id_problem", "natural_key", "number_of", "numbered"]

SUFFIX: Final = ".md"
# A file name has 255 bytes at most, and the longest temporary one beside the task adds 53 to its id.
_MAX_BYTES: Final = 200
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
# Tasks are files of the repository: a name that Windows refuses would keep others from checking it out.
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"TASK-(\d{1,18})", re.IGNORECASE)
_PARTS: Final = re.compile(r"(\d+)")


def id_problem(task_id: str) -> str | None:
    """Why `task_id` cannot be a task's id, or None when it can; a path can never be one."""
    if not task_id:
        return "it is empty"
    if task_id.startswith("."):
        return "it begins with a dot"
    if _FORBIDDEN.search(task_id):
        return 'it contains a path separator, a control character or one of : * ? " < > |'
    if task_id != task_id.strip() or task_id.endswith("."):
        return "it begins or ends with a space, or ends with a dot"
    if _RESERVED.fullmatch(task_id):
        return "the name is reserved on Windows"
    try:
        size_bytes = len(task_id.encode())
    except UnicodeEncodeError:
        return "it is not Unicode text"
    return f"it is longer than {_MAX_BYTES} bytes" if size_bytes > _MAX_BYTES else None


def natural_key(task_id: str) -> list[tuple[int, int, str]]:
    """Sort key in which TASK-9 comes before TASK-10; the id itself decides between equals (TASK-01, TASK-1)."""
    parts = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _PARTS.split(task_id) if part]
    return [*parts, (2, 0, task_id)]


def number_of(task_id: str) -> int:
    """The number in `TASK-007`, and 0 for an id of another form."""
    found = _NUMBERED.fullmatch(task_id)
    return int(found[1]) if found else 0


def numbered(number: int) -> str:
    """The id of a new task: at least three digits."""
    return f"TASK-{number:03d}"
