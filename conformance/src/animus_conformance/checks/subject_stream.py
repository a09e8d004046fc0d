"""A watch on subjects as the checks hold it, what they change meanwhile, and how events are told apart.

Below lie the backend and the wire. Events may come before or after the replies of what caused them, more than one for
each, and under the id of the watch or of the subject (protocol §4).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from animus_conformance import oracle
from animus_conformance.checks.subject_backend import Backend
from animus_conformance.checks.subject_verbs import Subject
from animus_conformance.target.projects import Projects
from animus_conformance.verdict import Failed, NotAdvertised, Unproven
from animus_conformance.wire.messages import REFUSALS, Reply

__all__ = [
    "CHANGED",
    "SHOWN",
    "SubjectChange",
    "Watch",
    "ask_to_watch",
    "changes_of",
    "is_for",
    "named",
    "showing",
    "shows",
]

CHANGED: Final = "subject/changed"

SHOWN: Final = ("title", "status", "labels", "assignee")
"""The fields by which one state of a subject is told from another."""

_EVENT_TYPE: Final = "subject#/$defs/SubjectChangedParams"
_MOVED: Final = frozenset({"status-changed", "updated"})
_ANY_KIND: Final = _MOVED | {"created", "deleted", "dispatch-label-changed", "attachment-added", "attachment-removed"}
_PATCHES: Final[Sequence[tuple[Mapping[str, Any], frozenset[str]]]] = (
    ({"assignee": "grace"}, frozenset({"updated"})),
    ({"labels_add": ["seen"]}, frozenset({"updated", "dispatch-label-changed"})),
    ({"status": "blocked"}, _MOVED),
)
_UNKNOWN_ID: Final = ""

EventTest = Callable[[Mapping[str, Any]], bool]
"""Whether the params of an event are such as are waited for."""


class SubjectChange(NamedTuple):
    """Something that was done to a subject, as get shows it afterwards; `kinds` are the names for it."""

    what: str
    subject: Subject
    kinds: frozenset[str]

    @property
    def is_outside(self) -> bool:
        """Whether it was done outside, to a subject that the suite does not know."""
        return bool(self.subject["id"] == _UNKNOWN_ID)


class Watch:
    """An open watch: which request opened it, and the number of the first notification that counts."""

    def __init__(self, backend: Backend, request_id: int, after: int) -> None:
        self.backend = backend
        self.id = request_id
        self._after = after

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, backend: Backend, **wanted: Any) -> AsyncIterator[Watch]:
        """A watch for the length of the block. Raises NotAdvertised, Unproven."""
        after = backend.host.notifications.count
        try:
            request_id, reply = await ask_to_watch(backend, **wanted)
        except Failed as failed:
            raise Unproven(f"first {failed}") from None
        if reply.code in REFUSALS:
            raise NotAdvertised(f"{backend.method('watch')} {wanted or ''} is refused with {reply.code}")
        if reply.error is not None:
            raise Unproven(f"first {backend.method('watch')} was refused: {reply}")
        backend.typed("watch", reply)
        watch = cls(backend, request_id, after)
        try:
            yield watch
        finally:
            if not backend.host.ended:
                with contextlib.suppress(Unproven):
                    await watch.end()

    def mark(self, number: int | None = None) -> None:
        """What is told from now on counts, or from notification `number` on, and nothing before."""
        self._after = self.backend.host.notifications.count if number is None else number

    async def end(self) -> str:
        """End it by its verb, else by cancelling; what was sent. Raises Unproven when there is no answer."""
        host = self.backend.host
        try:
            reply = await host.ask("subject/unwatch", {"watch_id": str(self.id)})
            if reply.error is None:
                return "subject/unwatch"
            host.tell("$/cancelRequest", {"id": self.id})
            await host.ask("$/ping")
        except Failed as failed:
            raise Unproven(str(failed)) from None
        return f"$/cancelRequest (subject/unwatch got {reply.code})"

    async def event_about(
        self, subject: Subject, where: EventTest = lambda params: True, within_s: float | None = None
    ) -> Mapping[str, Any] | None:
        """The params of the first event on a subject that pass `where`; None when none comes in time."""
        notification = await self.backend.host.notifications.next(
            CHANGED,
            lambda params: isinstance(params, Mapping) and self._concerns(params, subject["id"]) and where(params),
            after=self._after,
            within_s=within_s,
        )
        return None if notification is None else notification.params

    async def given_event(self, change: SubjectChange) -> Mapping[str, Any]:
        """The first event on the change's subject. Raises Unproven when there is none, or it has another type."""
        params = await self.event_about(change.subject)
        if params is None:
            raise Unproven(f"nothing was told after {change.what}")
        wrong = self.mismatch(params)
        if wrong is not None:
            raise Unproven(f"{CHANGED} has not the protocol's type ({wrong})")
        return params

    @staticmethod
    def mismatch(params: Mapping[str, Any]) -> str | None:
        """How an event differs from the protocol's type."""
        return oracle.mismatch(_EVENT_TYPE, params)

    def _concerns(self, params: Mapping[str, Any], subject_id: str) -> bool:
        """Whether an event may be about this subject, even one that lacks half of its fields."""
        subject = params.get("subject")
        if subject_id == _UNKNOWN_ID:
            return True
        if isinstance(subject, Mapping) and "id" in subject:
            return bool(subject["id"] == subject_id)
        # Its type is judged by a check of its own: here an event without a subject counts by the id that it has.
        return params.get("id") in (subject_id, self.id, str(self.id))


async def ask_to_watch(backend: Backend, **wanted: Any) -> tuple[int, Reply]:
    """The id of the request, and its answer. Raises Failed when there is none."""
    request_id = backend.host.send(backend.method("watch"), backend.settings.params_for("subject/watch", **wanted))
    return request_id, await backend.host.reply(request_id)


async def changes_of(watch: Watch, projects: Projects) -> AsyncGenerator[SubjectChange, None]:
    """Does to a subject whatever is served, one thing after the other, and marks the watch before each.

    Raises Unproven where neither the backend nor the settings' stimulus changes anything.
    """
    backend = watch.backend
    if not any(backend.offers(verb) for verb in ("create", "update", "status")):
        for _ in range(2):
            watch.mark()
            await projects.stimulate("subject", backend.host.project)
            yield SubjectChange("the command stimulus.subject", {"id": _UNKNOWN_ID}, _ANY_KIND)
        return
    watch.mark()
    async with backend.any_subject() as subject:
        is_own = subject["id"] in backend.made_ids
        if is_own:
            yield SubjectChange(backend.method("create"), subject, frozenset({"created"}))
        for verb, params, kinds in _steps(backend):
            watch.mark()
            reply = await backend.ask(verb, id=subject["id"], **params)
            if reply.error is None:
                yield SubjectChange(f"{backend.method(verb)} {params}", await backend.fetch(subject["id"]), kinds)
        # What was borrowed is somebody's own: it is changed and put back, and never deleted.
        if is_own and backend.offers("delete"):
            subject = await backend.fetch(subject["id"])
            watch.mark()
            await backend.drop(subject)
            if not await backend.knows(subject):
                yield SubjectChange(backend.method("delete"), subject, frozenset({"deleted"}))


def is_for(watch_id: int) -> EventTest:
    """For events of this watch; the subject's id in place of a watch's is for all of them."""

    def test(params: Mapping[str, Any]) -> bool:
        subject = params.get("subject")
        subject_id = subject.get("id") if isinstance(subject, Mapping) else None
        return params.get("id") in (watch_id, str(watch_id), subject_id)

    return test


def named(kinds: frozenset[str]) -> EventTest:
    """For events whose change_kind is one of these."""
    return lambda params: params.get("change_kind") in kinds


def showing(states: Sequence[Subject]) -> EventTest:
    """For events that show their subject in one of these states; any state of one that the suite does not know."""
    return lambda params: any(state["id"] == _UNKNOWN_ID or shows(params.get("subject"), state) for state in states)


def shows(shown: Any, subject: Subject) -> bool:
    """Whether `shown` is the subject in this state."""
    return isinstance(shown, Mapping) and all(
        (shown.get(name) or None) == (subject.get(name) or None) for name in SHOWN
    )


def _steps(backend: Backend) -> list[tuple[str, Mapping[str, Any], frozenset[str]]]:
    """What is done to one subject: verb, params besides the id, and the names for it."""
    steps: list[tuple[str, Mapping[str, Any], frozenset[str]]] = []
    if backend.offers("update"):
        steps += [("update", {"patch": patch}, kinds) for patch, kinds in _PATCHES]
    if backend.offers("status"):
        steps += [("status", {"status": status}, _MOVED) for status in ("in-progress", "done")]
    return steps
