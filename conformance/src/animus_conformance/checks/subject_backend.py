"""A subject backend as the checks speak to it: its verbs, and subjects to try them on.

`Backends` is a part, below which lie the processes and the claims. What a backend is made to create is deleted again
where it deletes, and what is borrowed of it is put back as far as the protocol allows.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from animus_conformance.checks.subject_verbs import Subject, SubjectVerbs
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import REFUSALS, Reply
from animus_conformance.wire.observer import Observed

__all__ = ["NO_SUBJECT", "TITLE", "Backend", "Backends"]

TITLE: Final = "Ask Zoë whether the café’s boiler — №2 — was serviced 🔧"

_VARIED: Final[Sequence[Mapping[str, Any]]] = (
    {"title": "Repair the garden gate", "status": "blocked", "labels": ["garden", "urgent"], "assignee": "ada"},
    {"title": "Order new hinges", "status": "in-progress", "labels": ["garden"], "assignee": "grace", "priority": 4},
    {"title": "Oil the lock — both sides", "priority": 1},
)
_EXAMPLES: Final = {"string": "2026-07", "number": 3, "bool": True, "date": "2026-07-01"}
NO_SUBJECT: Final = (
    "there is no subject to try it on: in conformance.toml name a `project` folder with one in it, "
    'a `setup` command that makes one, or its id under [params."subject/get"]'
)


class Backend(SubjectVerbs):
    """The verbs of one connection, and subjects to try them on."""

    def __init__(self, host: Host, claims: Claims, settings: SuiteSettings, observed: Observed) -> None:
        """Raises Unproven when the plugin claims no kind."""
        super().__init__(host, claims, settings, observed)
        self.made_ids: set[str] = set()
        """The subjects that were made here."""

    def create_params(self, **wishes: Any) -> dict[str, Any]:
        """What is sent to make a subject: the settings' values go before ours, but for kind and title."""
        title = wishes.pop("title", TITLE)
        return {**wishes, **self.settings.params_for("subject/create"), "kind": self.kind, "title": title}

    async def create(self, **wishes: Any) -> Subject:
        """A new subject that get knows, with as many of the wishes as it takes. Raises Unproven, NotAdvertised."""
        reply = Reply(None, None)
        for names in ((*wishes,), ("title", "status"), ("title",)):
            tried = {name: wishes[name] for name in names if name in wishes}
            try:
                reply = await self.ask("create", **self.create_params(**tried))
            except Failed as failed:
                raise Unproven(f"first {failed}") from None
            if reply.error is None:
                made: Subject = self.typed("create", reply)
                self.made_ids.add(made["id"])
                await self.fetch(made["id"])
                return made
        if reply.code in REFUSALS:
            raise NotAdvertised(f"{self.method('create')} is refused with {reply.code}, so that hosts do without")
        raise Unproven(
            f"first {self.method('create')} was refused: {reply}; what it needs besides kind and title "
            'can be said under [params."subject/create"] in conformance.toml'
        )

    async def drop(self, subject: Subject) -> None:
        """Delete what was made here, where that is possible."""
        if self.offers("delete") and not self.host.ended:
            with contextlib.suppress(Failed):
                await self.ask("delete", id=subject["id"])

    @contextlib.asynccontextmanager
    async def made(self, **wishes: Any) -> AsyncIterator[Subject]:
        """A new subject for the length of the block. Raises Unproven, NotAdvertised."""
        subject = await self.create(**wishes)
        try:
            yield subject
        finally:
            await self.drop(subject)

    @contextlib.asynccontextmanager
    async def any_subject(self, **wishes: Any) -> AsyncIterator[Subject]:
        """A subject to try things on: a new one, or one that is there where none can be made. Raises Unproven."""
        subject = None
        if self.offers("create"):
            with contextlib.suppress(NotAdvertised):
                subject = await self.create(**wishes)
        if subject is not None:
            try:
                yield subject
            finally:
                await self.drop(subject)
            return
        subject = await self._borrowed()
        try:
            yield subject
        finally:
            await self._put_back(subject)

    @contextlib.asynccontextmanager
    async def populated(self) -> AsyncIterator[list[Subject]]:
        """All subjects, among them, where it makes any, some that differ in what filters ask for. Raises Unproven."""
        async with contextlib.AsyncExitStack() as stack:
            titles = {subject["title"] for subject in await self.everything()}
            if self.offers("create"):
                with contextlib.suppress(NotAdvertised, Unproven):  # what exists will do
                    for wishes in _VARIED:
                        if wishes["title"] not in titles:  # as it is where nothing can be deleted
                            await stack.enter_async_context(self.made(**wishes))
            found = await self.everything()
            if not found:
                raise Unproven(NO_SUBJECT)
            yield found

    async def custom_values(self) -> dict[str, Any]:
        """Values for two fields of its own: those that its schema names, else such as people invent."""
        reply = await self.ask("schema") if self.offers("schema") else Reply(None, None)
        schema = reply.result if isinstance(reply.result, Mapping) else {}
        values: dict[str, Any] = {}
        for field in schema.get("custom_fields") or []:
            if isinstance(field, str):
                values[field] = _EXAMPLES["string"]
            elif isinstance(field, Mapping) and isinstance(field.get("key"), str):
                values[field["key"]] = _EXAMPLES.get(str(field.get("type"))) or next(iter(field.get("values") or [""]))
        return dict([*values.items()][:2]) or {"sprint": "2026-07", "estimate": 3}

    async def _borrowed(self) -> Subject:
        named = self.settings.params_for("subject/get").get("id")
        if isinstance(named, str):
            return await self.fetch(named)
        found = await self.everything()
        if not found:
            raise Unproven(NO_SUBJECT)
        return found[0]

    async def _put_back(self, before: Subject) -> None:
        """Undo what checks change in somebody's own subject: its status, assignee and labels."""
        if self.host.ended:
            return
        with contextlib.suppress(Failed, Unproven, NotAdvertised):
            if self.offers("update"):
                now, old = (set(subject.get("labels") or []) for subject in (await self.fetch(before["id"]), before))
                patch = {"status": before["status"], "assignee": before.get("assignee")}
                labels = {"labels_add": sorted(old - now), "labels_remove": sorted(now - old)}
                await self.ask("update", id=before["id"], patch={**patch, **labels})
            elif self.offers("status"):
                await self.ask("status", id=before["id"], status=before["status"])


class Backends:
    """Connections to the backend, as checks ask for them."""

    def __init__(self, processes: Processes, claims: Claims, settings: SuiteSettings, observed: Observed) -> None:
        self._processes = processes
        self._claims = claims
        self._settings = settings
        self._observed = observed

    async def shared(self) -> Backend:
        """On the process that gentle checks share. Raises Unproven."""
        return self._on(await self._processes.shared())

    @contextlib.asynccontextmanager
    async def started(self, project: Path | None = None) -> AsyncIterator[Backend]:
        """On a process of its own, killed at the end of the block. Raises Unproven."""
        async with self._processes.started(project=project) as host:
            yield self._on(host)

    def _on(self, host: Host) -> Backend:
        return Backend(host, self._claims, self._settings, self._observed)
