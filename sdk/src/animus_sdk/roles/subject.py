"""The role of a subject backend: work items in somebody's system of record.

Below it lie the wire models of `animus_protocol.models.subject`. Every verb is served as `subject/<verb>` and as
`<kind>/<verb>`, because hosts really send the latter (protocol §4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from animus_protocol.errors import NotSupported
from animus_sdk.functions import Answer, Stream, inline
from animus_sdk.lazy_names import LazyModule
from animus_sdk.mistakes import missing, wrong_forms, wrong_kinds
from animus_sdk.plugin import Plugin, Route, overrides
from animus_sdk.profile import Offer

if TYPE_CHECKING:
    from animus_protocol.models import base, common
    from animus_protocol.models import subject as wire
    from animus_sdk.call import Call
else:
    base = LazyModule("animus_protocol.models.base")
    common = LazyModule("animus_protocol.models.common")
    wire = LazyModule("animus_protocol.models.subject")

__all__ = ["SubjectBackend"]

_VERBS: Final = ("list", "get", "create", "update", "next", "status", "delete", "watch", "schema")
_UNWATCH: Final = "subject/unwatch"


@cache
def _method(verb: str) -> base.Method[Any, Any]:
    """The row of `subject/<verb>`."""
    row: base.Method[Any, Any] = getattr(wire, f"SUBJECT_{verb.upper()}")
    return row


@cache
def _unwatch() -> base.Method[Any, Any]:
    """The row of `subject/unwatch`."""

    class Unwatch(base.WireModel):
        """Like `SubjectUnwatchRequest`, but a host may send the id as a number, too."""

        watch_id: common.RequestId

    return base.Method(_UNWATCH, Unwatch, common.Acknowledged, wire.SUBJECT_UNWATCH.doc)


class SubjectBackend(Plugin):
    """Override the verbs that your system can do: what is overridden is advertised, the rest answers `-32001`.

    A `list` that returns (or yields) all subjects leaves filtering, order and pages to the SDK; one that returns a
    SubjectList does all of it itself, and says with `makes_pages` whether it hands out cursors.
    """

    plugin_kind = "subject_backend"
    overridable = _VERBS
    subject_kinds: ClassVar[tuple[str, ...]]
    """The kinds of subjects that are here: `("ticket",)`; `"issue.*"` claims all kinds that begin so."""
    makes_pages: ClassVar[bool | None] = None
    """Whether `list` hands out cursors; None: the SDK does, unless `list` returns a SubjectList."""

    def list(self, filter: wire.SubjectFilter) -> Answer[wire.SubjectList | Iterable[wire.Subject]]:  # noqa: A002 - the protocol's word
        """All subjects, or the page of them that `filter` asks for.

        Raise InvalidParams for a cursor that you did not give.
        """
        raise NotSupported("list")

    def get(self, id: str) -> Answer[wire.Subject]:  # noqa: A002 - the protocol's word
        """One subject. Raise NotFound where there is none of that id."""
        raise NotSupported("get")

    def create(self, request: wire.SubjectCreateParams) -> Answer[wire.Subject]:
        """A new subject, as it is stored. Raise InvalidParams for what cannot be one."""
        raise NotSupported("create")

    def update(self, id: str, patch: wire.SubjectPatch) -> Answer[wire.Subject]:  # noqa: A002 - the protocol's word
        """Change what `patch` names and nothing else; the subject as it is afterwards.

        Raise NotFound, and InvalidParams for a patch that cannot be applied.
        """
        raise NotSupported("update")

    def next(self, kind: str | None) -> Answer[wire.Subject | None]:
        """The subject to work on first, or None; `first_ready` picks it from a list."""
        raise NotSupported("next")

    def status(self, id: str, status: wire.SubjectStatus) -> Answer[wire.Subject]:  # noqa: A002 - the protocol's word
        """Set the status; the subject as it is afterwards. Raise NotFound, and InvalidParams for a forbidden move."""
        raise NotSupported("status")

    def delete(self, id: str) -> Answer[bool]:  # noqa: A002 - the protocol's word
        """Remove it; whether there was something to remove, so a missing one is no error."""
        raise NotSupported("delete")

    def watch(self, filter: wire.SubjectFilter) -> Stream[wire.SubjectChangedEvent]:  # noqa: A002 - as above
        """A generator of changes. An async one subscribes before its first `await`, so that nothing is missed.

        Raise NotSupported for a filter that cannot be watched: the host then compares lists. Raising later ends the
        stream.
        """
        raise NotSupported("watch")

    @inline
    def schema(self) -> Answer[wire.SubjectSchema]:
        """What this backend can do; the default says what is overridden."""
        has = {verb for verb in _VERBS if overrides(type(self), SubjectBackend, verb)}
        return wire.SubjectSchema(
            kinds=[*self.subject_kinds],
            status_values=[*wire.SubjectStatus],
            supports_watch="watch" in has,
            supports_create="create" in has,
            supports_delete="delete" in has,
            supports_pagination="list" in has and self.__pages(),
        )

    def routes(self) -> Sequence[Route]:
        """Every overridden verb, under `subject/` and under each kind's own name."""
        routes = [self.__route(prefix, verb) for verb in self.__served() for prefix in self.__prefixes()]
        if "watch" in self.__served():
            routes.append(Route(_unwatch(), self.__unwatch))
        return routes

    def find(self, method: str) -> Route | None:
        """The verbs of kinds that are claimed as `issue.*`."""
        kind, _, verb = method.rpartition("/")
        claimed = any(kind.startswith(claim[:-1]) for claim in self.subject_kinds if claim.endswith("*"))
        if not claimed or verb not in _VERBS:
            return None
        if verb not in self.__served():
            raise NotSupported(method)
        return self.__route(kind, verb)

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """All verbs under every name of this backend (protocol §4)."""
        verbs = {f"{prefix}/{verb}" for prefix in cls.__prefixes() for verb in _VERBS}
        return frozenset({*verbs, _UNWATCH})

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Mistakes of any plugin, wrong subject_kinds, and verbs that yield though they must return, or the other way
        round.
        """
        if wrong := wrong_kinds(cls, "subject_kinds", "ticket"):
            return [*missing(cls, "name", "version"), *wrong]  # all else is looked up by the kinds
        answering = [verb for verb in _VERBS if verb not in ("list", "watch")]
        return [*super().mistakes(), *wrong_forms(cls, answering=answering, streaming=["watch"])]

    @classmethod
    def offer(cls) -> Offer:
        """The kinds, and the overridden verbs under each kind's own name, or `subject/` for claims like `issue.*`."""
        kinds = cls.__plain_kinds()
        prefixes = kinds if len(kinds) == len(cls.subject_kinds) > 0 else [*kinds, "subject"]
        return Offer(
            methods=[*(f"{prefix}/{verb}" for prefix in prefixes for verb in cls.__served()), "health/check"],
            streaming="watch" in cls.__served(),
            subject_kinds=[*cls.subject_kinds],
        )

    @classmethod
    def __served(cls) -> Sequence[str]:
        return [verb for verb in _VERBS if verb == "schema" or overrides(cls, SubjectBackend, verb)]

    @classmethod
    def __plain_kinds(cls) -> Sequence[str]:
        return [kind for kind in cls.subject_kinds if not kind.endswith("*")]

    @classmethod
    def __prefixes(cls) -> Sequence[str]:
        return [*dict.fromkeys(("subject", *cls.__plain_kinds()))]

    def __route(self, prefix: str, verb: str) -> Route:
        """What answers `prefix/verb`; the kind in a method's name narrows params that name none."""
        # Hosts send `<kind>/list` with params that name no kind (protocol §4).
        kind = None if prefix == "subject" else prefix

        def narrowed(filter: wire.SubjectFilter) -> wire.SubjectFilter:  # noqa: A002 - the protocol's word
            return filter if filter.kind or kind is None else filter.model_copy(update={"kind": [kind]})

        arguments: dict[str, Callable[[Any], Sequence[Any]]] = {
            "list": lambda params: (narrowed(params),),
            "get": lambda params: (params.id,),
            "create": lambda params: (params,),
            "update": lambda params: (params.id, params.patch),
            "next": lambda params: (params.kind or kind,),
            "status": lambda params: (params.id, params.status),
            "delete": lambda params: (params.id,),
            "schema": lambda params: (),
        }
        from animus_sdk.handlers import adapt

        method = _method(verb).named(f"{prefix}/{verb}")
        if verb == "watch":
            return Route(method, lambda params, call: self.__watch(narrowed(params), call))
        run, check = adapt(getattr(self, verb)), self.__check(verb)

        def page(value: Any, params: wire.SubjectFilter) -> wire.SubjectList:
            subjects: wire.SubjectList = check(value, narrowed(params))
            return subjects

        results: dict[str, Callable[[Any, Any], Any]] = {
            "list": page,
            "delete": lambda value, _: wire.DeleteSubjectResponse(ok=check(value)),
        }
        result = results.get(verb, lambda value, _: check(value))
        return Route(method, run.answer(arguments[verb], result), inline=run.inline)

    def __check(self, verb: str) -> Callable[..., Any]:
        """What holds the verb's result to its type; made once a route, so that a call only asks it."""
        from animus_sdk.results import place_of, returns
        from animus_sdk.subject_results import SubjectResults

        results = SubjectResults(type(self), self.subject_kinds)
        match verb:
            case "list":
                return results.page(verb)
            case "delete":
                return returns(place_of(type(self), verb), bool)
            case "schema":
                return returns(place_of(type(self), verb), wire.SubjectSchema)
            case "watch":
                return results.change(verb)
            case _:
                return results.subject(verb, optional=verb == "next")

    @classmethod
    def __pages(cls) -> bool:
        """Whether lists come in pages: as the class says, else whether the SDK makes them."""
        if cls.makes_pages is not None:
            return cls.makes_pages
        return "SubjectList" not in str(cls.list.__annotations__.get("return", ""))

    async def __watch(self, filter: wire.SubjectFilter, call: Call) -> common.Watching:  # noqa: A002 - the protocol's word
        check = self.__check("watch")

        def numbered(event: wire.SubjectChangedEvent) -> wire.SubjectChangedParams:
            return wire.SubjectChangedParams.of(call.request_id, check(event))

        await call.stream(self.watch(filter), numbered, wire.SUBJECT_CHANGED)
        return common.Watching()

    async def __unwatch(self, params: Any, call: Call) -> dict[str, bool]:
        """`{"ok": whether there was such a stream}`; the id is the watch request's, which may have been a number."""
        watch_id = params.watch_id
        ended = call.end_stream(watch_id)
        if not ended and isinstance(watch_id, str) and watch_id.isdecimal():
            ended = call.end_stream(int(watch_id))
        return {"ok": ended}
