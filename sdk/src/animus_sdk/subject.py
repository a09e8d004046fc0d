"""The role of a subject backend: work items in somebody's system of record.

Subclassed by authors, driven by `session.py`; below it lie the wire models of `animus_protocol.models.subject`.
Every verb is served as `subject/<verb>` and as `<kind>/<verb>`, because hosts really send the latter (protocol §4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final

from animus_protocol.models import subject as wire
from animus_protocol.models.base import Method
from animus_protocol.models.common import Watching
from animus_protocol.models.lifecycle import PluginCapabilities
from animus_sdk.errors import Unsupported
from animus_sdk.plugin import Plugin, Route, overrides
from animus_sdk.session import Call

__all__ = ["SubjectBackend"]

_METHODS: Final[dict[str, Method[Any, Any]]] = {
    "list": wire.SUBJECT_LIST,
    "get": wire.SUBJECT_GET,
    "create": wire.SUBJECT_CREATE,
    "update": wire.SUBJECT_UPDATE,
    "next": wire.SUBJECT_NEXT,
    "status": wire.SUBJECT_STATUS,
    "delete": wire.SUBJECT_DELETE,
    "watch": wire.SUBJECT_WATCH,
    "schema": wire.SUBJECT_SCHEMA,
}


class SubjectBackend(Plugin):
    """Override the verbs that your system can do: what is overridden is advertised, the rest answers `-32001`."""

    plugin_kind = "subject_backend"
    subject_kinds: ClassVar[tuple[str, ...]]

    async def list(self, filter: wire.SubjectFilter) -> wire.SubjectList:  # noqa: A002 - the protocol's word
        """The subjects that pass every set field of `filter`, in a stable order, page by page."""
        raise Unsupported("list")

    async def get(self, id: str) -> wire.Subject:  # noqa: A002 - the protocol's word
        """One subject. Raise NotFound."""
        raise Unsupported("get")

    async def create(self, request: wire.SubjectCreateParams) -> wire.Subject:
        """A new subject, as it is stored."""
        raise Unsupported("create")

    async def update(self, id: str, patch: wire.SubjectPatch) -> wire.Subject:  # noqa: A002 - the protocol's word
        """Change what `patch` names and nothing else; the subject as it is afterwards."""
        raise Unsupported("update")

    async def next(self, kind: str | None) -> wire.Subject | None:
        """The subject to work on first, or None."""
        raise Unsupported("next")

    async def status(self, id: str, status: wire.SubjectStatus) -> wire.Subject:  # noqa: A002 - the protocol's word
        """Set the status; the subject as it is afterwards."""
        raise Unsupported("status")

    async def delete(self, id: str) -> bool:  # noqa: A002 - the protocol's word
        """Remove it; whether there was something to remove."""
        raise Unsupported("delete")

    def watch(self, filter: wire.SubjectFilter) -> AsyncIterator[wire.SubjectChangedEvent]:  # noqa: A002
        """An async generator of changes. Subscribe before the first `await`, so that nothing is missed."""
        raise Unsupported("watch")

    async def schema(self) -> wire.SubjectSchema:
        """What this backend can do; the default says what is overridden."""
        has = {verb for verb in _METHODS if overrides(type(self), SubjectBackend, verb)}
        return wire.SubjectSchema(
            kinds=[*self.subject_kinds],
            status_values=[*wire.SubjectStatus],
            supports_watch="watch" in has,
            supports_create="create" in has,
            supports_delete="delete" in has,
            supports_pagination=False,
        )

    def routes(self) -> Sequence[Route]:
        """Every overridden verb, under `subject/` and under each kind's own name."""
        handlers: dict[str, Callable[[Any, Call], Awaitable[object]]] = {
            "list": lambda params, _: self.list(params),
            "get": lambda params, _: self.get(params.id),
            "create": lambda params, _: self.create(params),
            "update": lambda params, _: self.update(params.id, params.patch),
            "next": lambda params, _: self.next(params.kind),
            "status": lambda params, _: self.status(params.id, params.status),
            "delete": self._delete,
            "watch": self._watch,
            "schema": lambda params, _: self.schema(),
        }
        return [
            Route(_METHODS[verb].named(f"{prefix}/{verb}"), handlers[verb])
            for verb in self._served()
            for prefix in dict.fromkeys(("subject", *self._plain_kinds()))
        ]

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """All verbs under every name of this backend (protocol §4)."""
        return frozenset(f"{prefix}/{verb}" for prefix in ("subject", *cls._plain_kinds()) for verb in _METHODS)

    @classmethod
    def capabilities(cls) -> PluginCapabilities:
        """The overridden verbs under each kind's own name, and the kinds."""
        methods = [f"{kind}/{verb}" for kind in cls._plain_kinds() or ("subject",) for verb in cls._served()]
        return PluginCapabilities(
            methods=[*methods, "health/check"],
            streaming="watch" in cls._served(),
            cancellation=True,
            subject_kinds=[*cls.subject_kinds],
        )

    @classmethod
    def _served(cls) -> Sequence[str]:
        return [verb for verb in _METHODS if verb == "schema" or overrides(cls, SubjectBackend, verb)]

    @classmethod
    def _plain_kinds(cls) -> Sequence[str]:
        return [kind for kind in cls.subject_kinds if not kind.endswith("*")]

    async def _delete(self, params: wire.DeleteSubjectRequest, call: Call) -> wire.DeleteSubjectResponse:
        return wire.DeleteSubjectResponse(ok=await self.delete(params.id))

    async def _watch(self, params: wire.SubjectFilter, call: Call) -> Watching:
        def numbered(event: wire.SubjectChangedEvent) -> wire.SubjectChangedParams:
            return wire.SubjectChangedParams.of(call.request_id, event)

        await call.stream(self.watch(params), numbered, wire.SUBJECT_CHANGED)
        return Watching()
