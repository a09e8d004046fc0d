"""Names of a package that are imported when they are first used, so that importing the package itself stays cheap.

Each public package of the SDK has one table of its names (`NAMES`), and all that a module tells of itself is made of
it: `__all__`, `dir()`, and the access to a name. Nothing lies below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

__all__ = ["lazy_names"]


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
