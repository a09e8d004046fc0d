"""The plugin: the verbs of a subject backend, on one JSON file.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lie `state.py`, `store.py` and `changes.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from animus_sdk import (
    HealthCheckResult,
    HealthStatus,
    InvalidParams,
    NotFound,
    ProjectBinding,
    Subject,
    SubjectBackend,
    SubjectChangedEvent,
    SubjectCreateParams,
    SubjectFilter,
    SubjectPatch,
    SubjectStatus,
    Unavailable,
    first_ready,
    matches,
    serve,
)

from {{ cookiecutter.__package }}.changes import created, differences, patched
from {{ cookiecutter.__package }}.state import CONFIG_DIR, state_folder
from {{ cookiecutter.__package }}.store import Contents, Store

__all__ = ["{{ cookiecutter.__class }}", "main"]

KIND: Final = "{{ cookiecutter.__slug }}"
LOOK_S: Final = 1.0
"""How often a watch looks for changes that others have made to the file."""
MAX_NEWS: Final = 100


class {{ cookiecutter.__class }}(SubjectBackend):
    """Subjects in one JSON file a project."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}
    subject_kinds = (KIND,)
    env = (CONFIG_DIR,)

    async def start(self, project: ProjectBinding) -> None:
        """Know where the file is; it need not be there yet."""
        self._store = Store(state_folder(project, self.name) / "subjects.json")
        self._turn = asyncio.Lock()
        self._watches: set[asyncio.Queue[Contents]] = set()

    def health(self) -> HealthCheckResult:
        """Degraded as long as the file cannot be read."""
        try:
            self._store.read()
        except Unavailable as error:
            return HealthCheckResult(status=HealthStatus.DEGRADED, last_error=str(error))
        return HealthCheckResult(status=HealthStatus.HEALTHY)

    def list(self, filter: SubjectFilter) -> Iterable[Subject]:
        """All of them: the SDK filters, sorts and makes pages."""
        return self._store.read().subjects.values()

    def get(self, id: str) -> Subject:
        """One of them."""
        return _found(self._store.read(), id)

    async def create(self, request: SubjectCreateParams) -> Subject:
        """A new one, with the next number."""
        if request.kind != KIND:
            raise InvalidParams(f"kind {request.kind!r}: this plugin keeps {KIND!r}")
        subject_id = ""

        def edit(contents: Contents) -> Contents:
            nonlocal subject_id
            subject_id = f"{KIND}-{contents.next_number}"
            numbered = contents.model_copy(update={"next_number": contents.next_number + 1})
            return numbered.with_subject(created(subject_id, request, datetime.now(UTC)))

        return (await self._change(edit)).subjects[subject_id]

    async def update(self, id: str, patch: SubjectPatch) -> Subject:
        """Change what the patch names."""

        def edit(contents: Contents) -> Contents:
            return contents.with_subject(patched(_found(contents, id), patch, datetime.now(UTC)))

        return (await self._change(edit)).subjects[id]

    async def status(self, id: str, status: SubjectStatus) -> Subject:
        """Set the status."""
        return await self.update(id, SubjectPatch(status=status))

    def next(self, kind: str | None) -> Subject | None:
        """The ready one with the highest priority."""
        return first_ready(self._store.read().subjects.values()) if kind in (None, KIND) else None

    async def delete(self, id: str) -> bool:
        """Take it out of the file."""
        await self._change(lambda contents: contents.without(_found(contents, id).id))
        return True

    async def watch(self, filter: SubjectFilter) -> AsyncGenerator[SubjectChangedEvent, None]:
        """Changes of this process at once, and changes of others after a look at the file."""
        news: asyncio.Queue[Contents] = asyncio.Queue(MAX_NEWS)
        self._watches.add(news)
        try:
            known = self._store.read()
            while True:
                seen = await self._news(news)
                for event in differences(known.subjects, seen.subjects):
                    if matches(event.subject, filter):
                        yield event
                known = seen
        finally:
            self._watches.discard(news)

    async def _change(self, edit: Callable[[Contents], Contents]) -> Contents:
        async with self._turn:
            contents = await asyncio.to_thread(self._store.change, edit)
            for news in self._watches:
                if not news.full():  # the next look at the file makes up for it
                    news.put_nowait(contents)
        return contents

    async def _news(self, news: asyncio.Queue[Contents]) -> Contents:
        """The next state that is newer than the last one; nobody changes the file between the two questions."""
        try:
            async with asyncio.timeout(LOOK_S):
                return await news.get()
        except TimeoutError:
            async with self._turn:
                return await asyncio.to_thread(self._store.read) if news.empty() else news.get_nowait()


def _found(contents: Contents, id: str) -> Subject:
    if id not in contents.subjects:
        raise NotFound(f"{KIND} {id!r}")
    return contents.subjects[id]


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
