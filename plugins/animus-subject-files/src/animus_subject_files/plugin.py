"""The plugin process: the protocol's verbs on the folder of task files.

Started by a host as `animus-subject-files`; below it lie `folder.py` and `changes.py`, which are imported only at
start, so that `--manifest` answers quickly. Filters, order and pages are the SDK's. Whatever may wait for a disk or for
an editor runs on a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, TypeVarTuple

from animus_sdk import SubjectBackend, serve

if TYPE_CHECKING:
    from animus_sdk import (
        HealthCheckResult,
        ProjectBinding,
        Subject,
        SubjectChangedEvent,
        SubjectCreateParams,
        SubjectFilter,
        SubjectList,
        SubjectPatch,
        SubjectStatus,
    )
    from animus_subject_files.folder import Scan, TaskFolder

__all__ = ["FilesPlugin", "main"]

_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")


class FilesPlugin(SubjectBackend):
    """Tasks that are Markdown files with YAML front matter in `.animus/tasks`."""

    name = "animus-subject-files"
    version = "0.1.0"
    description = "Tasks that are Markdown files in .animus/tasks, edited by people and by the daemon."
    subject_kinds: ClassVar[tuple[str, ...]] = ("task",)
    makes_pages = True

    async def start(self, project: ProjectBinding) -> None:
        """Open the folder of the project; it is made if it is missing."""
        from animus_subject_files.folder import TaskFolder

        self._folder: TaskFolder = TaskFolder(Path(project.project_root))
        await _on_thread(self._folder.open)

    async def health(self) -> HealthCheckResult:
        """Degraded as long as a file is broken; `last_error` names the first one."""
        from animus_sdk import HealthCheckResult, HealthStatus

        broken = [*(await self._scan()).broken.values()]
        if not broken:
            return HealthCheckResult(status=HealthStatus.HEALTHY)
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return HealthCheckResult(status=HealthStatus.DEGRADED, last_error=min(one.message for one in broken) + more)

    async def list(self, filter: SubjectFilter) -> SubjectList:  # noqa: A002 - the protocol's word
        """Tasks by priority, then id; broken files are left out and logged."""
        from animus_sdk import page_of

        # On a thread: to sort thousands of tasks and to measure a page takes longer than the loop may be kept.
        return await _on_thread(page_of, await self._subjects(), filter)

    async def get(self, id: str) -> Subject:  # noqa: A002 - the protocol's word
        """The task of the file `<id>.md`."""
        return (await _on_thread(self._folder.get, id)).subject

    async def create(self, request: SubjectCreateParams) -> Subject:
        """A new file `TASK-<next number>.md`."""
        return (await _on_thread(self._folder.create, request)).subject

    async def update(self, id: str, patch: SubjectPatch) -> Subject:  # noqa: A002 - the protocol's word
        """Change the named keys in the file and leave every other byte alone."""
        return (await _on_thread(self._folder.update, id, patch)).subject

    async def next(self, kind: str | None) -> Subject | None:
        """The ready task to work on first."""
        from animus_sdk import first_ready

        return first_ready(await self._subjects()) if kind in (None, *self.subject_kinds) else None

    async def status(self, id: str, status: SubjectStatus) -> Subject:  # noqa: A002 - the protocol's word
        """Set `status:` in the file."""
        from animus_sdk import SubjectPatch

        return await self.update(id, SubjectPatch(status=status))

    async def delete(self, id: str) -> bool:  # noqa: A002 - the protocol's word
        """Delete the file; its number is not given again."""
        await _on_thread(self._folder.delete, id)
        return True

    async def watch(self, filter: SubjectFilter) -> AsyncGenerator[SubjectChangedEvent, None]:  # noqa: A002 - as above
        """Changes by anybody: people, this plugin, other programs."""
        from animus_subject_files.changes import watch

        async with contextlib.aclosing(watch(self._folder, filter)) as changes:
            async for event in changes:
                yield event

    async def _subjects(self) -> Iterable[Subject]:
        return [task.subject for task in (await self._scan()).tasks.values()]

    async def _scan(self) -> Scan:
        return await _on_thread(self._folder.scan)


async def _on_thread(function: Callable[[*_Arguments], _T], *arguments: *_Arguments) -> _T:
    import anyio.to_thread  # with an event loop, which a manifest does not need

    return await anyio.to_thread.run_sync(function, *arguments)


def main() -> None:
    """The console script."""
    serve(FilesPlugin)
