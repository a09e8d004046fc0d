"""Pages of rows: where one begins, and whether another follows. Nothing lies below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

__all__ = ["MAX_PAGE", "Page"]

MAX_PAGE: Final = 1000
"""How many rows a page has at most, whatever was asked for: it travels in one frame, and frames are bounded."""
_CURSOR_DIGITS: Final = 18  # any number of so many digits fits SQLite's 64-bit integers
_T = TypeVar("_T")


class Page(NamedTuple):
    """A page of `limit` rows that begins after `offset` others."""

    offset: int
    limit: int

    @staticmethod
    def at(cursor: str | None, limit: int | None, default_limit: int) -> Page:
        """The page that a cursor of `cut` leads to; without one, or with a foreign one, the first."""
        # A foreign cursor is no error: clients keep them over upgrades, and the first page is a place to go on from.
        known = cursor is not None and cursor.isdecimal() and len(cursor) <= _CURSOR_DIGITS
        return Page(int(cursor) if cursor and known else 0, min(limit or default_limit, MAX_PAGE))

    @property
    def rows_to_read(self) -> int:
        """One more than it has: whether there is one says whether another page follows."""
        return self.limit + 1

    def cut(self, rows: Sequence[_T]) -> tuple[list[_T], str | None]:
        """The page of the rows that were read, and the cursor of the next one if there is one."""
        following = str(self.offset + self.limit) if len(rows) > self.limit else None
        return list(rows[: self.limit]), following
