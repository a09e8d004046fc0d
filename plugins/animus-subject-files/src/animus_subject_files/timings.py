"""How long a change of the folder waits for other processes."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FolderTimings"]


class FolderTimings(NamedTuple):
    """Seconds. Each wait ends in `Unavailable` that says what to do, or in going on without."""

    lock_s: float = 10.0
    """For another process that changes the folder."""
    clean_up_s: float = 0.5
    """The same, before clearing up at the start: who works there clears up itself."""
    writer_s: float = 3.0
    """For a program that has the file open for writing."""
    return_s: float = 0.3
    """For a file that is away: an editor that saves by renaming leaves the name empty for a moment."""
    give_up_s: float = 10.0
    """For others to stop saving the file at the very moment when it is changed."""
    grace_s: float = 0.5
    """For a program that read a version which lacks somebody's save: it has saved by then."""
