"""Which files have had their time: a pure decision on facts. Below lie types alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from animus_log_jsonl.files import FileFacts
from animus_log_jsonl.settings import Retention

__all__ = ["outdated"]

_DAY_S: Final = 86_400


def outdated(rotated: Sequence[FileFacts], current_bytes: int, kept: Retention, now_s: float) -> list[int]:
    """The numbers of the rotated files to delete, oldest first; `rotated` is oldest first, `now_s` since 1970.

    A file goes as a whole, and never one that is newer than a file that stays. The file that is written counts for
    the size and is never deleted.
    """
    total = current_bytes + sum(file.size_bytes for file in rotated)
    gone = []
    for index, file in enumerate(rotated):
        too_many = kept.files is not None and len(rotated) - index > kept.files
        too_large = kept.size_bytes is not None and total > kept.size_bytes
        too_old = kept.days is not None and now_s - file.written_at_s > kept.days * _DAY_S
        if not (too_many or too_large or too_old):
            break
        gone.append(file.number)
        total -= file.size_bytes
    return gone
