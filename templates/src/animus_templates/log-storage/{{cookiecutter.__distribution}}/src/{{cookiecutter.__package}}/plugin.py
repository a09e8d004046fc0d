"""The plugin: stores the log's entries, gives them back, and tells new ones.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lie `journal.py`, `selection.py` and `state.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import Final

from animus_sdk import (
    InvalidParams,
    LogEntry,
    LogQuery,
    LogQueryResult,
    LogStorageBackend,
    ProjectBinding,
    SupportsFiltering,
    serve,
)

from {{ cookiecutter.__package }}.journal import Journal
from {{ cookiecutter.__package }}.selection import wants
from {{ cookiecutter.__package }}.state import CONFIG_DIR, state_folder

__all__ = ["{{ cookiecutter.__class }}", "main"]

MAX_PAGE: Final = 1000
MAX_CURSOR_LETTERS: Final = 18


class {{ cookiecutter.__class }}(LogStorageBackend):
    """The log in one file of JSON lines."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}
    env = (CONFIG_DIR,)
    dedups = True
    filters = SupportsFiltering(by_level=True, by_source=True, by_target=True, by_glob=True, by_time_range=True)

    async def start(self, project: ProjectBinding) -> None:
        """Open the file."""
        self._journal = Journal(state_folder(project, self.name) / "log.jsonl")
        self._turn = asyncio.Lock()
        self._tails: set[asyncio.Event] = set()
        await asyncio.to_thread(self._journal.open)
        self._stored_bytes = self._journal.end_bytes

    async def store(self, entries: Sequence[LogEntry]) -> int:
        """Keep them; those that are there already are not counted. Who cancels this does not stop the writing."""
        return await asyncio.shield(asyncio.ensure_future(self._store(entries)))

    async def _store(self, entries: Sequence[LogEntry]) -> int:
        async with self._turn:  # until it is written: half of it would be in the way of the next one
            stored = await asyncio.to_thread(self._journal.append, entries)
            self._stored_bytes = self._journal.end_bytes  # on the loop: no tail begins in between
        for news in self._tails:
            news.set()
        return stored

    def query(self, query: LogQuery) -> LogQueryResult:
        """A page in the order of storing; the cursor is the place in the file where the next one begins."""
        limit = MAX_PAGE if query.limit is None else min(query.limit, MAX_PAGE)
        place = _place(query.cursor)
        entries: list[LogEntry] = []
        for entry, behind in self._journal.read(place):
            if wants(query, entry):
                if len(entries) == limit:
                    return LogQueryResult(entries=entries, next_cursor=str(place))
                entries.append(entry)
            place = behind
        return LogQueryResult(entries=entries)

    async def tail(self, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
        """What is stored from now on."""
        news = asyncio.Event()
        self._tails.add(news)
        place = self._stored_bytes
        try:
            while True:
                news.clear()
                for entry, behind in await asyncio.to_thread(self._page, place):
                    if wants(query, entry):
                        yield entry
                    place = behind
                if place >= self._stored_bytes:
                    await news.wait()
        finally:
            self._tails.discard(news)

    def _page(self, place: int) -> list[tuple[LogEntry, int]]:
        return [*islice(self._journal.read(place), MAX_PAGE)]


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > MAX_CURSOR_LETTERS:
        raise InvalidParams(f"cursor {cursor!r:.40}: this plugin did not give it; query again without a cursor")
    return int(cursor)


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
