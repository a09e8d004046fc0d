"""The folder's lock: one plugin process writes at a time. Below it lies the SDK's lock.

The file `.lock` also remembers the highest task number ever given, so that the id of a deleted task is not given
again. People's editors know nothing of it: `write.py` deals with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from animus_sdk import FileLock

__all__ = ["FolderLock"]

_NAME: Final = ".lock"
_MAX_DIGITS: Final = 18


class FolderLock(FileLock):
    """Context manager; entering raises Unavailable when the lock is not free within `timeout_s`."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        # Readable and writable for the group where the umask says so: people share a folder of tasks.
        super().__init__(folder / _NAME, wait_s=timeout_s, mode=0o666)

    @property
    def highest(self) -> int:
        """The highest task number that was ever given, 0 at first."""
        text = self.text
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else 0

    @highest.setter
    def highest(self, number: int) -> None:
        self.text = f"{number:>{_MAX_DIGITS}}\n"  # always as wide, so that one write replaces all of the old number
