"""Several kinds in one process: the parts share a process, and each stays a plugin class of its own.

Below it lie the roles of the parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from animus_sdk.declarations import ProjectBinding
from animus_sdk.mistakes import missing
from animus_sdk.plugin import Plugin, Route
from animus_sdk.profile import Offer, Profile
from animus_sdk.typed_methods import TypedMethod

if TYPE_CHECKING:
    from animus_protocol.models import lifecycle
    from animus_sdk.handlers import Threads

__all__ = ["Bundle"]

_Part = TypeVar("_Part", bound=Plugin)
_UNWATCH: Final = "subject/unwatch"
_BAD: Final = ("healthy", "degraded", "unhealthy")


class Bundle(Plugin):
    """`parts = (Tickets, Mails)`: one plugin of several kinds. The first part's kind is the plugin's kind.

    Parts are made without arguments and started in their order; `part(Tickets)` is the one of that class. A part
    without a name and a version goes by the bundle's, and all of them share the bundle's `threads`. No method may be
    served by two parts.
    """

    # Classes side by side and no multiple inheritance: the methods of the kinds have the same names (ADR 0010).
    parts: ClassVar[tuple[type[Plugin], ...]]

    def __init__(self) -> None:
        self.__parts: list[Plugin] = [_named(part, type(self))() for part in self.parts]
        self.__started: list[Plugin] = []

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if _are_plugins(getattr(cls, "parts", None)):
            cls.plugin_kind = cls.parts[0].plugin_kind

    def part(self, kind: type[_Part]) -> _Part:
        """The part of class `kind`. Raises LookupError."""
        for part in self.__parts:
            if isinstance(part, kind):
                return part
        raise LookupError(f"{type(self).__name__} has no part {kind.__name__}")

    async def run_start(self, threads: Threads, project: ProjectBinding) -> None:
        """Start the parts, one after the other, and then the bundle itself; all of them are stopped if one fails."""
        self.project = project  # also for the bundle's `stop`, which runs where a part has failed to start
        try:
            for part in self.__parts:
                # Before it starts: `stop` runs also after a failed start, and gives back what that had taken.
                self.__started.append(part)
                await part.run_start(threads, project)
            await super().run_start(threads, project)
        except BaseException:
            import logging

            for error in await self.__stop_parts(threads):
                logging.getLogger("animus.plugin").error(
                    "a part did not stop well after a failed start", exc_info=error
                )
            raise

    async def run_stop(self, threads: Threads) -> None:
        """Stop the bundle itself and the started parts, the last one first; all of them, whatever one raises."""
        try:
            await super().run_stop(threads)
        finally:
            if errors := await self.__stop_parts(threads):
                raise ExceptionGroup(f"{len(errors)} parts did not stop well", errors)

    async def run_health(self, threads: Threads) -> lifecycle.HealthCheckResult:
        """The worst of the bundle's own health and the parts', with the first error of those."""
        found = [await super().run_health(threads)]
        for part in self.__parts:
            found.append(await part.run_health(threads))
        return max(found, key=lambda health: _BAD.index(health.status))

    async def __stop_parts(self, threads: Threads) -> list[Exception]:
        from animus_sdk.errors import authors_code

        errors: list[Exception] = []
        while self.__started:
            try:
                with authors_code:
                    await self.__started.pop().run_stop(threads)
            except Exception as error:  # noqa: BLE001 - collected, and raised when every part had its turn
                errors.append(error)
        return errors

    def routes(self) -> Sequence[Route]:
        """Those of all parts, but `subject/<verb>` of two subject backends: only a kind says which of them is meant.

        The part that advertises such a verb keeps it; `subject/unwatch` names a stream of either and needs no kind.
        """
        found = [({*_methods(type(part)), _UNWATCH}, [*part.routes(), *part.own_routes()]) for part in self.__parts]
        requests = [route.method.name for _, routes in found for route in routes if route.method.result is not None]
        doubtful = {name for name, count in Counter(requests).items() if count > 1}
        return [route for kept, routes in found for route in routes if route.method.name not in doubtful - kept]

    def find(self, method: str) -> Route | None:
        """The route of the first part that knows the method."""
        return next((route for part in self.__parts if (route := part.find(method)) is not None), None)

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Mistakes of any plugin, mistakes of the parts, and methods that are served twice."""
        parts = getattr(cls, "parts", ())
        if not _are_plugins(parts):
            wrong = ".parts is no tuple of plugin classes" if parts else " has no parts"
            return [
                *missing(cls, "name", "version"),
                f"{cls.__name__}{wrong}: write parts = (Tickets, Mails) in the class",
            ]
        not_needed = {sentence for part in parts for sentence in missing(part, "name", "version")}
        theirs = [sentence for part in parts for sentence in part.mistakes() if sentence not in not_needed]
        if theirs:
            return [*super().mistakes(), *theirs]
        served = Counter(method for part in parts for method in _methods(part))
        served.update(typed.name for typed in super().own_methods())
        twice = [
            f"{cls.__name__}: {method} is served {count} times, by parts or by the bundle itself: leave one of them"
            for method, count in sorted(served.items())
            if count > 1
        ]
        return [*super().mistakes(), *twice]

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """Those of all parts."""
        return frozenset().union(*(part.known_methods() for part in cls.parts))

    @classmethod
    def own_methods(cls) -> Sequence[TypedMethod]:
        """Those of the bundle, and of all parts."""
        return [*super().own_methods(), *(typed for part in cls.parts for typed in part.own_methods())]

    @classmethod
    def offer(cls) -> Offer:
        """What the parts serve, together."""
        offers = [part.offer() for part in cls.parts]
        return Offer(
            methods=[*dict.fromkeys(method for part in offers for method in part.methods)],
            streaming=any(part.streaming for part in offers),
            progress=any(part.progress for part in offers),
            subject_kinds=[kind for part in offers for kind in part.subject_kinds],
        )

    @classmethod
    def profile(cls) -> Profile:
        """What a plugin tells of itself: the kinds and variables of all parts, and the largest of their buffers."""
        holders = (*cls.parts, cls)
        sizes = [size for holder in holders if (size := holder.notification_buffer_size) is not None]
        return (
            super()
            .profile()
            ._replace(
                plugin_kinds=[*dict.fromkeys(part.plugin_kind for part in cls.parts)],
                env=[*{variable.name: variable for holder in holders for variable in holder.env}.values()],
                notification_buffer_size=max(sizes, default=None),
            )
        )


def _are_plugins(parts: object) -> bool:
    if not isinstance(parts, tuple) or not parts:
        return False
    return all(isinstance(part, type) and issubclass(part, Plugin) for part in parts)


def _named(part: type[Plugin], bundle: type[Bundle]) -> type[Plugin]:
    """`part` with the name and version of `bundle` where it has none: a provider's results say who made them."""
    lent = {word: getattr(bundle, word) for word in ("name", "version") if not hasattr(part, word)}
    return type(part.__name__, (part,), lent) if lent else part


def _methods(part: type[Plugin]) -> set[str]:
    """What a part serves under names that no other part may have."""
    own = (typed.name for typed in part.own_methods())
    return {*part.offer().methods, *own} - {"health/check"}
