"""Every check by the id of its requirement; the two fit together both ways, or nothing runs.

The modules of this room fill it. Below it lie the requirements, and the parts that a check may ask for.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Final, NamedTuple

from animus_conformance.errors import SuiteBroken
from animus_conformance.kinds import Kind
from animus_conformance.parts import require_parts
from animus_conformance.requirements.manifest import Requirement, requirements
from animus_conformance.verdict import Level

__all__ = ["Check", "CheckFunction", "check", "checks", "checks_for"]

CheckFunction = Callable[..., Awaitable[None]]
"""Its parameters are parts of the run, each named by its type (`parts.py`); what it raises is its verdict."""


class Check(NamedTuple):
    """One check. It runs only where `method` is advertised; elsewhere it is proved that the method is refused."""

    requirement: Requirement
    function: CheckFunction
    method: str | None

    @property
    def how(self) -> str:
        """What the check does, as its docstring says."""
        return inspect.getdoc(self.function) or ""


_registered: Final[dict[str, Check]] = {}


def check(requirement_id: str, *, method: str | None = None) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as the check of a requirement; `method` is what has to be advertised for it to apply."""

    def register(function: CheckFunction) -> CheckFunction:
        wanted = requirements().get(requirement_id)
        if wanted is None:
            raise SuiteBroken(
                f"{function.__module__}.{function.__name__} cites {requirement_id}, which is no requirement"
            )
        if not inspect.getdoc(function):
            raise SuiteBroken(f"{function.__module__}.{function.__name__} does not say what it does")
        require_parts(function)
        if requirement_id in _registered:
            raise SuiteBroken(f"{requirement_id} has two checks")
        _registered[requirement_id] = Check(wanted, function, method)
        return function

    return register


@cache
def checks() -> Mapping[str, Check]:
    """All checks in the order of the requirements. Raises SuiteBroken when a requirement has none."""
    for path in files(__package__).iterdir():
        name = path.name.removesuffix(".py")
        if path.name.endswith(".py") and name not in ("__init__", "registry"):
            import_module(f"{__package__}.{name}")
    lacking = [name for name in requirements() if name not in _registered]
    if lacking:
        raise SuiteBroken(f"requirements without a check: {', '.join(lacking)}")
    return {name: _registered[name] for name in requirements()}


def checks_for(kind: Kind, up_to: Level) -> list[Check]:
    """What a plugin of `kind` is judged by, level by level; what the whole run observes on the wire comes last."""
    chosen = [
        known
        for known in checks().values()
        if known.requirement.concerns(kind.name) and known.requirement.level <= up_to
    ]
    # What was observed on all connections is judged once every other check has had its connections.
    return sorted(chosen, key=lambda known: (known.requirement.id.startswith("wire."), known.requirement.level))
