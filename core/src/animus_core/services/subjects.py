"""The operations on subjects, passed to the plugin that owns the kind.

Below lies the router. A change of a subject nudges the loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from animus_core.errors import PluginFailed, UnknownName
from animus_core.kinds.subjects.watch import POLL_S, SubjectWatch
from animus_core.services.project import Project
from animus_core.supply.distributions import how_to_install
from animus_protocol.errors import RpcError
from animus_protocol.models import subject as plugin_wire
from animus_protocol.models.control import subject as wire

__all__ = ["SubjectService"]


class SubjectService:
    """Operations on subjects, whichever plugin they live in."""

    def __init__(self, project: Project, *, poll_s: float = POLL_S) -> None:
        self._project = project
        self._poll_s = poll_s

    async def list(self, params: wire.SubjectListParams) -> wire.SubjectListResult:
        """Subjects of the wanted kinds, or of every kind that is served; filtered once more by kind.

        Where no kind is named, the subjects of the other backends are listed although one fails; `warnings` says which.
        If all fail, raises the first failure.
        """
        asked = params.filter or plugin_wire.SubjectFilter()
        pages: list[tuple[str, plugin_wire.SubjectList]] = []
        failures: list[PluginFailed] = []
        await self._project.refresh()
        for kind in asked.kind or await self._plain_kinds():
            # One flat filter for each kind: some backends read `{filter: …}` as empty (protocol §4).
            of_kind = asked.model_copy(update={"kind": [kind]})
            try:
                pages.append((kind, await self._project.router.call(kind, plugin_wire.SUBJECT_LIST, of_kind)))
            except PluginFailed as error:
                if asked.kind:
                    raise
                failures.append(error)
        if not pages:
            raise failures[0] if failures else _no_backend()
        first = pages[0][1]
        return wire.SubjectListResult(
            # By kind once more: some plugins return their own kinds for a foreign one (protocol §4).
            subjects=[subject for kind, page in pages for subject in page.subjects if subject.kind == kind],
            fetched_at=first.fetched_at,
            next_cursor=first.next_cursor,
            warnings=list(dict.fromkeys(failure.message for failure in failures)),
        )

    async def get(self, subject_id: str) -> plugin_wire.Subject:
        """One subject, of whichever kind has it. Raises UnknownName; PluginFailed, RpcError if a backend cannot say."""
        return (await self._find(subject_id))[1]

    async def status(self, params: plugin_wire.SubjectStatusParams) -> plugin_wire.Subject:
        """Set a subject's status."""
        kind, _ = await self._find(params.id)
        changed = await self._project.router.set_status(kind, params.id, params.status)
        self._project.commit_signal.nudge()
        return changed

    async def create(self, params: plugin_wire.SubjectCreateParams) -> plugin_wire.Subject:
        """A new subject of `params.kind`."""
        await self._project.refresh()
        made = await self._project.router.call(params.kind, plugin_wire.SUBJECT_CREATE, params)
        self._project.commit_signal.nudge()
        return made

    async def update(self, params: plugin_wire.SubjectUpdateParams) -> plugin_wire.Subject:
        """Change what the patch names."""
        kind, _ = await self._find(params.id)
        changed = await self._project.router.call(kind, plugin_wire.SUBJECT_UPDATE, params)
        self._project.commit_signal.nudge()
        return changed

    async def next(self, kind: str | None) -> plugin_wire.Subject | None:
        """The subject of `kind`, or of the project's default kind, to work on first; None when none is ready."""
        await self._project.refresh()
        kind = kind or self._project.default_subject_kind()
        return await self._project.router.call(kind, plugin_wire.SUBJECT_NEXT, plugin_wire.SubjectNextParams(kind=kind))

    async def watches(self, params: wire.SubjectWatchParams) -> Sequence[SubjectWatch]:
        """One watch for each kind: the kind that is named, those of the filter, or all that are served now.

        Raises UnknownName when nothing is served, UnclaimedKind for a kind that nobody serves.
        """
        router, asked = self._project.router, params.filter or plugin_wire.SubjectFilter()
        await self._project.refresh()
        # A backend may say its kinds only in its handshake. Without this, a watch of everything would miss it.
        await router.learn()
        kinds = [params.kind] if params.kind else asked.kind or router.kinds
        if not kinds:
            raise _no_backend()
        for kind in kinds:
            router.owner(kind)
        return [SubjectWatch(router, kind, asked, poll_s=self._poll_s) for kind in dict.fromkeys(kinds)]

    async def _plain_kinds(self) -> Sequence[str]:
        """Every kind that is served now; claims like `issue.*` stand for kinds that nobody can list."""
        await self._project.refresh()
        await self._project.router.learn()
        return [kind for kind in self._project.router.kinds if not kind.endswith("*")]

    async def _find(self, subject_id: str) -> tuple[str, plugin_wire.Subject]:
        """Which kind has it. A backend that fails is the reason only when no other one has it."""
        failure: PluginFailed | None = None
        for kind in await self._plain_kinds():
            try:
                return kind, await self._project.router.get(kind, subject_id)
            except RpcError as error:
                if error.category != "not_found":
                    raise
            except PluginFailed as error:
                failure = error
        if failure is not None:
            raise failure
        raise UnknownName(f"no subject {subject_id!r}", hint="Look at what there is: animus subject list")


def _no_backend() -> UnknownName:
    return UnknownName(
        "no subject backend is installed",
        hint=f"Install one. For tasks in files: {how_to_install('animus-subject-files')}",
    )
