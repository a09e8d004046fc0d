"""Reads the requirements from the TOML files beside this module.

Nothing lies below but the files. A file holds `[[requirement]]` tables with `id`, `section`, `strength`, `level`,
`title`, `text` and, where it helps, `fix`; its `kinds` (`["*"]` for every kind) stands once at the top.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from animus_conformance.errors import SuiteBroken
from animus_conformance.verdict import Level, Strength

__all__ = ["Requirement", "requirement", "requirements"]


# Whoever has no manifest or does not start is told so first: all else follows from that.
_FIRST: Final = ("manifest.toml", "lifecycle.toml")


class Requirement(NamedTuple):
    """What a plugin owes. `kinds` are as people type them, or `("*",)`; `text` says it whole, `fix` what to do."""

    id: str
    section: str
    strength: Strength
    level: Level
    kinds: tuple[str, ...]
    title: str
    text: str
    fix: str

    def concerns(self, kind: str) -> bool:
        """Whether a plugin of `kind` owes this."""
        return "*" in self.kinds or kind in self.kinds


@cache
def requirements() -> Mapping[str, Requirement]:
    """All requirements by id, in the order of the files and within them. Raises SuiteBroken."""
    found: dict[str, Requirement] = {}
    for path in sorted(files(__package__).iterdir(), key=lambda each: _place(each.name)):
        if path.name.endswith(".toml"):
            document = tomllib.loads(path.read_text("utf-8"))
            for row in document["requirement"]:
                wanted = _read(path.name, document["kinds"], row)
                if wanted.id in found:
                    raise SuiteBroken(f"{path.name}: the id {wanted.id} is taken")
                found[wanted.id] = wanted
    return found


def requirement(name: str) -> Requirement:
    """The requirement with this id. Raises SuiteBroken."""
    try:
        return requirements()[name]
    except KeyError:
        raise SuiteBroken(f"no requirement has the id {name!r}") from None


def _place(file: str) -> tuple[int, str]:
    """What everything else builds on comes first."""
    return (_FIRST.index(file) if file in _FIRST else len(_FIRST)), file


def _read(file: str, kinds: list[str], row: Mapping[str, Any]) -> Requirement:
    try:
        return Requirement(
            id=row["id"],
            section=row["section"],
            strength=Strength(row["strength"]),
            level=Level(row["level"]),
            kinds=tuple(row.get("kinds", kinds)),
            title=row["title"],
            text=" ".join(row["text"].split()),
            fix=" ".join(row.get("fix", "").split()),
        )
    except (KeyError, ValueError) as error:
        raise SuiteBroken(f"{file}: {row.get('id', 'a requirement without an id')}: {error!r}") from error
