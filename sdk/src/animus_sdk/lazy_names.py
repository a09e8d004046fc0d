"""Names of a package, and whole modules, that are imported when they are first used, so that a start stays cheap.

Each public package of the SDK has one table of its names (`NAMES`), and all that a module tells of itself is made of
it: `__all__`, `dir()`, and the access to a name. Nothing lies below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Generic, TypeVar

__all__ = ["LazyModule", "lazy_default", "lazy_names"]

_T = TypeVar("_T")


class LazyModule:
    """Stands for a module until something in it is asked for; so annotations may name what lies in it.

    if TYPE_CHECKING:
        from animus_protocol.models import subject as wire
    else:
        wire = LazyModule("animus_protocol.models.subject")
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> object:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)  # found without a call from now on
        return value


class _LazyDefault(Generic[_T]):
    def __init__(self, make: Callable[[], _T]) -> None:
        self._value = cache(make)

    def __get__(self, instance: object, owner: type | None = None) -> _T:
        return self._value()


def lazy_default(make: Callable[[], _T]) -> _T:
    """The value of a class variable that is made when it is first read."""
    return _LazyDefault(make)  # type: ignore[return-value]  # what is read is never the descriptor


def lazy_names(
    package: ModuleType, names: Mapping[str, tuple[str, ...]]
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of `package`; `names` are its public names by the module they live in."""
    homes = {name: home for home, its_names in names.items() for name in its_names}
    public = sorted(homes, key=lambda name: (name[0].islower(), name))

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        setattr(package, name, value)  # found without a call from now on
        return value

    def listed() -> list[str]:
        return sorted({*vars(package), *public})

    return public, get, listed
