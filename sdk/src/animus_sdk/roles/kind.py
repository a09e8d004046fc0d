"""What the kinds with a fixed list of methods share: what is overridden is served and advertised, and nothing else is.

Below it lies the plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from animus_sdk.plugin import Plugin, Route, overrides
from animus_sdk.profile import Offer

if TYPE_CHECKING:
    from animus_protocol.models.base import Method
    from animus_sdk.results import Check

__all__ = ["KindRole"]


class KindRole(Plugin):
    """A role names its methods in `served_by`: by which of the author's functions each is served, None for always."""

    served_by: ClassVar[Mapping[str, str | None]]
    streamed: ClassVar[str | None] = None
    """The method that opens a stream."""

    def kind_routes(self) -> Sequence[Route]:
        """The routes of all methods of the kind; those that are not served are left out by `routes`."""
        raise NotImplementedError

    def checked(self, word: str, *kinds: type | None) -> Check:
        """What holds the results of the author's function `word` to `kinds`."""
        from animus_sdk.results import place_of, returns

        return returns(place_of(type(self), word), *kinds)

    def answered(
        self, method: Method[Any, Any], word: str, kind: type, *, arguments: Callable[[Any], Iterable[Any]]
    ) -> Route:
        """The route of a method whose answer is what the author's function `word` gives: a `kind`, as it is."""
        from animus_sdk.handlers import adapt

        run, check = adapt(getattr(self, word)), self.checked(word, kind)
        return Route(method, run.answer(arguments, lambda value, _: check(value)), inline=run.inline)

    def routes(self) -> Sequence[Route]:
        """The overridden methods, and those that are always there."""
        served = self.served()
        return [route for route in self.kind_routes() if route.method.name in served]

    @classmethod
    def served(cls) -> Sequence[str]:
        """The methods that this class serves."""
        # The class that names the methods is the role; a function that is not the role's own is the author's.
        role = next(base for base in cls.__mro__ if "served_by" in vars(base))
        return [
            method for method, function in cls.served_by.items() if function is None or overrides(cls, role, function)
        ]

    @classmethod
    def known_methods(cls) -> frozenset[str]:
        """All methods of the kind (protocol §4)."""
        return frozenset(cls.served_by)

    @classmethod
    def offer(cls) -> Offer:
        """The served methods; streaming where the method that streams is among them."""
        served = cls.served()
        return Offer([*served, "health/check"], streaming=cls.streamed in served)
