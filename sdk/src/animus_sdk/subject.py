"""The role of a subject backend: work items in somebody's system of record.

Subclassed by authors, driven by `session.py`; below it lie the wire models of `animus_protocol.models.subject`.
Every verb is served as `subject/<verb>` and as `<kind>/<verb>`, because hosts really send the latter (protocol §4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final

from animus_protocol.errors import NotSupported
from animus_protocol.models import subject as wire
from animus_protocol.models.base import Method, WireModel
from animus_protocol.models.common import Acknowledged, RequestId, Watching
from animus_protocol.models.lifecycle import PluginCapabilities
from animus_sdk.call import Call
from animus_sdk.errors import Unsupported
from animus_sdk.plugin import Plugin, Route, overrides

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


class _Unwatch(WireModel):
    """As `SubjectUnwatchRequest`; a host that keeps its ids as numbers is understood too."""

    watch_id: RequestId


_UNWATCH: Final = Method(wire.SUBJECT_UNWATCH.name, _Unwatch, Acknowledged, wire.SUBJECT_UNWATCH.doc)


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

    def watch(self, filter: wire.SubjectFilter) -> AsyncIterator[wire.SubjectChangedEvent]:  # noqa: A002 - as above
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
        routes = [self._route(prefix, verb) for verb in self._served() for prefix in self._prefixes()]
        if "watch" in self._served():
            routes.append(Route(_UNWATCH, self._unwatch))
        return routes

    def find(self, method: str) -> Route | None:
        """The verbs of kinds that are claimed as `issue.*`."""
        kind, _, verb = method.rpartition("/")
        claimed = any(kind.startswith(claim[:-1]) for claim in self.subject_kinds if claim.endswith("*"))
        if not claimed or verb not in _METHODS:
            return None
        if verb not in self._served():
            raise NotSupported(method)
        return self._route(kind, verb)

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """All verbs under every name of this backend (protocol §4)."""
        verbs = {f"{prefix}/{verb}" for prefix in cls._prefixes() for verb in _METHODS}
        return frozenset({*verbs, _UNWATCH.name})

    @classmethod
    def capabilities(cls) -> PluginCapabilities:
        """The kinds, and the overridden verbs under each kind's own name, or `subject/` for claims like `issue.*`."""
        kinds = cls._plain_kinds()
        prefixes = kinds if len(kinds) == len(cls.subject_kinds) > 0 else [*kinds, "subject"]
        return PluginCapabilities(
            methods=[*(f"{prefix}/{verb}" for prefix in prefixes for verb in cls._served()), "health/check"],
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

    @classmethod
    def _prefixes(cls) -> Sequence[str]:
        return [*dict.fromkeys(("subject", *cls._plain_kinds()))]

    def _route(self, prefix: str, verb: str) -> Route:
        """What answers `prefix/verb`; the kind in a method's name narrows params that name none."""
        kind = None if prefix == "subject" else prefix

        def narrowed(filter: wire.SubjectFilter) -> wire.SubjectFilter:  # noqa: A002 - the protocol's word
            return filter if filter.kind or kind is None else filter.model_copy(update={"kind": [kind]})

        handlers: dict[str, Callable[[Any, Call], Awaitable[object]]] = {
            "list": lambda params, _: self.list(narrowed(params)),
            "get": lambda params, _: self.get(params.id),
            "create": lambda params, _: self.create(params),
            "update": lambda params, _: self.update(params.id, params.patch),
            "next": lambda params, _: self.next(params.kind or kind),
            "status": lambda params, _: self.status(params.id, params.status),
            "delete": lambda params, _: self._delete(params.id),
            "watch": lambda params, call: self._watch(narrowed(params), call),
            "schema": lambda params, _: self.schema(),
        }
        return Route(_METHODS[verb].named(f"{prefix}/{verb}"), handlers[verb])

    async def _delete(self, id: str) -> wire.DeleteSubjectResponse:  # noqa: A002 - the protocol's word
        return wire.DeleteSubjectResponse(ok=await self.delete(id))

    async def _watch(self, filter: wire.SubjectFilter, call: Call) -> Watching:  # noqa: A002 - the protocol's word
        def numbered(event: wire.SubjectChangedEvent) -> wire.SubjectChangedParams:
            return wire.SubjectChangedParams.of(call.request_id, event)

        await call.stream(self.watch(filter), numbered, wire.SUBJECT_CHANGED)
        return Watching()

    async def _unwatch(self, params: _Unwatch, call: Call) -> dict[str, bool]:
        """`{"ok": whether there was such a stream}`; the id is the watch request's, which may have been a number."""
        watch_id = params.watch_id
        ended = call.end_stream(watch_id)
        if not ended and isinstance(watch_id, str) and watch_id.isdecimal():
            ended = call.end_stream(int(watch_id))
        return {"ok": ended}
