"""A subject backend as the checks speak to it: its verbs by the name that it serves, and subjects to try them on.

`Backends` is a part, below which lie the processes and the claims. What a backend is made to create is deleted again
where the backend deletes, and what it borrows is put back as far as the protocol allows.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from animus_conformance import oracle
from animus_conformance.settings import SuiteSettings
from animus_conformance.target.claims import Claims
from animus_conformance.target.processes import Processes
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.host import Host
from animus_conformance.wire.messages import Reply
from animus_conformance.wire.observer import Observed

__all__ = [
    "NOT_SERVED",
    "NO_SUBJECT",
    "TITLE",
    "UNKNOWN_ID",
    "Backend",
    "Backends",
    "Subject",
    "covers",
    "flat",
    "moment",
]

Subject = Mapping[str, Any]

NOT_SERVED: Final = (-32601, -32001)
"""Codes by which a host learns that it has to do without (protocol §3)."""

UNKNOWN_ID: Final = "no-such-subject"
TITLE: Final = "Ask Zoë whether the café’s boiler — №2 — was serviced 🔧"

_CORE: Final = ("list", "get")
_MOST_PAGES: Final = 1_000
"""A cursor that always leads on must not hold the check until its time is over."""
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


class Backend:
    """One connection to the backend. `kind` is the kind of the subjects that it is tried with."""

    def __init__(self, host: Host, claims: Claims, settings: SuiteSettings, observed: Observed) -> None:
        """Raises Unproven when the plugin claims no kind."""
        if not claims.subject_kinds:
            raise Unproven("it claims no kind of subjects")
        self.host = host
        self.settings = settings
        self._claims = claims
        self._observed = observed
        self.made_ids: set[str] = set()
        """The subjects that were made here."""
        named = settings.params_for("subject/create").get("kind")
        self.kind: str = named if isinstance(named, str) else min(claims.subject_kinds, key=_is_pattern)
        self.kind = self.kind.replace("*", "task")

    # its verbs

    def offers(self, verb: str) -> bool:
        """Whether it advertises the verb under any name."""
        return f"subject/{verb}" in self._claims.advertised

    def method(self, verb: str) -> str:
        """The verb under the kind's own name, as hosts send it, unless only `subject/<verb>` is advertised."""
        own, general = f"{self.kind}/{verb}", f"subject/{verb}"
        return general if own not in self._claims.spelled and general in self._claims.spelled else own

    async def ask(self, verb: str, **params: Any) -> Reply:
        """The answer, whichever it is. Raises Failed when there is none."""
        return await self.host.ask(self.method(verb), self.settings.params_for(f"subject/{verb}", **params))

    async def offered(self, verb: str, **params: Any) -> Reply:
        """As `ask`; NotAdvertised for the codes that tell a host to do without."""
        reply = await self.ask(verb, **params)
        if verb not in _CORE and reply.code in NOT_SERVED:
            raise NotAdvertised(f"{self.method(verb)} is refused with {reply.code}, so that hosts do without")
        return reply

    async def result(self, verb: str, **params: Any) -> Any:
        """The result of the request in question, flat. Raises Failed for an error, Unproven for a wrong type."""
        reply = await self.offered(verb, **params)
        if reply.error is not None:
            raise Failed(f"{self.method(verb)} {params} was refused: {reply}")
        return self.typed(verb, reply)

    async def given(self, verb: str, **params: Any) -> Any:
        """The result of what the check only builds on, flat. Raises Unproven for any trouble."""
        try:
            reply = await self.offered(verb, **params)
        except Failed as failed:
            raise Unproven(f"first {failed}") from None
        if reply.error is not None:
            raise Unproven(f"first {self.method(verb)} {params} was refused: {reply}")
        return self.typed(verb, reply)

    def typed(self, verb: str, reply: Reply) -> Any:
        """The flat result. Raises Unproven when it has not the protocol's type, which is a check of its own."""
        wrong = self.mismatch(verb, reply)
        if wrong is not None:
            raise Unproven(f"the result of {self.method(verb)} has not the protocol's type ({wrong})")
        return flat(reply.result)

    def mismatch(self, verb: str, reply: Reply) -> str | None:
        """How the result differs from the protocol's type for this verb."""
        types = oracle.method_types(f"subject/{verb}")
        if types is None or types.result is None:
            raise ValueError(f"{verb} is no request of the protocol")
        wrong = oracle.mismatch(types.result, reply.result)
        if wrong is not None:
            self._observed.note_mistyped(f"subject/{verb}")
        return wrong

    def require_type(self, verb: str, reply: Reply) -> None:
        """Raises Failed for an error, and for a result of another type."""
        if reply.error is not None:
            raise Failed(f"{self.method(verb)} was refused: {reply}")
        wrong = self.mismatch(verb, reply)
        if wrong is not None:
            raise Failed(f"{self.method(verb)}: {wrong}")

    # its subjects

    async def fetch(self, subject_id: str) -> Subject:
        """The subject as `get` shows it. Raises Unproven."""
        found: Subject = await self.given("get", id=subject_id)
        return found

    async def everything(self, **wanted: Any) -> list[Subject]:
        """Every subject that passes a filter, page by page. Raises Unproven."""
        return await self.joined(await self.given("list", **wanted), wanted)

    async def joined(self, page: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Subject]:
        """The subjects of `page` and of all pages after it. Raises Unproven."""
        found = list(page["subjects"])
        cursors: set[str] = set()
        while cursor := page.get("next_cursor"):
            if cursor in cursors or len(cursors) >= _MOST_PAGES:
                raise Unproven(f"the pages of {self.method('list')} have no end: next_cursor {cursor!r:.100}")
            cursors.add(cursor)
            page = await self.given("list", **{**wanted, "cursor": cursor})
            found += page["subjects"]
        return found

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
        if reply.code in NOT_SERVED:
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

    async def move(self, subject: Subject, status: str) -> bool:
        """Whether the subject has the status now, by status or else by update. Raises Failed for no answer."""
        if self.offers("status"):
            await self.ask("status", id=subject["id"], status=status)
        elif self.offers("update"):
            await self.ask("update", id=subject["id"], patch={"status": status})
        return bool((await self.fetch(subject["id"]))["status"] == status)

    async def knows(self, subject: Subject) -> bool:
        """Whether get finds it. Raises Failed for no answer."""
        reply = await self.ask("get", id=subject["id"])
        return reply.error is None and flat(reply.result) is not None

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


def flat(result: Any) -> Any:
    """The subject in a result, which may stand in an object of its own (protocol §4)."""
    return result["subject"] if isinstance(result, Mapping) and "subject" in result and "id" not in result else result


def covers(claim: str, kind: str) -> bool:
    """Whether a claim such as `issue` or `issue.*` covers `kind`."""
    return claim in (kind, "*") or (claim.endswith(".*") and kind.startswith(claim[:-1]))


def moment(timestamp: str) -> datetime:
    """A timestamp that the oracle has let pass; a leap second is read as the one before."""
    return datetime.fromisoformat(timestamp.upper().replace(":60", ":59"))


def _is_pattern(claim: str) -> bool:
    return "*" in claim
