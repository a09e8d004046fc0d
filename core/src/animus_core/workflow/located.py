"""Plain values that remember where they were written.

Each definition keeps them, so that a mistake found later still has its line. Below lies `issues`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from animus_core.workflow.issues import SourceLocation

__all__ = ["Located", "Plain", "Scalar", "SourceFile"]

Scalar = str | int | float | bool | None
Plain = Scalar | dict[str, "Plain"] | list["Plain"]


class SourceFile(BaseModel):
    """A file that was read: `path` relative to the project root, `sha256` in hex of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: str
    sha256: str


@dataclass(frozen=True)
class Located:
    """A value at a place: a scalar, or a mapping or list of located values.

    `place` is the key's position for a value in a mapping and the item's own for one in a list. `refused`: what stood
    here was reported as a mistake already, and a null stands in for it.
    """

    place: SourceLocation
    value: Scalar = None
    fields: dict[str, Located] | None = field(default=None)
    items: list[Located] | None = field(default=None)
    refused: bool = False

    @property
    def is_null(self) -> bool:
        """Nothing was written."""
        return self.value is None and self.fields is None and self.items is None

    def plain(self) -> Plain:
        """The value without places."""
        if self.fields is not None:
            return {key: child.plain() for key, child in self.fields.items()}
        if self.items is not None:
            return [child.plain() for child in self.items]
        return self.value

    def find(self, *path: str | int) -> Located:
        """What lies under `path`, or the last thing on the way that was written."""
        here = self
        for step in path:
            child: Located | None = None
            if here.fields is not None and isinstance(step, str):
                child = here.fields.get(step)
            elif here.items is not None and isinstance(step, int) and step < len(here.items):
                child = here.items[step]
            # The nearest place that was written: a missing key has no line of its own, and its mapping has one.
            if child is None:
                return here
            here = child
        return here

    def without(self, path: tuple[str | int, ...]) -> Located:
        """A copy that lacks the mapping key at `path`; the same value when there is no such key."""
        if not path:
            return self
        step, rest = path[0], path[1:]
        if self.fields is not None and isinstance(step, str) and step in self.fields:
            fields = dict(self.fields)
            # A copy all the way down: the definition that was read before keeps its places.
            if rest:
                fields[step] = fields[step].without(rest)
            else:
                del fields[step]
            return Located(self.place, fields=fields)
        if self.items is not None and isinstance(step, int) and step < len(self.items) and rest:
            items = list(self.items)
            items[step] = items[step].without(rest)
            return Located(self.place, items=items)
        return self
