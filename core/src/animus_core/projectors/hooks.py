"""The extension point of projectors: what one is, and how one registers.

A distribution registers its projector through the entry point group `animus.projectors`; the built-in one in
`subject.py` registers the same way as a foreign one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

import pluggy

__all__ = ["PROJECT", "FactView", "Projector", "Subjects", "hookimpl", "load_projectors"]

PROJECT: Final = "animus_projectors"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class FactView(NamedTuple):
    """A fact as a projector sees it; `fact_id` is the same whenever it is shown again."""

    fact_seq: int
    fact_id: str
    run_id: str
    subject_kind: str
    subject_id: str
    kind: str
    at: str
    data: dict[str, Any]


class Subjects(Protocol):
    """What a projector may do with subjects. All raise RpcError (refused) or AnimusError (not there now)."""

    async def status_of(self, kind: str, subject_id: str) -> str | None:
        """The subject's status; None when nobody serves the kind or there is no such subject."""
        ...

    async def move(self, kind: str, subject_id: str, status: str) -> None:
        """Set the subject's status."""
        ...


class Projector(Protocol):
    """Applies facts, each at least once and in the order of its subject; it reads before it writes.

    `name` keys its cursor and never changes. Raise AnimusError to be asked again later; all else parks the subject.
    """

    name: str

    async def project(self, fact: FactView, subjects: Subjects) -> None:
        """Apply one fact."""
        ...


class _Hooks:
    @hookspec
    def animus_projector(self) -> Projector:  # type: ignore[empty-body]  # pluggy specs have no body
        """A projector of this distribution."""


def load_projectors() -> list[Projector]:
    """Every registered projector, the built-in ones among them, sorted by name."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(_Hooks)
    # The built-in projector too comes through its entry point: the way for outsiders is the only one, and always tried.
    manager.load_setuptools_entrypoints("animus.projectors")
    found: list[Projector] = manager.hook.animus_projector()
    return sorted(found, key=lambda projector: projector.name)
